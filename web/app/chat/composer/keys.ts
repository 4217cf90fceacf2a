// What the Enter key does in a text field.
import { isComposing } from "../../../ui/ime.ts";

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

/** On touch screens Enter breaks the line, since their keyboards have no Shift+Enter. */
export function sends(event: KeyPress, sendKey: SendKey, touch: boolean): boolean {
  if (event.key !== "Enter" || isComposing(event) || event.altKey) return false;
  if (event.ctrlKey || event.metaKey) return true;
  return sendKey === "enter" && !touch && !event.shiftKey;
}
