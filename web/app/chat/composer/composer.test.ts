import { expect, test } from "vitest";

import { sends, type KeyPress } from "./keys.ts";
import { isVisible, measure } from "./length.ts";
import { complete, mentionedIn, mentionQuery, suggest, type Person } from "./mentions.ts";

const enter: KeyPress = {
  key: "Enter",
  keyCode: 13,
  isComposing: false,
  shiftKey: false,
  ctrlKey: false,
  metaKey: false,
  altKey: false,
};

test.each<[string, Partial<KeyPress>, "enter" | "ctrl-enter", boolean, boolean]>([
  ["Enter sends", {}, "enter", false, true],
  ["Shift+Enter breaks the line", { shiftKey: true }, "enter", false, false],
  ["Enter on a touch screen breaks the line", {}, "enter", true, false],
  ["Enter breaks the line if Ctrl+Enter sends", {}, "ctrl-enter", false, false],
  ["Ctrl+Enter sends", { ctrlKey: true }, "ctrl-enter", false, true],
  ["Command+Enter sends", { metaKey: true }, "enter", true, true],
  ["Enter that confirms a candidate does not send", { isComposing: true }, "enter", false, false],
  ["nor does the one Safari reports after it", { keyCode: 229 }, "enter", false, false],
  ["another key does not send", { key: "a", keyCode: 65 }, "enter", false, false],
])("%s", (_name, press, sendKey, touch, expected) => {
  expect(sends({ ...enter, ...press }, sendKey, touch)).toBe(expected);
});

test("the counter appears at 90 % and counts code points", () => {
  expect(measure("a".repeat(89), 100)).toEqual({ left: null, tooLong: false });
  expect(measure("a".repeat(90), 100)).toEqual({ left: 10, tooLong: false });
  expect(measure("😀".repeat(100), 100)).toEqual({ left: 0, tooLong: false });
  expect(measure("😀".repeat(60), 100)).toEqual({ left: null, tooLong: false });
  expect(measure("a".repeat(103), 100)).toEqual({ left: -3, tooLong: true });
  expect(measure("a".repeat(103), null)).toEqual({ left: null, tooLong: false });
});

test("a text of nothing visible is no message", () => {
  expect(["", " \n\t", "\u200b\u2060\ufe0f", "\u3164"].some(isVisible)).toBe(false);
  expect(["a", " . ", "😀", "\u200f!"].every(isVisible)).toBe(true);
});

const ann: Person = { id: 1, username: "ann", name: "Ann Émile Berg" };
const anna: Person = { id: 2, username: "anna.b", name: "anna.b" };
const people = [ann, anna];

test.each([
  ["@", 1, { start: 0, text: "" }],
  ["hi @an", 6, { start: 3, text: "an" }],
  ["(@an", 4, { start: 1, text: "an" }],
  ["@an and", 3, { start: 0, text: "an" }],
  ["mail@an", 7, null],
  ["@an ", 4, null],
])("the query in %j at %i is %j", (text, caret, expected) => {
  expect(mentionQuery(text, caret)).toEqual(expected);
});

test("members are found by the start of any word, without accents", () => {
  expect(suggest(people, "an")).toEqual([ann, anna]);
  expect(suggest(people, "emi")).toEqual([ann]);
  expect(suggest(people, "BERG")).toEqual([ann]);
  expect(suggest(people, "erg")).toEqual([]);
});

test("a chosen member replaces the query", () => {
  const query = mentionQuery("hi @an there", 6);
  expect(query && complete("hi @an there", query, anna)).toEqual({
    text: "hi @anna.b there",
    caret: 11,
  });
});

test("a text mentions whom it names as a whole word", () => {
  expect(mentionedIn("@ann, see @anna.b", people)).toEqual([1, 2]);
  expect(mentionedIn("@annabel x@ann ann", people)).toEqual([]);
  expect(mentionedIn("Ask @ann.", people)).toEqual([1]);
});

test("of two names that fit, a text mentions the longer one only", () => {
  const bert: Person = { id: 3, username: "anna", name: "anna" };
  expect(mentionedIn("@anna.b", [...people, bert])).toEqual([2]);
  expect(mentionedIn("@anna.b and @anna", [...people, bert])).toEqual([2, 3]);
});
