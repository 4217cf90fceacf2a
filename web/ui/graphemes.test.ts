import { expect, test } from "vitest";

import { cut } from "./graphemes.ts";

const FAMILY = "👩‍👩‍👧‍👦";

test.each([
  ["abc", 3, "abc"],
  ["abcd", 3, "abc"],
  ["ab😀", 3, "ab"],
  ["ab😀c", 4, "ab😀"],
  ["abe\u0301", 3, "ab"],
  [`a${FAMILY}`, 6, "a"],
  ["🇩🇪🇫🇷", 6, "🇩🇪"],
  [`a${"\u0301".repeat(9)}`, 4, "a\u0301\u0301\u0301"],
  [`😀${"\u0301".repeat(9)}`, 1, ""],
])("%j cut to %d is %j", (text, most, expected) => {
  expect(cut(text, most)).toBe(expected);
});
