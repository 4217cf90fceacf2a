// The keyboard map: one table for the handler and for the list that `?` shows.
//
// Ctrl+Shift+N, which other clients use for a new conversation, opens a private window in most browsers and
// never reaches a page. Alt+Shift+N does.
import type { Messages } from "../i18n/en.ts";

export type Command = "help" | "search" | "create" | "previous" | "next" | "region" | "regionBack";

type Label = Exclude<keyof Messages["shortcuts"], "keys">;

export interface Shortcut {
  readonly label: Label;
  /** Alternatives, each a list of keys pressed together, as shown. */
  readonly keys: readonly (readonly string[])[];
}

export interface ShortcutGroup {
  readonly title: Label;
  readonly shortcuts: readonly Shortcut[];
}

export const SHORTCUTS: readonly ShortcutGroup[] = [
  {
    title: "everywhere",
    shortcuts: [
      { label: "help", keys: [["?"], ["Ctrl", "/"]] },
      { label: "search", keys: [["/"], ["Ctrl", "K"]] },
      { label: "create", keys: [["Alt", "Shift", "N"]] },
      { label: "previous", keys: [["Alt", "↑"]] },
      { label: "next", keys: [["Alt", "↓"]] },
      { label: "region", keys: [["F6"]] },
      { label: "regionBack", keys: [["Shift", "F6"]] },
      { label: "escape", keys: [["Esc"]] },
    ],
  },
  {
    title: "composer",
    shortcuts: [
      { label: "send", keys: [["Enter"]] },
      { label: "newLine", keys: [["Shift", "Enter"]] },
      { label: "editLast", keys: [["↑"]] },
    ],
  },
  {
    title: "message",
    shortcuts: [
      { label: "move", keys: [["↑"], ["↓"]] },
      { label: "actions", keys: [["Enter"], ["Shift", "F10"]] },
      { label: "reply", keys: [["R"]] },
      { label: "edit", keys: [["E"]] },
      { label: "remove", keys: [["Del"]] },
    ],
  },
];

export type Stroke = Pick<
  KeyboardEvent,
  "key" | "code" | "ctrlKey" | "metaKey" | "altKey" | "shiftKey" | "isComposing"
>;

/** The command of a key press; `typing` if the focus is in a text field, where letters are text. */
export function commandOf(stroke: Stroke, typing: boolean): Command | null {
  if (stroke.isComposing) return null;
  if (stroke.key === "F6") return stroke.shiftKey ? "regionBack" : "region";
  if ((stroke.ctrlKey || stroke.metaKey) && !stroke.altKey) return withControl(stroke);
  if (stroke.altKey && !stroke.ctrlKey && !stroke.metaKey) return withAlt(stroke);
  if (typing || stroke.ctrlKey || stroke.metaKey || stroke.altKey) return null;
  if (stroke.key === "?") return "help";
  return stroke.key === "/" ? "search" : null;
}

function withControl({ key, shiftKey }: Stroke): Command | null {
  if (key === "/") return "help";
  return key.toLowerCase() === "k" && !shiftKey ? "search" : null;
}

function withAlt({ key, code, shiftKey }: Stroke): Command | null {
  // By its place on the keyboard: on a Mac, Option makes another character of the letter.
  if (shiftKey) return code === "KeyN" ? "create" : null;
  if (key === "ArrowUp") return "previous";
  return key === "ArrowDown" ? "next" : null;
}

/** Whether keys typed into this element are text. */
export function isTyping(element: Element | null): boolean {
  if (element instanceof HTMLInputElement)
    return !["checkbox", "radio", "button"].includes(element.type);
  return (
    element instanceof HTMLTextAreaElement ||
    element instanceof HTMLSelectElement ||
    (element instanceof HTMLElement && element.isContentEditable)
  );
}
