// A login that uses only REST, over the page's own line, which is never broken: the observer who reads the
// history, and the people who write while a phone is away.
import {
  passwordTokens,
  processLocks,
  SignedOutError,
  type ChatError,
  type PasswordTokens,
  type Result,
} from "@colloquy/sdk";
import { rest, type Http } from "@colloquy/sdk/rest";

import type { Line } from "../line/line.ts";
import type { Account } from "./accounts.ts";

export class RestUser {
  readonly #tokens: PasswordTokens;

  constructor(
    readonly account: Account,
    readonly line: Line,
  ) {
    this.#tokens = passwordTokens({
      baseUrl: location.origin,
      fetch: line.fetch,
      locks: processLocks(),
      channel: null,
    });
  }

  get id(): number {
    return this.#tokens.user.get()?.id ?? 0;
  }

  /** Creates the account and logs in with it. */
  async register(): Promise<Result<unknown>> {
    const { username, password } = this.account;
    const email = `${username}@example.com`;
    const made = await this.#tokens.register({ username, email, password });
    return made.ok ? this.logIn() : made;
  }

  logIn(): Promise<Result<unknown>> {
    return this.#tokens.login(this.account.username, this.account.password);
  }

  /** Makes a request, again with a new token if the one it has is too old. */
  async ask<T>(request: (http: Http) => Promise<Result<T>>): Promise<Result<T>> {
    const first = await this.#ask("start", request);
    if (first.ok || first.error.code !== "token_expired") return first;
    return this.#ask("expired", request);
  }

  async #ask<T>(
    reason: "start" | "expired",
    request: (http: Http) => Promise<Result<T>>,
  ): Promise<Result<T>> {
    let access: string;
    try {
      ({ access } = await this.#tokens.get({ reason, signal: new AbortController().signal }));
    } catch (error) {
      return { ok: false, error: refusalOf(error) };
    }
    return request(rest({ baseUrl: location.origin, fetch: this.line.fetch, token: access }));
  }
}

/** A token could not be had: because the login is over, or for now. */
function refusalOf(error: unknown): ChatError {
  const over = error instanceof SignedOutError;
  const message = error instanceof Error ? error.message : String(error);
  return { code: over ? "signed_out" : "network", message, retryable: !over };
}
