import type { User } from "@colloquy/sdk";
import { expect, test } from "vitest";

import { createFormat } from "../../ui/i18n/format.ts";
import { en } from "../i18n/en.ts";
import { conversationFace, conversationTitle, displayName, folded } from "./names.ts";

const person = (id: number, username: string, first = "", last = ""): User => ({
  id,
  username,
  email: "",
  first_name: first,
  last_name: last,
});
const format = createFormat("en");
const title = (name: string | null, participants: User[], count = participants.length) =>
  conversationTitle({ name, participants, member_count: count }, 1, en.list, format)
    // Isolates around each name keep a right-to-left one from moving the others.
    .replace(/\u2068(.*?)\u2069/g, "<$1>");

const me = person(1, "me");
const ann = person(2, "ann", "Ann", "Berg");
const bob = person(3, "bob");
const cem = person(4, "cem");

test("a person without a name is shown by the username", () => {
  expect(displayName(ann)).toBe("Ann Berg");
  expect(displayName(bob)).toBe("bob");
});

test("a name cannot reorder the text around it", () => {
  expect(displayName(person(5, "eve", "\u2069\u202eEve", "Doe\u2066"))).toBe("Eve Doe");
  expect(displayName(person(5, "eve", "\u202e"))).toBe("eve");
  expect(title("\u2069\u202eTeam", [me, ann])).toBe("Team");
  // Marks of direction belong to some spellings and end with the name.
  expect(displayName(person(6, "noa", "נועה\u200f!"))).toBe("נועה\u200f!");
});

test("a conversation without a name shows the others", () => {
  expect(title("Team", [me, ann])).toBe("Team");
  expect(title(null, [me, ann])).toBe("Ann Berg");
  expect(title(null, [me, ann, bob, cem])).toBe("<Ann Berg>, <bob>, and <cem>");
  expect(title(null, [me, ann, bob, cem], 12)).toBe("<Ann Berg>, <bob>, <cem> and 8 others");
  expect(title(null, [me])).toBe("Only you");
});

test("a number sign in a name is no place for the number", () => {
  const hash = person(5, "no1", "#1", "Fan");
  expect(title(null, [me, hash], 4)).toBe("<#1 Fan> and 2 others");
});

test("a direct conversation has the face of the other, a group its own", () => {
  expect(conversationFace({ id: 9, kind: "direct", participants: [me, ann] }, 1)).toEqual({
    id: 2,
    group: false,
  });
  expect(conversationFace({ id: 9, kind: "group", participants: [me, ann] }, 1)).toEqual({
    id: 9,
    group: true,
  });
});

test("names are compared without case and accents", () => {
  expect(folded("Émile\u202e STRASSE")).toBe("emile strasse");
});
