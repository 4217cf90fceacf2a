// The one thing that corrects the scroll position. Whatever changes above or below the text a person reads
// (older messages, a late image, an edited text, a growing composer), this text stays where it is. At the
// end of the timeline, the end stays instead.
//
// It measures through `Viewport`, so that its logic runs without a browser.

export interface Viewport {
  /** How far it is scrolled, its height, and the height of its content, in pixels. */
  readonly top: number;
  readonly height: number;
  readonly content: number;
  /** The first visible rows, from top to bottom. */
  visible(): readonly Place[];
  /** The distance of a row's upper edge from the viewport's; `null` if it is not rendered. */
  offsetOf(key: string): number | null;
  scrollBy(pixels: number): void;
}

export interface Place {
  readonly key: string;
  readonly offset: number;
}

/** Closer than this to the end is at the end. */
const END_PX = 80;

export class ScrollAnchor {
  #places: readonly Place[] = [];
  #atEnd = true;

  constructor(private readonly viewport: Viewport) {}

  /** The end is on the screen and stays there. */
  get atEnd(): boolean {
    return this.#atEnd;
  }

  /** The visible rows of which the first stays where it is; empty at the end. */
  get places(): readonly Place[] {
    return this.#places;
  }

  /**
   * Remembers what is on the screen, after a person scrolled. `complete`: nothing follows the last row, so
   * its end is the end of the conversation.
   */
  hold(complete: boolean): void {
    const { top, height, content } = this.viewport;
    this.#atEnd = complete && content - height - top < END_PX;
    this.#places = this.#atEnd ? [] : this.viewport.visible();
  }

  /** Goes to the end, and stays there. */
  holdEnd(): void {
    this.#atEnd = true;
    this.#places = [];
    this.restore();
  }

  /** Puts a row at a distance from the upper edge, and keeps it there. */
  holdRow(key: string, offset: number): void {
    this.#atEnd = false;
    this.#places = [{ key, offset }];
    this.restore();
  }

  /** Moves the content back to where it was held. Call it in the task of the change. */
  restore(): void {
    const distance = this.#atEnd ? this.#toEnd() : this.#toPlace();
    if (distance !== 0) this.viewport.scrollBy(distance);
  }

  #toEnd(): number {
    const { top, height, content } = this.viewport;
    return Math.max(0, content - height - top);
  }

  #toPlace(): number {
    // The first row may be gone (deleted, trimmed): then the next one that is still there.
    for (const { key, offset } of this.#places) {
      const now = this.viewport.offsetOf(key);
      if (now !== null) return now - offset;
    }
    this.#places = this.viewport.visible();
    return 0;
  }
}
