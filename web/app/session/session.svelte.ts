// Who is logged in in this browser, and where a person wanted to go before logging in.
//
// The client of a login lives with the signed-in page (`session/client.ts`); this module is what the first
// page needs to load before anybody has logged in.
import {
  countUnsent,
  forgetUser,
  passwordTokens,
  type ChatStorage,
  type Client,
  type PasswordTokens,
  type RegisterRequest,
  type Result,
  type User,
  type UserId,
} from "@colloquy/sdk";
import { indexedDbStorage } from "@colloquy/sdk/indexeddb";

import type { Route } from "../routing/routes.ts";
import { LogOuts } from "./log_outs.ts";

export type SessionState =
  | { readonly name: "starting" }
  /** `ended`: the login was ended elsewhere, or by the server. */
  | { readonly name: "signed-out"; readonly ended: boolean }
  | { readonly name: "signed-in"; readonly user: User };

class Session {
  readonly storage: ChatStorage = indexedDbStorage();
  readonly tokens: PasswordTokens;
  /** The page that was asked for without a login. */
  wanted = $state.raw<Route | null>(null);
  #state = $state.raw<SessionState>({ name: "starting" });
  readonly #logOuts = new LogOuts();

  constructor() {
    this.tokens = passwordTokens({ baseUrl: location.origin, storage: this.storage });
    void this.tokens.ready.then(() => this.tokens.user.subscribe((user) => this.#changed(user)));
  }

  get state(): SessionState {
    return this.#state;
  }

  logIn(username: string, password: string): Promise<Result<User>> {
    return this.tokens.login(username, password);
  }

  register(input: RegisterRequest): Promise<Result<User>> {
    return this.tokens.register(input);
  }

  /** How many unsent messages of all tabs a log-out removes, as far as storage can be read. */
  countUnsent(userId: UserId): Promise<number> {
    return countUnsent(this.storage, userId).catch(() => 0);
  }

  /** Ends the login and removes what this browser has stored for the user. */
  async logOut(user: User): Promise<void> {
    this.#logOuts.add(user.id);
    this.wanted = null;
    // Ends the client at once, so that it writes nothing after the removal. The server may be away.
    const ended = this.tokens.logout();
    await this.#forget(user.id);
    await ended;
  }

  /** Ends a client whose page is left. After a log-out, here or in another tab, nothing it has stored stays. */
  async close(client: Client, userId: UserId): Promise<void> {
    await client.stop();
    if (this.#logOuts.has(userId)) await this.#forget(userId);
  }

  /** If the storage fails now, it has failed before: then there is little to remove. */
  async #forget(userId: UserId): Promise<void> {
    await forgetUser(this.storage, userId).catch(() => undefined);
  }

  #changed(user: User | null): void {
    if (user) {
      this.#logOuts.remove(user.id);
      this.#state = { name: "signed-in", user };
      return;
    }
    const before = this.#state;
    const ended = before.name === "signed-in" && !this.#logOuts.has(before.user.id);
    this.#state = { name: "signed-out", ended };
  }
}

export const session = new Session();
