// What a reader sees as one character: a letter with its accents, or an emoji of several code points.

export const graphemes = new Intl.Segmenter(undefined, { granularity: "grapheme" });

/** The beginning of a text, at most so many code units. It ends where a character ends. */
export function cut(text: string, most: number): string {
  if (text.length <= most) return text;
  // One character may be longer than the whole excerpt, such as a letter with hundreds of accents.
  const end = graphemes.segment(text).containing(most)?.index || most;
  return text.slice(0, end).replace(/\p{Surrogate}$/u, "");
}
