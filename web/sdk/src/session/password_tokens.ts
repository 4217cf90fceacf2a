/**
 * Tokens of a login with username and password: kept in storage, refreshed once for all tabs.
 *
 * A refresh whose answer is lost is repeated with the same refresh token: the server answers it
 * with the same pair for 60 seconds. It is repeated for 45, so that a delayed request is still in
 * time. An access token is not stored; a reload refreshes.
 */
import * as account from "../api/account.js";
import { Http } from "../api/http.js";
import { newId } from "../id.js";
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
const LONGEST_WAIT_MS = 4_000;

/** What storage has of a login. */
interface Login {
  /** Names this login. Its end must not forget a later one of another tab. */
  id: string;
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
  #login: string | null = null;
  /** What storage did not take, because it is full or missing: a login, or `null` for its end. */
  #unstored: Login | null | undefined;
  /** A logout waits for its turn: what is still stored does not count. */
  #leaving = false;
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
    await this.#locked(() => this.#keep(newId(), answer.value));
    this.#channel?.post("login");
    return ok(answer.value.user);
  }

  async logout(): Promise<void> {
    const access = this.#access;
    this.#leaving = true;
    this.#show(null, null);
    const login = await this.#locked(async () => {
      const stored = await this.#stored().catch(() => undefined);
      await this.#forget();
      this.#leaving = false;
      return stored;
    });
    this.#channel?.post("logout");
    if (login) await this.#endSession({ access, refresh: login.refresh });
  }

  /** Ends the session on the server, with a fresh access token if there is none. */
  async #endSession(pair: { access: string | null; refresh: string }): Promise<void> {
    if (pair.access && (await this.#logout(pair.access, pair.refresh))) return;
    const renewed = await account.refresh(this.#http, pair.refresh);
    if (renewed.ok) await this.#logout(renewed.value.access, renewed.value.refresh);
  }

  async #logout(access: string, refresh: string): Promise<boolean> {
    const http = new Http({ ...this.#http.options, access: async () => ok(access) });
    return (await account.logout(http, refresh)).ok;
  }

  async get(ask: { reason: TokenReason; signal: AbortSignal }): Promise<Token> {
    // The token of a login that was just made, or of an earlier start of this page.
    if (ask.reason === "start" && this.#access) return { access: this.#access };
    if (ask.reason !== "expiring") this.#access = null;
    return this.#locked(() => this.#refresh(ask.signal));
  }

  revoked(): void {
    // A storage that cannot be read keeps the login: the server refuses it again.
    void this.#locked(() => this.#ended()).catch(() => {});
  }

  /** Refreshes under the lock, so that tabs refresh one after the other. */
  async #refresh(signal: AbortSignal): Promise<Token> {
    const login = await this.#stored();
    if (!login) throw new SignedOutError();
    this.#login = login.id;
    const started = this.#clock.now();
    for (let attempt = 0; !signal.aborted; attempt++) {
      const answer = await account.refresh(this.#http, login.refresh);
      if (answer.ok) {
        await this.#keep(login.id, { ...answer.value, user: login.user });
        return { access: answer.value.access };
      }
      if (!answer.error.retryable) throw await this.#refused(answer.error);
      const backoff = Math.min(LONGEST_WAIT_MS, resendDelay(attempt, this.#random) / 2);
      const delay = answer.error.retryAfterMs ?? backoff;
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
        await this.#ended();
        return new SignedOutError(error.code === "token_invalid" ? error.code : "session_revoked");
      default:
        return new Error(error.code);
    }
  }

  async #keep(id: string, { refresh, access, user }: LoginResponse): Promise<void> {
    await this.#save({ id, refresh, user });
    this.#login = id;
    if (!this.#leaving) this.#show(user, access);
  }

  #show(user: User | null, access: string | null): void {
    this.#access = access;
    this.user.set(user);
  }

  /** A storage that fails ends no login: the page goes on with what it has. */
  async #save(login: Login | null): Promise<void> {
    const change = login ? { key: KEY, value: login } : { key: KEY };
    this.#unstored = await this.#storage.write([change]).then(
      () => undefined,
      () => login,
    );
  }

  /** The server has ended the login that was served here. */
  async #ended(): Promise<void> {
    const stored = await this.#stored().catch(() => undefined);
    if (stored?.id === this.#login) await this.#forget();
    else await this.#reread();
    this.#channel?.post("logout");
  }

  async #forget(): Promise<void> {
    await this.#save(null);
    this.#show(null, null);
  }

  async #reread(): Promise<void> {
    const login = await this.#stored().catch(() => undefined);
    if (this.#leaving || login?.user.id === this.user.get()?.id) return;
    this.#show(login?.user ?? null, null);
  }

  async #stored(): Promise<Login | undefined> {
    if (this.#unstored !== undefined) return this.#unstored ?? undefined;
    // Written by `#save` only.
    return (await this.#storage.get(KEY)) as Login | undefined;
  }

  #locked<T>(run: () => Promise<T>): Promise<T> {
    return this.#locks.request(LOCK, {}, run);
  }
}
