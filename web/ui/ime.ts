// Input methods, such as those of Japanese: while one is open, Enter, Escape and the arrows choose a candidate.

/**
 * Whether a key belongs to an input method. Safari reports the last key after the composition has ended, with the
 * code 229.
 */
export const isComposing = (event: Pick<KeyboardEvent, "isComposing" | "keyCode">): boolean =>
  event.isComposing || event.keyCode === 229;
