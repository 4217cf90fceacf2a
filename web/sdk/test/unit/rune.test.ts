/** The adapter for Svelte, in an effect as components have them. */
import { flushSync } from "svelte";
import { toStore } from "svelte/store";
import { expect, test } from "vitest";
import { writable } from "../../src/readable.js";
import { rune } from "../../src/svelte.js";

test("an effect runs again when the value changes, and listens no longer than it lives", async () => {
  let listeners = 0;
  const value = writable(1);
  const counted = {
    get: value.get,
    subscribe: (run: (value: number) => void) => {
      listeners++;
      const stop = value.subscribe(run);
      return () => {
        listeners--;
        stop();
      };
    },
  };
  const current = rune(counted);
  const seen: number[] = [];
  // An effect that reads the value; `toStore` is one without a compiler.
  const stop = toStore(() => current.current).subscribe((read) => void seen.push(read));
  flushSync();
  for (const next of [2, 2, 3]) {
    value.set(next);
    flushSync();
  }
  expect([seen, listeners]).toEqual([[1, 2, 3], 1]);
  stop();
  await Promise.resolve();
  expect(listeners).toBe(0);
});
