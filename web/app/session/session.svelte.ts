// Who is logged in in this browser, and where a person wanted to go before logging in.
//
// The client of a login lives with the signed-in page (`session/client.ts`); this module is what the first
// page needs to load before anybody has logged in.
import {
  forgetUser,
  passwordTokens,
  type ChatStorage,
  type PasswordTokens,
  type RegisterRequest,
  type Result,
  type User,
} from "@colloquy/sdk";
import { indexedDbStorage } from "@colloquy/sdk/indexeddb";

import type { Route } from "../routing/routes.ts";

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
  #loggingOut = false;

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

  /** Ends the login and removes what this browser has stored for the user. */
  async logOut(user: User): Promise<void> {
    this.#loggingOut = true;
    this.wanted = null;
    // Ends the client at once, so that it writes nothing after the removal. The server may be away.
    const ended = this.tokens.logout();
    // If the storage fails now, it has failed before: then there is little to remove.
    await forgetUser(this.storage, user.id).catch(() => undefined);
    await ended;
    this.#loggingOut = false;
  }

  #changed(user: User | null): void {
    if (user) {
      this.#state = { name: "signed-in", user };
      return;
    }
    const ended = this.#state.name === "signed-in" && !this.#loggingOut;
    this.#state = { name: "signed-out", ended };
  }
}

export const session = new Session();
