// The clock of one phone. It runs with the clock of the page, and can be moved ahead, so that no visitor waits
// half a minute for a heartbeat. A clock that jumps is a fault of its own, which a client must survive.
import type { Clock } from "@colloquy/sdk";

interface Timer {
  readonly due: number;
  readonly run: () => void;
  handle: ReturnType<typeof setTimeout> | undefined;
}

export class PhoneClock implements Clock {
  #aheadMs = 0;
  readonly #timers = new Set<Timer>();

  now(): number {
    return Date.now() + this.#aheadMs;
  }

  after(ms: number, run: () => void): () => void {
    const timer: Timer = { due: this.now() + ms, run, handle: undefined };
    this.#timers.add(timer);
    this.#arm(timer);
    return () => this.#remove(timer);
  }

  /** Moves the clock ahead. Timers that are due now run at once, in the order of their times. */
  skip(ms: number): void {
    this.#aheadMs += ms;
    const byTime = [...this.#timers].sort((a, b) => a.due - b.due);
    for (const timer of byTime) {
      // One that ran before it may have cancelled it.
      if (!this.#timers.has(timer)) continue;
      if (timer.due <= this.now()) this.#fire(timer);
      else this.#arm(timer);
    }
  }

  #arm(timer: Timer): void {
    clearTimeout(timer.handle);
    timer.handle = setTimeout(() => this.#fire(timer), Math.max(0, timer.due - this.now()));
  }

  #fire(timer: Timer): void {
    this.#remove(timer);
    timer.run();
  }

  #remove(timer: Timer): void {
    clearTimeout(timer.handle);
    this.#timers.delete(timer);
  }
}
