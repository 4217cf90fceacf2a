// What an avatar shows without an image: initials of the name and a colour of the id.
import { graphemes } from "./graphemes.ts";

/** How many colours Avatar.svelte has. */
export const HUES = 8;

/** The same id has the same colour everywhere, and neighbouring ids differ. */
export function hueOf(id: number): number {
  // Knuth's multiplicative hash; its upper three bits are the well mixed ones.
  return Math.imul(id, 0x9e3779b1) >>> 29;
}

/** The first visible letter of the first and the last word: "Ann-Kathrin Berg" is "AB". */
export function initials(name: string): string {
  const words = name
    .split(/[\s._@+-]+/u)
    .filter((word) => /[\p{L}\p{N}\p{Extended_Pictographic}]/u.test(word));
  const first = words[0];
  const last = words.length > 1 ? words.at(-1) : undefined;
  const letters = [first, last].map((word) => (word ? firstLetter(word) : "")).join("");
  return letters.toLocaleUpperCase() || "?";
}

/** A letter may be several code points: a base with accents, or an emoji of a family. */
function firstLetter(word: string): string {
  for (const { segment } of graphemes.segment(word)) {
    if (/[\p{L}\p{N}\p{Extended_Pictographic}]/u.test(segment)) return segment;
  }
  return "";
}
