/** Named timers of one owner: at most one of each name runs, and all end together. */
import type { Clock } from "./ports.js";

export class Timers<Name extends string> {
  readonly #cancels = new Map<Name, () => void>();

  constructor(
    readonly clock: Clock,
    readonly fired: (name: Name, lateMs: number) => void,
  ) {}

  /** Starts the timer, again if it runs. */
  set(name: Name, ms: number): void {
    this.cancel(name);
    const due = this.clock.now() + ms;
    const cancel = this.clock.after(ms, () => {
      this.#cancels.delete(name);
      this.fired(name, this.clock.now() - due);
    });
    this.#cancels.set(name, cancel);
  }

  has(name: Name): boolean {
    return this.#cancels.has(name);
  }

  cancel(name: Name): void {
    this.#cancels.get(name)?.();
    this.#cancels.delete(name);
  }

  clear(): void {
    for (const cancel of this.#cancels.values()) cancel();
    this.#cancels.clear();
  }
}
