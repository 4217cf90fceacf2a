/**
 * Observable values: the one way in which the SDK reports state.
 *
 * A `Readable` fits the store contract of Svelte and `useSyncExternalStore` of React as it is.
 * Values are immutable: a change sets a new value.
 */

export interface Readable<T> {
  /** The current value. */
  get(): T;
  /** Calls `run` with the current value at once and with every later one. Returns the way out. */
  subscribe(run: (value: T) => void): () => void;
}

export interface Writable<T> extends Readable<T> {
  /** Sets the value. Subscribers are not called if it is the same. */
  set(value: T): void;
}

export function writable<T>(initial: T): Writable<T> {
  let value = initial;
  const subscribers = new Set<(value: T) => void>();
  return {
    get: () => value,
    set(next) {
      if (Object.is(next, value)) return;
      value = next;
      for (const run of [...subscribers]) {
        // A subscriber has set another value: that one is reported already.
        if (!Object.is(next, value)) return;
        if (subscribers.has(run)) guarded(() => run(next));
      }
    },
    subscribe(run) {
      // A wrapper of its own, so that the same function may subscribe twice.
      const subscriber = (next: T): void => run(next);
      subscribers.add(subscriber);
      run(value);
      return () => subscribers.delete(subscriber);
    },
  };
}

/**
 * Calls a function of the application. What it throws is reported as its own error, and does not
 * end the work of the SDK.
 */
export function guarded(run: () => void): void {
  try {
    run();
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}
