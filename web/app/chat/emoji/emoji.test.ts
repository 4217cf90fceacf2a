import { gzipSync } from "node:zlib";
import { beforeAll, expect, test } from "vitest";

import { emojiGroups } from "../../../build/emoji.ts";
import { searchEmoji } from "./data.ts";
import type { EmojiGroup } from "./types.ts";

let english: EmojiGroup[];

beforeAll(() => void (english = emojiGroups("en")));

const symbols = (query: string) => searchEmoji(english, query).map(([symbol]) => symbol);

test("emoji are found by the start of words, their names first", () => {
  expect(symbols("party pop")).toContain("🎉");
  expect(symbols("heart")[0]).toMatch(/\p{Extended_Pictographic}/u);
  expect(symbols("THUMBS up")[0]).toBe("👍️");
  expect(symbols("adore")).toContain("🥰");
  expect(symbols("")).toEqual([]);
  expect(symbols("zzz party")).toEqual([]);
});

test("every group has emoji, in English and German, within the budget", () => {
  for (const groups of [english, emojiGroups("de")]) {
    expect(groups.every(([, list]) => list.length > 50)).toBe(true);
    expect(gzipSync(JSON.stringify(groups)).length).toBeLessThan(60_000);
  }
});
