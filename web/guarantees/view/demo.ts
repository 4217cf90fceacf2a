// What is loaded when the demonstration starts: the SDK, and everything that shows the two phones.
import { i18n } from "../i18n/index.ts";
import type { Account } from "../people/accounts.ts";
import { Refused } from "../result.ts";
import { Store } from "./store.svelte.ts";

export { default as Main } from "./Main.svelte";
export type { Store } from "./store.svelte.ts";

/** Starts with two logins, or with new accounts. Returns what went wrong, as a sentence. */
export async function begin(
  accounts: readonly [Account, Account] | null,
): Promise<Store | { readonly wrong: string }> {
  const store = new Store();
  try {
    await store.start(accounts);
    return store;
  } catch (error) {
    // The next start makes everything again. Phones that are logged in would go on connecting.
    void store.demonstration.stop();
    if (!(error instanceof Refused)) throw error;
    return { wrong: i18n.t.start.failed(error.message) };
  }
}
