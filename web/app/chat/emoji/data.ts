// The emoji of the picker: loaded when it opens, searched by name and words, and those used last.
import { folded } from "../../people/names.ts";
import type { Emoji, EmojiGroup } from "./types.ts";

const MAX_RESULTS = 64;
const MAX_RECENT = 24;
const RECENT_KEY = "colloquy.emoji";

export async function loadEmoji(language: string): Promise<readonly EmojiGroup[]> {
  const module =
    language === "de" ? await import("virtual:emoji/de") : await import("virtual:emoji/en");
  return module.default;
}

/** Emoji with a word that begins with every word of the query; those named so come first. */
export function searchEmoji(groups: readonly EmojiGroup[], query: string): readonly Emoji[] {
  const wanted = folded(query).split(/\s+/).filter(Boolean);
  if (wanted.length === 0) return [];
  const named: Emoji[] = [];
  const tagged: Emoji[] = [];
  for (const emoji of groups.flatMap(([, list]) => list)) {
    if (matches(emoji[1], wanted)) named.push(emoji);
    else if (matches(`${emoji[1]} ${emoji[2]}`, wanted)) tagged.push(emoji);
  }
  return [...named, ...tagged].slice(0, MAX_RESULTS);
}

function matches(text: string, wanted: readonly string[]): boolean {
  const words = folded(text).split(/[\s:,-]+/);
  return wanted.every((start) => words.some((word) => word.startsWith(start)));
}

/** The emoji used last, newest first. */
export function recentEmoji(): readonly string[] {
  try {
    const stored: unknown = JSON.parse(localStorage.getItem(RECENT_KEY) ?? "[]");
    return Array.isArray(stored) ? stored.filter((one) => typeof one === "string") : [];
  } catch {
    return [];
  }
}

export function rememberEmoji(symbol: string): void {
  const recent = [symbol, ...recentEmoji().filter((one) => one !== symbol)].slice(0, MAX_RECENT);
  try {
    localStorage.setItem(RECENT_KEY, JSON.stringify(recent));
  } catch {
    // Without storage nothing is remembered.
  }
}
