/**
 * The access token of a client: asks the provider once for however many need it, keeps the
 * answer, and reports to the client when the login is over.
 */
import type { Clock } from "../platform/ports.js";
import { fail, ok, type Result } from "../result.js";
import {
  SignedOutError,
  type SignedOutCode,
  type Token,
  type TokenProvider,
  type TokenReason,
} from "../types.js";

/** A provider that takes longer has failed. */
const PROVIDER_MS = 60_000;
/** A token that expires within this time is not used any more. */
const EXPIRY_MARGIN_MS = 5_000;

export interface HeldToken extends Token {
  /** When the client received it. */
  issuedAt: number;
}

export class Access {
  /** Counts the logins. */
  login = 0;
  #held: HeldToken | null = null;
  #flight: Promise<Result<HeldToken>> | null = null;
  #abort: AbortController | null = null;
  #over: SignedOutCode | null = null;

  constructor(
    readonly clock: Clock,
    readonly provider: TokenProvider,
    readonly signedOut: (code: SignedOutCode) => void,
    /** The user of the client, if known. */
    readonly userId: () => number | null,
  ) {}

  /**
   * Returns a token. With a reason other than `start`, one that is not `refused`: if another
   * caller has renewed it in the meantime, that one.
   */
  async token(reason: TokenReason, refused?: string): Promise<Result<HeldToken>> {
    if (this.#over) return fail("signed_out", "The login is over.");
    // What was refused is not offered again, even if nothing better is to be had.
    if (reason !== "expiring" && refused !== undefined && this.#held?.access === refused) {
      this.#held = null;
    }
    const held = this.#usable();
    if (held && (reason === "start" || (refused !== undefined && held.access !== refused))) {
      return ok(held);
    }
    this.#flight ??= this.#ask(reason).finally(() => (this.#flight = null));
    return this.#flight;
  }

  /** The token that sockets use now. */
  get current(): string | undefined {
    return this.#held?.access;
  }

  /** The server refused the login. */
  end(code: SignedOutCode): void {
    if (this.#over) return;
    this.#over = code;
    this.#held = null;
    if (code === "session_revoked" || code === "token_invalid") this.provider.revoked?.(code);
    this.signedOut(code);
  }

  /** Allows a new login after an end. */
  begin(): void {
    this.login++;
    this.#over = null;
    this.#held = null;
  }

  /** Gives up a request in flight. */
  stop(): void {
    this.#abort?.abort();
  }

  /** Another user has logged in, in another tab. Their token must not send this user's messages. */
  #strange(): boolean {
    const named = this.provider.user?.get();
    const userId = this.userId();
    return named != null && userId !== null && named.id !== userId;
  }

  #usable(): HeldToken | null {
    const held = this.#held;
    const expiresAt = held?.expiresAt ?? Infinity;
    return held && expiresAt - this.clock.now() > EXPIRY_MARGIN_MS ? held : null;
  }

  async #ask(reason: TokenReason): Promise<Result<HeldToken>> {
    const abort = new AbortController();
    this.#abort = abort;
    const cancel = this.clock.after(PROVIDER_MS, () => abort.abort());
    try {
      const token = await Promise.race([
        this.provider.get({ reason, signal: abort.signal }),
        aborted(abort.signal),
      ]);
      if (this.#strange()) throw new SignedOutError();
      this.#held = { ...token, issuedAt: this.clock.now() };
      return ok(this.#held);
    } catch (error) {
      if (error instanceof SignedOutError) {
        this.end(error.code);
        return fail("signed_out", "The login is over.");
      }
      return fail("network", "No token could be obtained.", { retryable: true });
    } finally {
      cancel();
    }
  }
}

const aborted = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("aborted"))));
