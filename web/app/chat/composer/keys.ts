// What the Enter key does in a text field.

export interface KeyPress {
  readonly key: string;
  readonly keyCode: number;
  readonly isComposing: boolean;
  readonly shiftKey: boolean;
  readonly ctrlKey: boolean;
  readonly metaKey: boolean;
  readonly altKey: boolean;
}

export type SendKey = "enter" | "ctrl-enter";

/**
 * Whether a key belongs to an input method, which uses Enter, Escape and the arrows to choose a candidate.
 * Safari reports the last key after the composition has ended, with the code 229.
 */
export function isComposing(event: KeyPress): boolean {
  return event.isComposing || event.keyCode === 229;
}

/** On touch screens Enter breaks the line, since their keyboards have no Shift+Enter. */
export function sends(event: KeyPress, sendKey: SendKey, touch: boolean): boolean {
  if (event.key !== "Enter" || isComposing(event) || event.altKey) return false;
  if (event.ctrlKey || event.metaKey) return true;
  return sendKey === "enter" && !touch && !event.shiftKey;
}
