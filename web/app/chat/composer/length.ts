// How long a text is beside the limit of the server, which counts code points.

/** The counter appears at this share of the limit. */
const SHOWN_FROM = 0.9;

export interface Length {
  /** What is left; negative if the text is too long. `null` while the counter is hidden. */
  readonly left: number | null;
  readonly tooLong: boolean;
}

const HIDDEN: Length = { left: null, tooLong: false };

export function measure(text: string, limit: number | null): Length {
  if (limit === null) return HIDDEN;
  const least = Math.ceil(limit * SHOWN_FROM);
  // A text has at most as many code points as code units, so most are not counted.
  if (text.length < least) return HIDDEN;
  const length = codePoints(text);
  return length < least ? HIDDEN : { left: limit - length, tooLong: length > limit };
}

function codePoints(text: string): number {
  let count = 0;
  for (const _ of text) count++;
  return count;
}

/** The server refuses a text of white space, control and ignorable characters only. */
export function isVisible(text: string): boolean {
  return /[^\s\p{Cc}\p{Default_Ignorable_Code_Point}]/u.test(text);
}
