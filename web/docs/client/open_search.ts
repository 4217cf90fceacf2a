// Mounts the search in the place of its button and focuses it. Loaded by the first use.
import { flushSync, mount } from "svelte";

import Search from "./Search.svelte";

export function openSearch(slot: HTMLElement): void {
  // Two presses may have asked for it before it was loaded.
  if (slot.querySelector("input")) return;
  slot.replaceChildren();
  mount(Search, { target: slot });
  flushSync();
  slot.querySelector("input")?.focus();
}
