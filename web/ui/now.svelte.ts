// The time of day for texts that grow old, such as "5m ago". It ticks only while something shows it.
import { createSubscriber } from "svelte/reactivity";

const TICK_MS = 20_000;

const subscribe = createSubscriber((update) => {
  const timer = setInterval(update, TICK_MS);
  return () => clearInterval(timer);
});

/** Now, in a template or an effect: what reads it is updated every few seconds. */
export function now(): Date {
  subscribe();
  return new Date();
}
