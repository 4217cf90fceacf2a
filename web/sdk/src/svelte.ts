/**
 * The entry `@colloquy/sdk/svelte`: values of the SDK as reactive state. A `Readable` is a Svelte
 * store already (`$value`); `rune` is for code that uses runes.
 */
import { createSubscriber } from "svelte/reactivity";
import type { Readable } from "./readable.js";

/** `current` is reactive in effects, derived values and templates. */
export function rune<T>(readable: Readable<T>): { readonly current: T } {
  const subscribe = createSubscriber((update) => {
    // `subscribe` calls at once; an update while the effect starts would start it again.
    let started = false;
    const stop = readable.subscribe(() => {
      if (started) update();
    });
    started = true;
    return stop;
  });
  return {
    get current() {
      subscribe();
      return readable.get();
    },
  };
}
