import { expect, test } from "vitest";

import { commandOf, type Stroke } from "./shortcuts.ts";

const press = (key: string, more: Partial<Stroke> = {}): Stroke => ({
  key,
  code: "",
  ctrlKey: false,
  metaKey: false,
  altKey: false,
  shiftKey: false,
  isComposing: false,
  ...more,
});

test.each([
  [press("?", { shiftKey: true }), "help"],
  [press("/", { ctrlKey: true }), "help"],
  [press("/"), "search"],
  [press("k", { ctrlKey: true }), "search"],
  [press("k", { metaKey: true }), "search"],
  [press("˜", { code: "KeyN", altKey: true, shiftKey: true }), "create"],
  [press("ArrowUp", { altKey: true }), "previous"],
  [press("ArrowDown", { altKey: true }), "next"],
  [press("F6"), "region"],
  [press("F6", { shiftKey: true }), "regionBack"],
  [press("k"), null],
  [press("K", { ctrlKey: true, shiftKey: true }), null],
  // AltGr is Ctrl+Alt on Windows and writes characters.
  [press("/", { ctrlKey: true, altKey: true }), null],
])("%j is %s", (stroke, command) => expect(commandOf(stroke, false)).toBe(command));

test("characters typed into a field are text, combinations still work there", () => {
  expect(commandOf(press("?"), true)).toBeNull();
  expect(commandOf(press("/"), true)).toBeNull();
  expect(commandOf(press("k", { ctrlKey: true }), true)).toBe("search");
  expect(commandOf(press("F6"), true)).toBe("region");
});

test("a key that belongs to an input method is no shortcut", () => {
  expect(commandOf(press("k", { ctrlKey: true, isComposing: true }), true)).toBeNull();
});
