/**
 * What one user has in storage, under `user/<id>/`. The outbox is written at once; what can be
 * read from the server again is written in batches.
 */
import type { ChatStorage, Clock, StorageChange } from "../platform/ports.js";
import { writable } from "../readable.js";

const IDLE_MS = 250;

export class UserStore {
  /** Whether the last write of the outbox succeeded. */
  readonly healthy = writable(true);
  readonly #pending = new Map<string, StorageChange>();
  #cancel: (() => void) | null = null;
  /** Settles when every write so far is done. */
  #written: Promise<unknown> = Promise.resolve();

  constructor(
    readonly storage: ChatStorage,
    readonly clock: Clock,
    readonly userId: number,
  ) {}

  /** The full key of a path, such as `outbox/7/…`. Numbers sort by value. */
  key(...parts: (string | number)[]): string {
    const path = parts.map((part) =>
      typeof part === "number" ? String(part).padStart(16, "0") : part,
    );
    return `user/${this.userId}/${path.join("/")}`;
  }

  async list<T>(...parts: (string | number)[]): Promise<(readonly [string, T])[]> {
    // Only this SDK writes below this prefix.
    const entries = await this.storage.list(`${this.key(...parts)}/`).catch(() => []);
    return entries as (readonly [string, T])[];
  }

  /** Writes now. Returns whether it will survive. */
  async write(changes: readonly StorageChange[]): Promise<boolean> {
    const writing = this.storage.write(changes).then(
      () => true,
      () => false,
    );
    this.#written = Promise.all([this.#written, writing]);
    const stored = await writing;
    this.healthy.set(stored);
    return stored && !this.storage.volatile;
  }

  /** Writes within a moment, together with other changes. A later change of a key replaces it. */
  later(changes: readonly StorageChange[]): void {
    for (const change of changes) this.#pending.set(change.key, change);
    this.#cancel ??= this.clock.after(IDLE_MS, () => void this.flush());
  }

  /** Resolves when everything is written, the outbox too. */
  async flush(): Promise<void> {
    this.#cancel?.();
    this.#cancel = null;
    const changes = [...this.#pending.values()];
    this.#pending.clear();
    // A cache that cannot be written is only slower after the next reload.
    if (changes.length) await this.storage.write(changes).catch(() => {});
    await this.#written;
  }
}
