import type { ConversationSummary, User } from "@colloquy/sdk";
import { expect, test } from "vitest";

import { inviteLink, knownPeople, parsePerson, suggestPeople, unknownNumber } from "./people.ts";

const person = (id: number, username: string, first_name = ""): User => ({
  id,
  username,
  email: "",
  first_name,
  last_name: "",
});
const me = person(1, "me");
const ann = person(2, "ann", "Änne");
const bob = person(3, "bob");

// Only the members count here.
const conversation = (...participants: User[]) =>
  ({ participants }) as unknown as ConversationSummary;

test("known people are those of the conversations, once, without oneself", () => {
  expect(knownPeople([conversation(me, ann), conversation(me, bob, ann)], 1)).toEqual([ann, bob]);
});

test("a link leads back to its number", () => {
  const link = inviteLink("https://chat.example.com", 12);
  expect(link).toBe("https://chat.example.com/#/new/12");
  expect(parsePerson(link)).toBe(12);
});

test.each([
  ["12", 12],
  [" #12 ", 12],
  ["http://127.0.0.1:8000/#/new/7/", 7],
  ["0", null],
  ["ann", null],
  ["https://chat.example.com/#/c/7", null],
  ["", null],
])("%j is person %j", (text, expected) => expect(parsePerson(text)).toBe(expected));

test("people are suggested by the beginnings of their names, those chosen are left out", () => {
  expect(suggestPeople([ann, bob], "anne", [])).toEqual([ann]);
  expect(suggestPeople([ann, bob], "", [2])).toEqual([bob]);
});

test("the server's answer to an unknown number is understood", () => {
  expect(unknownNumber('Invalid pk "99" - object does not exist.')).toBe("99");
  expect(unknownNumber("This field is required.")).toBeNull();
});
