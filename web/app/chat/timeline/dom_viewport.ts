// The viewport of a timeline in the document: a scrolling element with rows that carry `data-key`.
import type { Place, Viewport } from "./anchor.ts";

/** Rows that are measured at each step of scrolling: the first of them is held, the others are in reserve. */
const MEASURED_ROWS = 4;

export class DomViewport implements Viewport {
  constructor(
    private readonly scroller: HTMLElement,
    /** Called before the position is corrected, to tell the correction from a person's scrolling. */
    private readonly correcting: (top: number) => void,
  ) {}

  get top(): number {
    return this.scroller.scrollTop;
  }

  get height(): number {
    return this.scroller.clientHeight;
  }

  get content(): number {
    return this.scroller.scrollHeight;
  }

  rows(): HTMLElement[] {
    return [...this.scroller.querySelectorAll<HTMLElement>("[data-key]")];
  }

  row(key: string): HTMLElement | undefined {
    return this.rows().find(({ dataset }) => dataset["key"] === key);
  }

  visible(): Place[] {
    const rows = this.rows();
    const edge = this.edge;
    const places: Place[] = [];
    for (let at = firstBelow(rows, edge); at < rows.length; at++) {
      const row = rows[at] as HTMLElement;
      const offset = row.getBoundingClientRect().top - edge;
      if (offset >= this.height || places.length === MEASURED_ROWS) break;
      places.push({ key: row.dataset["key"] ?? "", offset });
    }
    return places;
  }

  offsetOf(key: string): number | null {
    const row = this.row(key);
    return row ? row.getBoundingClientRect().top - this.edge : null;
  }

  scrollBy(pixels: number): void {
    // `scrollBy`, since a write of `scrollTop` is lost while a touch screen scrolls on by itself.
    this.scroller.scrollBy({ top: pixels, behavior: "instant" });
    this.correcting(this.scroller.scrollTop);
  }

  /** Where the upper edge is in the window. */
  get edge(): number {
    return this.scroller.getBoundingClientRect().top + this.scroller.clientTop;
  }
}

/** The index of the first row whose lower edge is below `edge`. The rows are in order. */
function firstBelow(rows: readonly HTMLElement[], edge: number): number {
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((rows[middle] as HTMLElement).getBoundingClientRect().bottom > edge) high = middle;
    else low = middle + 1;
  }
  return low;
}
