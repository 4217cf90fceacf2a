// The parts of the client that are not shown first. They are loaded when the browser is idle, so that they open at
// once, and also while the line is down.
import { toasts } from "../../ui/toasts.svelte.ts";
import { loadFormatter } from "../chat/text/markup.svelte.ts";
import { i18n } from "../i18n/index.ts";

/** Pages and dialogs of the shell. */
export const loadPages = () => import("./later.ts");
const chat = () => import("../chat/later.ts");
/** The details of a conversation. */
export const loadDetails = () => import("../chat/details/Details.svelte");

/** Each part as a promise. If it cannot be loaded, a toast says so, and the promise stays open. */
export const parts = {
  shell: () => orSay(loadPages()),
  chat: () => orSay(chat()),
};

/** What cannot be loaded now is loaded by the next call, or when it is shown. */
export async function prefetch(): Promise<void> {
  // Safari has no idle callback.
  await new Promise<unknown>((idle) => (globalThis.requestIdleCallback ?? setTimeout)(idle));
  await Promise.allSettled([loadFormatter(), loadPages(), chat(), loadDetails()]);
}

function orSay<T>(part: Promise<T>): Promise<T> {
  return part.catch(() => {
    toasts.show(i18n.t.errors.network);
    return new Promise<never>(() => {});
  });
}
