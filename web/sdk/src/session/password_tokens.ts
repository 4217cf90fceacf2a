/**
 * Tokens of a login with username and password: kept in storage, refreshed once for all tabs.
 *
 * A refresh whose answer is lost is repeated with the same refresh token: the server answers it
 * with the same pair for 60 seconds. It is repeated for 45, so that a delayed request is still in
 * time. An access token is not stored; a reload refreshes.
 */
import * as account from "../api/account.js";
import { Http } from "../api/http.js";
import { resendDelay } from "../connection/backoff.js";
import { tabChannel } from "../platform/channel.js";
import { sleep, systemClock } from "../platform/clock.js";
import { defaultLocks } from "../platform/locks.js";
import { writable } from "../readable.js";
import { ok, type ChatError, type Result } from "../result.js";
import { memoryStorage } from "../storage/memory.js";
import {
  SignedOutError,
  type PasswordTokens,
  type PasswordTokensOptions,
  type Token,
  type TokenReason,
} from "../types.js";
import type { LoginResponse, RegisterRequest, User } from "../wire/api.js";

const KEY = "login";
const LOCK = "colloquy-tokens";
const REPEAT_MS = 45_000;

/** What storage has of a login. */
interface Login {
  refresh: string;
  user: User;
}

export function passwordTokens(options: PasswordTokensOptions): PasswordTokens {
  return new PasswordLogin(options);
}

class PasswordLogin implements PasswordTokens {
  readonly user = writable<User | null>(null);
  readonly ready: Promise<void>;
  #access: string | null = null;
  /** Whose tokens are handed out. A login of another user in another tab ends this one here. */
  #served: number | null = null;
  readonly #http: Http;
  readonly #storage;
  readonly #locks;
  readonly #clock;
  readonly #random;
  readonly #channel;

  constructor(options: PasswordTokensOptions) {
    this.#http = new Http(options);
    this.#storage = options.storage ?? memoryStorage();
    this.#locks = options.locks ?? defaultLocks();
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? Math.random;
    this.#channel = options.channel === undefined ? tabChannel(LOCK) : options.channel;
    this.#channel?.listen(() => void this.#reread());
    this.ready = this.#reread();
  }

  register(input: RegisterRequest): Promise<Result<User>> {
    return account.register(this.#http, input);
  }

  async login(username: string, password: string): Promise<Result<User>> {
    const answer = await account.login(this.#http, { username, password });
    if (!answer.ok) return answer;
    this.#served = null;
    await this.#locked(() => this.#keep(answer.value));
    this.#channel?.post("login");
    return ok(answer.value.user);
  }

  async logout(): Promise<void> {
    const login = await this.#locked(async () => {
      const stored = await this.#stored();
      await this.#forget();
      return stored;
    });
    this.#channel?.post("logout");
    if (login) await this.#endSession(login.refresh);
  }

  /** Ends the session on the server, with a fresh access token if there is none. */
  async #endSession(refresh: string): Promise<void> {
    let pair = { access: this.#access, refresh };
    this.#access = null;
    if (!pair.access) {
      const renewed = await account.refresh(this.#http, refresh);
      if (!renewed.ok) return;
      pair = renewed.value;
    }
    const { access } = pair;
    const http = new Http({ ...this.#http.options, access: async () => ok(access ?? "") });
    await account.logout(http, pair.refresh);
  }

  async get(ask: { reason: TokenReason; signal: AbortSignal }): Promise<Token> {
    // The token of a login that was just made, or of an earlier start of this page.
    if (ask.reason === "start" && this.#access) return { access: this.#access };
    return this.#locked(() => this.#refresh(ask.signal));
  }

  revoked(): void {
    void this.#locked(() => this.#forget()).then(() => this.#channel?.post("logout"));
  }

  /** Refreshes under the lock, so that tabs refresh one after the other. */
  async #refresh(signal: AbortSignal): Promise<Token> {
    const login = await this.#stored();
    const served = this.#served;
    this.#served = login?.user.id ?? null;
    if (!login || (served !== null && served !== login.user.id)) throw new SignedOutError();
    const started = this.#clock.now();
    for (let attempt = 0; !signal.aborted; attempt++) {
      const answer = await account.refresh(this.#http, login.refresh);
      if (answer.ok) {
        await this.#keep({ ...answer.value, user: login.user });
        return { access: answer.value.access };
      }
      if (!answer.error.retryable) throw await this.#refused(answer.error);
      const delay = answer.error.retryAfterMs ?? resendDelay(attempt, this.#random) / 2;
      if (this.#clock.now() + delay - started > REPEAT_MS) break;
      await sleep(this.#clock, delay);
    }
    throw new Error("refresh not answered");
  }

  async #refused(error: ChatError): Promise<Error> {
    switch (error.code) {
      case "session_revoked":
      case "token_invalid":
      case "token_expired":
        await this.#forget();
        this.#channel?.post("logout");
        return new SignedOutError(error.code === "token_invalid" ? error.code : "session_revoked");
      default:
        return new Error(error.code);
    }
  }

  async #keep({ refresh, access, user }: LoginResponse): Promise<void> {
    await this.#storage.write([{ key: KEY, value: { refresh, user } satisfies Login }]);
    this.#access = access;
    this.user.set(user);
  }

  async #forget(): Promise<void> {
    await this.#storage.write([{ key: KEY }]);
    this.user.set(null);
  }

  async #reread(): Promise<void> {
    const login = await this.#stored().catch(() => undefined);
    if (login?.user.id !== this.user.get()?.id) {
      this.#access = null;
      this.user.set(login?.user ?? null);
    }
  }

  async #stored(): Promise<Login | undefined> {
    // Written by `#keep` only.
    return (await this.#storage.get(KEY)) as Login | undefined;
  }

  #locked<T>(run: () => Promise<T>): Promise<T> {
    return this.#locks.request(LOCK, {}, run);
  }
}
