/** Typed events. A listener that throws does not keep the others from being called. */
import { guarded } from "./readable.js";

export class Emitter<Events> {
  readonly #listeners = new Map<keyof Events, Set<(event: never) => void>>();

  on<K extends keyof Events>(type: K, run: (event: Events[K]) => void): () => void {
    const listeners = this.#listeners.get(type) ?? new Set();
    this.#listeners.set(type, listeners);
    const listener = (event: Events[K]): void => run(event);
    listeners.add(listener);
    return () => listeners.delete(listener);
  }

  emit<K extends keyof Events>(type: K, event: Events[K]): void {
    for (const run of [...(this.#listeners.get(type) ?? [])]) {
      guarded(() => run(event as never));
    }
  }
}
