// The shape of the emoji data, which the build makes (`build/emoji.ts`) and the picker shows.

export type GroupKey =
  | "smileys"
  | "people"
  | "nature"
  | "food"
  | "travel"
  | "activities"
  | "objects"
  | "symbols"
  | "flags";

/** The symbol, its name, and words to find it by. As short as possible, since there are two thousand. */
export type Emoji = readonly [symbol: string, name: string, words: string];

export type EmojiGroup = readonly [key: GroupKey, emoji: readonly Emoji[]];
