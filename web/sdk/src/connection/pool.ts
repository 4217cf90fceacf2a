/**
 * Which conversations have a socket: those that are held, those with messages to send, and those
 * released a moment ago, up to a limit.
 */
import type { Clock } from "../platform/ports.js";
import type { Release } from "../types.js";

export interface Poolable {
  connect(): void;
  disconnect(): void;
}

interface Entry {
  holders: number;
  waiting: boolean;
  /** The order of the last hold: the newest wins. */
  used: number;
  connected: boolean;
  cancelLinger: (() => void) | null;
}

export class Pool {
  readonly #entries = new Map<number, Entry>();
  #clockwork = 0;
  #running = false;

  constructor(
    readonly clock: Clock,
    readonly most: number,
    readonly lingerMs: number,
    readonly stream: (id: number) => Poolable,
  ) {}

  hold(id: number): Release {
    const entry = this.#entry(id);
    entry.holders++;
    entry.used = ++this.#clockwork;
    this.#endLinger(entry);
    this.#update();
    let released = false;
    return () => {
      if (released) return;
      released = true;
      entry.holders--;
      if (entry.holders === 0) this.#linger(entry);
      this.#update();
    };
  }

  /** Whether the conversation has messages to send. */
  waiting(id: number, waiting: boolean): void {
    if (!waiting && !this.#entries.has(id)) return;
    const entry = this.#entry(id);
    if (entry.waiting === waiting) return;
    entry.waiting = waiting;
    if (!waiting && entry.holders === 0) this.#linger(entry);
    this.#update();
  }

  start(): void {
    this.#running = true;
    this.#update();
  }

  stop(): void {
    this.#running = false;
    for (const entry of this.#entries.values()) this.#endLinger(entry);
    this.#update();
  }

  /** The held conversations that have a socket. */
  held(): number[] {
    return [...this.#entries].filter(([, entry]) => entry.holders > 0).map(([id]) => id);
  }

  #entry(id: number): Entry {
    let entry = this.#entries.get(id);
    if (!entry) {
      entry = { holders: 0, waiting: false, used: 0, connected: false, cancelLinger: null };
      this.#entries.set(id, entry);
    }
    return entry;
  }

  /** A conversation that was left is often opened again: its socket stays for a while. */
  #linger(entry: Entry): void {
    this.#endLinger(entry);
    if (!this.#running || !entry.connected) return;
    entry.cancelLinger = this.clock.after(this.lingerMs, () => {
      entry.cancelLinger = null;
      this.#update();
    });
  }

  #endLinger(entry: Entry): void {
    entry.cancelLinger?.();
    entry.cancelLinger = null;
  }

  #update(): void {
    const wanted = [...this.#entries]
      .filter(([, entry]) => this.#running && rank(entry) > 0)
      .sort(([, a], [, b]) => rank(b) - rank(a) || b.used - a.used)
      .slice(0, this.most);
    const chosen = new Set(wanted.map(([id]) => id));
    const changed = [...this.#entries].filter(([id, entry]) => entry.connected !== chosen.has(id));
    // Marked first: connecting may come back here.
    for (const [, entry] of changed) entry.connected = !entry.connected;
    for (const [id, entry] of changed) {
      if (entry.connected) this.stream(id).connect();
      else this.stream(id).disconnect();
    }
  }
}

const rank = (entry: Entry): number =>
  entry.holders > 0 ? 3 : entry.waiting ? 2 : entry.cancelLinger ? 1 : 0;
