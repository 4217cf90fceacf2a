// The client of the login of this page: what only the signed-in page loads.
import { createClient, type Client, type User } from "@colloquy/sdk";
import { createContext } from "svelte";

import type { Drafts } from "./drafts.ts";
import { session } from "./session.svelte.ts";

export interface SignedIn {
  readonly client: Client;
  readonly user: User;
  readonly drafts: Drafts;
}

/** What every part of the signed-in page may use. `Shell.svelte` provides it. */
export const [useSignedIn, provideSignedIn] = createContext<SignedIn>();

/** What fits a screen is rendered first, and no more than what is useful while messages arrive. */
const WINDOW = { firstRows: 30, followedRows: 60, windowRows: 120 };

export function openClient(): Client {
  const client = createClient({
    baseUrl: location.origin,
    tokens: session.tokens,
    storage: session.storage,
    limits: WINDOW,
  });
  client.start();
  return client;
}
