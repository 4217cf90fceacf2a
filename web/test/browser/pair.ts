// Two people with a browser for the tests of a file, and a new conversation of theirs before each test.
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, beforeEach } from "vitest";

import { createAccount, createConversation, freshName, launch, type Account } from "./harness.ts";

export let browser: Browser;
export let ann: Account;
export let bob: Account;
/** The conversation. */
export let id: number;
export let name: string;

/** Registers the hooks; the name of each conversation begins with `prefix`. */
export function usePair(prefix: string, annsNames: Parameters<typeof createAccount>[1] = {}): void {
  beforeAll(async () => {
    browser = await launch();
    ann = await createAccount("ann", annsNames);
    bob = await createAccount("bob");
  });
  afterAll(() => browser.close());
  beforeEach(async () => {
    name = freshName(prefix);
    id = (await createConversation(ann, [bob.id], name)).id;
  });
}
