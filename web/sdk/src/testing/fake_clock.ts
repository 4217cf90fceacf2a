/** A clock whose time is fixed until it is advanced. */
import type { Clock } from "../platform/ports.js";

interface Timer {
  at: number;
  order: number;
  run: () => void;
}

export class FakeClock implements Clock {
  #now: number;
  #order = 0;
  readonly #timers = new Set<Timer>();

  constructor(now = Date.UTC(2026, 0, 1)) {
    this.#now = now;
  }

  now(): number {
    return this.#now;
  }

  after(ms: number, run: () => void): () => void {
    const timer = { at: this.#now + Math.max(0, ms), order: this.#order++, run };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** Timers that have not fired. */
  get pending(): number {
    return this.#timers.size;
  }

  /** Runs everything that is due within `ms`, in order, and lets promises settle in between. */
  async advance(ms: number): Promise<void> {
    const until = this.#now + ms;
    do await settle();
    while (this.#fire(until));
    this.#now = Math.max(this.#now, until);
  }

  /** Advances until `done`, at most `ms`. Throws if it does not come. */
  async until(done: () => boolean, ms = 600_000): Promise<void> {
    const until = this.#now + ms;
    for (await settle(); !done(); await settle()) {
      if (!this.#fire(until)) throw new Error(`not reached within ${ms} ms of the fake clock`);
    }
  }

  /** Lets time pass without firing timers, as a suspended page sees it. */
  sleep(ms: number): void {
    this.#now += ms;
  }

  /** Sets the time of day, forward or back by `ms`. Timers keep their distance. */
  jump(ms: number): void {
    this.#now += ms;
    for (const timer of this.#timers) timer.at += ms;
  }

  /** Fires the earliest timer that is due until then. Returns whether there was one. */
  #fire(until: number): boolean {
    let next: Timer | null = null;
    for (const timer of this.#timers) {
      if (timer.at > until) continue;
      if (!next || timer.at < next.at || (timer.at === next.at && timer.order < next.order)) {
        next = timer;
      }
    }
    if (!next) return false;
    // A timer that slept fires now, not in the past.
    this.#now = Math.max(this.#now, next.at);
    this.#timers.delete(next);
    next.run();
    return true;
  }
}

/** Lets every promise that can settle without a timer settle. */
export function settle(): Promise<void> {
  const { setImmediate } = globalThis as { setImmediate?: (run: () => void) => void };
  return new Promise((resolve) => {
    if (setImmediate) return setImmediate(resolve);
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}
