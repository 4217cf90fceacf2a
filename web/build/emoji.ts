// The emoji of the picker, taken from the package `emojibase-data`: symbol, name and search words, by group.
// Pages import `virtual:emoji/<language>` lazily. Skin tones and hex codes are left out: they are more than
// half of the data.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { Plugin } from "vite";

import type { EmojiGroup } from "../app/chat/emoji/types.ts";

const VIRTUAL = /^virtual:emoji\/(en|de)$/;
const RESOLVED = /^\0virtual:emoji\/(en|de)$/;

/** The groups of emojibase by their number. 2 has the parts of other emoji. */
const GROUPS = new Map([
  [0, "smileys"],
  [1, "people"],
  [3, "nature"],
  [4, "food"],
  [5, "travel"],
  [6, "activities"],
  [7, "objects"],
  [8, "symbols"],
  [9, "flags"],
] as const);

interface Compact {
  readonly unicode: string;
  readonly label: string;
  readonly group?: number;
  readonly order?: number;
  readonly tags?: readonly string[];
}

export function emojiGroups(language: string): EmojiGroup[] {
  const file = createRequire(import.meta.url).resolve(`emojibase-data/${language}/compact.json`);
  // The package defines the shape.
  const all = JSON.parse(readFileSync(file, "utf8")) as Compact[];
  const sorted = [...all].sort((a, b) => (a.order ?? 0) - (b.order ?? 0));
  return [...GROUPS].map(([number, key]) => [
    key,
    sorted
      .filter(({ group }) => group === number)
      .map(({ unicode, label, tags = [] }) => [unicode, label, tags.join(" ")]),
  ]);
}

export function emojiPlugin(): Plugin {
  return {
    name: "colloquy-emoji",
    resolveId: (id) => (VIRTUAL.test(id) ? `\0${id}` : null),
    load(id) {
      const language = RESOLVED.exec(id)?.[1];
      if (language === undefined) return null;
      // One string that is parsed as JSON is faster to load than a literal of arrays.
      return `export default JSON.parse(${JSON.stringify(JSON.stringify(emojiGroups(language)))});`;
    },
  };
}
