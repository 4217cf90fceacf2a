import { expect, test } from "vitest";

import { HUES, hueOf, initials } from "./avatar.ts";

test.each([
  ["Ann Berg", "AB"],
  ["ann", "A"],
  ["ann.berg", "AB"],
  ["Ludwig van Beethoven", "LB"],
  ["émile", "É"],
  ["e\u0301mile", "E\u0301"],
  ["山田太郎", "山"],
  ["👩‍👩‍👧 family", "👩‍👩‍👧F"],
  ["\u202eann", "A"],
  ["…", "?"],
  ["", "?"],
])("the initials of %j are %j", (name, expected) => {
  expect(initials(name)).toBe(expected);
});

test("colours are stable, in range, and use the whole palette", () => {
  const hues = Array.from({ length: 200 }, (_, id) => hueOf(id + 1));
  expect(hueOf(7)).toBe(hueOf(7));
  expect(hues.every((hue) => hue >= 0 && hue < HUES)).toBe(true);
  expect(new Set(hues.slice(0, 40)).size).toBe(HUES);
});
