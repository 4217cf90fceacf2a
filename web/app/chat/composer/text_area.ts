// The text area of the composer as an object: inserts at the caret, and grows with its text.

/** Puts text in place of the selection, as typing would: the browser can undo it. */
export function insertText(area: HTMLTextAreaElement, text: string): void {
  area.focus();
  // `execCommand` is the only way that keeps the undo history; it is deprecated and in every browser.
  if (!document.execCommand("insertText", false, text)) {
    area.setRangeText(text, area.selectionStart, area.selectionEnd, "end");
    area.dispatchEvent(new Event("input", { bubbles: true }));
  }
}

/** Replaces the text from `start` to the caret. */
export function replaceBeforeCaret(area: HTMLTextAreaElement, start: number, text: string): void {
  area.setSelectionRange(start, area.selectionEnd);
  insertText(area, text);
}

const grows = typeof CSS !== "undefined" && CSS.supports("field-sizing", "content");

/** For browsers without `field-sizing`. The limit of the height is in the style. */
export function fitHeight(area: HTMLTextAreaElement): void {
  if (grows) return;
  area.style.blockSize = "auto";
  area.style.blockSize = `${area.scrollHeight}px`;
}
