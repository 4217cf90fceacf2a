// Names within a sentence. They may hold direction controls, which must not reorder the text beside them.

const FIRST_STRONG_ISOLATE = "\u2068";
const POP_DIRECTIONAL_ISOLATE = "\u2069";

/** For plain text; in markup `<bdi>` does the same. */
export const isolate = (name: string): string =>
  FIRST_STRONG_ISOLATE + name + POP_DIRECTIONAL_ISOLATE;
