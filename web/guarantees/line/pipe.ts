// One direction of a connection. Like TCP it keeps the order and loses nothing in the middle: what it is
// given arrives at once, late, or when the line is open again.

/** What all pipes of a line have in common. */
export interface Passage {
  readonly open: boolean;
  readonly delayMs: number;
}

interface Delivery {
  readonly due: number;
  readonly run: () => void;
}

export class Pipe {
  #queue: Delivery[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(readonly passage: Passage) {}

  /** Whether the next delivery waits for something. */
  get waits(): boolean {
    return !this.passage.open || this.#queue.length > 0 || this.passage.delayMs > 0;
  }

  push(run: () => void): void {
    this.#queue.push({ due: Date.now() + this.passage.delayMs, run });
    this.pump();
  }

  /** Delivers what may pass. Called again when the line changes. */
  pump(): void {
    clearTimeout(this.#timer);
    while (this.passage.open) {
      const [next] = this.#queue;
      if (!next) return;
      const waitMs = next.due - Date.now();
      if (waitMs > 0) {
        this.#timer = setTimeout(() => this.pump(), waitMs);
        return;
      }
      this.#queue.shift();
      next.run();
    }
  }

  /** Loses everything that has not arrived. */
  clear(): void {
    clearTimeout(this.#timer);
    this.#queue = [];
  }
}
