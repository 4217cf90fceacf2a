// Finds the texts with markup, and loads what formats them. Until that is there, a text is shown as it was typed.
type Formatter = typeof import("./formatted.ts");

/** A text without one of these is a plain paragraph. Most messages are. */
const MARKUP = /[*_~`<>[\]\\@]|:\/\/|www\.|^\s*([-+]|\d+[.)])\s|\n\s*\n/im;

let formatter = $state.raw<Formatter>();

/** Components that have called `formatterOf` follow. */
export async function loadFormatter(): Promise<void> {
  formatter = await import("./formatted.ts");
}

/** What formats `text`: nothing if it has no markup, or as long as the formatter is not loaded. */
export function formatterOf(text: string): Formatter | undefined {
  return MARKUP.test(text) ? formatter : undefined;
}
