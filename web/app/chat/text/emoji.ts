// Messages of one to three emoji and nothing else, which are shown large.
import { graphemes } from "../../../ui/graphemes.ts";

const MAX_EMOJI = 3;
/** Longer texts are no three emoji: the longest, a family with skin tones, has 41 code units. */
const MAX_LENGTH = 128;

// A digit is an emoji for Unicode only with a keycap. A flag is a pair of regional indicators.
const EMOJI = /^(\p{Extended_Pictographic}|\p{Regional_Indicator}{2}|[0-9#*]\uFE0F?\u20E3)/u;
/** Symbols such as © are pictographs that are text by default. */
const AS_EMOJI = /\p{Emoji_Presentation}|\uFE0F|\u20E3/u;

export function isEmojiOnly(text: string): boolean {
  // Most texts begin with a letter. Dividing them into graphemes costs more than the rest of their row.
  if (text.length > MAX_LENGTH || !EMOJI.test(text.trimStart())) return false;
  const parts = [...graphemes.segment(text.replace(/\s/gu, ""))].map(({ segment }) => segment);
  return (
    parts.length > 0 &&
    parts.length <= MAX_EMOJI &&
    parts.every((part) => EMOJI.test(part) && AS_EMOJI.test(part))
  );
}
