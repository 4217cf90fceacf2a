/**
 * The line of one conversation: a socket and everything that replaces it when it ends. A state
 * machine without I/O: inputs go in, effects come out; `Stream` performs them.
 *
 * Owns tokens of the handshake, backoff, heartbeat and the reaction to close codes. Does not know
 * what the events mean (`continuity.ts`) nor what is sent (`../outbox`).
 */
import type { SignedOutCode, TokenReason, WaitCause } from "../types.js";
import type { Hello } from "../wire/socket.js";
import { reconnectDelay } from "./backoff.js";
import { closeReaction } from "./close_codes.js";

const HELLO_MS = 10_000;
const PONG_MS = 10_000;
const PONG_AFTER_WAKE_MS = 3_000;
/** A timer this late means that the page slept. */
const LATE_MS = 5_000;
const WAKE_SPACING_MS = 2_000;
const AUTH_RETRY_MS = 5_000;
/** A token younger than this was refused for what it is, not for its age. */
const TOKEN_SETTLED_MS = 60_000;
const WAIT_JITTER = 0.2;

export type LineState =
  | { name: "off" }
  | { name: "token" }
  | { name: "opening" }
  | { name: "open" }
  | { name: "waiting"; retryAt: number; cause: WaitCause; firm: boolean }
  | { name: "refused"; code: number; retryAt: number | null };

export type LineTimer = "retry" | "hello" | "ping" | "pong" | "auth";

export type LineInput =
  | { on: "start" | "stop" | "wake" | "check" | "resumed" | "stalled" | "auth-expiring" | "frame" }
  | { on: "token"; access: string; issuedAt: number }
  | { on: "token-failed"; signedOut: SignedOutCode | null }
  | { on: "hello"; hello: Hello }
  | { on: "closed"; code: number; reason: string }
  | { on: "timer"; name: LineTimer; lateMs: number };

export type LineEffect =
  | { do: "token"; reason: TokenReason }
  | { do: "open" | "auth"; access: string }
  | { do: "ping" }
  /** Closes the socket and forgets it: nothing it says later counts. */
  | { do: "drop"; code: number; reason: string }
  | { do: "set"; timer: LineTimer; ms: number }
  | { do: "cancel"; timer: LineTimer }
  | { do: "refused"; code: number }
  | { do: "signed-out"; code: SignedOutCode };

export class Line {
  state: LineState = { name: "off" };
  /** Failed attempts since a resume was answered. */
  attempt = 0;
  #heartbeatMs = 25_000;
  #tokenIssuedAt = 0;
  #refusedOnce = false;
  #renewedOnce = false;
  /** Why the next attempt asks for a token. */
  #reason: TokenReason = "start";
  /** When the answer of a ping is due; 0 if none is. */
  #pongDue = 0;
  #lastAttemptAt = -Infinity;
  #effects: LineEffect[] = [];
  #now = 0;

  constructor(readonly random: () => number) {}

  handle(input: LineInput, now: number): LineEffect[] {
    this.#effects = [];
    this.#now = now;
    this.#take(input);
    return this.#effects;
  }

  #take(input: LineInput): void {
    const at = this.state.name;
    const connected = at === "opening" || at === "open";
    switch (input.on) {
      case "start":
        if (at === "off" || at === "refused") this.#ask("start");
        return;
      case "stop":
        return this.#stop(1000, "stopped", { name: "off" });
      case "token":
        return this.#token(input.access, input.issuedAt);
      case "token-failed":
        return this.#tokenFailed(input.signedOut);
      case "hello":
        if (at === "opening") this.#opened(input.hello);
        return;
      case "frame":
        // Any frame proves the line; only a frame does. `readyState` says OPEN on a dead line.
        this.#pongDue = 0;
        this.#do({ do: "cancel", timer: "pong" });
        return;
      case "check":
        if (at === "open") this.#ping(PONG_MS);
        return;
      case "wake":
        return this.#wake();
      case "resumed":
        this.attempt = 0;
        this.#refusedOnce = this.#renewedOnce = false;
        return;
      case "stalled":
        if (connected) this.#fail("silent");
        return;
      case "auth-expiring":
        if (at === "open") this.#renew();
        return;
      case "closed":
        if (connected) this.#closed(input.code, input.reason);
        return;
      case "timer":
        return this.#timer(input.name, input.lateMs);
    }
  }

  #timer(name: LineTimer, lateMs: number): void {
    const at = this.state.name;
    if (name === "retry") {
      if (at === "waiting" || at === "refused") this.#ask(this.#reason);
    } else if (name === "auth") {
      if (at === "open") this.#do({ do: "token", reason: "expiring" });
    } else if (name === "ping") {
      if (at === "open") this.#ping(lateMs > LATE_MS ? PONG_AFTER_WAKE_MS : PONG_MS);
    } else {
      // No `hello`, or no frame since a ping.
      this.#fail("silent");
    }
  }

  #ask(reason: TokenReason): void {
    this.#lastAttemptAt = this.#now;
    this.#do({ do: "cancel", timer: "retry" });
    this.state = { name: "token" };
    this.#do({ do: "token", reason });
  }

  /** Tokens that live for seconds only are announced to expire as soon as they are used. */
  #renew(): void {
    const spacing = this.#left(this.#tokenIssuedAt, AUTH_RETRY_MS);
    if (spacing > 0) this.#do({ do: "set", timer: "auth", ms: spacing });
    else this.#do({ do: "token", reason: "expiring" });
  }

  #token(access: string, issuedAt: number): void {
    if (this.state.name === "open") {
      this.#tokenIssuedAt = issuedAt;
      this.#do({ do: "auth", access });
    } else if (this.state.name === "token") {
      this.#tokenIssuedAt = issuedAt;
      this.state = { name: "opening" };
      this.#do({ do: "set", timer: "hello", ms: HELLO_MS });
      this.#do({ do: "open", access });
    }
  }

  #tokenFailed(signedOut: SignedOutCode | null): void {
    const at = this.state.name;
    if (signedOut && at !== "off") this.#signedOut(signedOut);
    // The socket stays: its token is good for another minute.
    else if (at === "open") this.#do({ do: "set", timer: "auth", ms: AUTH_RETRY_MS });
    else if (at === "token") this.#wait("token");
  }

  #opened(hello: Hello): void {
    this.state = { name: "open" };
    this.#heartbeatMs = hello.heartbeat_s * 1000;
    this.#do({ do: "cancel", timer: "hello" });
    this.#do({ do: "set", timer: "ping", ms: this.#heartbeatMs });
  }

  #ping(answerMs: number): void {
    this.#do({ do: "ping" });
    this.#do({ do: "set", timer: "ping", ms: this.#heartbeatMs });
    // A further ping does not extend the time of the one before. What is overdue slept: it gets a new one.
    const left = this.#pongDue - this.#now;
    const ms = left > 0 ? Math.min(left, answerMs) : answerMs;
    this.#pongDue = this.#now + ms;
    this.#do({ do: "set", timer: "pong", ms });
  }

  #wake(): void {
    const { state } = this;
    if (state.name === "open") return this.#ping(PONG_AFTER_WAKE_MS);
    // A refusal that ends by itself, such as too many sockets, may have ended earlier.
    const temporary = state.name === "refused" && state.retryAt !== null;
    if (!temporary && (state.name !== "waiting" || state.firm)) return;
    const ms = this.#left(this.#lastAttemptAt, WAKE_SPACING_MS);
    if (ms <= 0) return this.#ask(this.#reason);
    if (this.#now + ms >= (state.retryAt ?? 0)) return;
    this.state = { ...state, retryAt: this.#now + ms };
    this.#do({ do: "set", timer: "retry", ms });
  }

  /** What is left of a wait that began at `since`: never more than all of it, whatever the clock. */
  #left(since: number, wait: number): number {
    return Math.min(wait, since + wait - this.#now);
  }

  #closed(code: number, reason: string): void {
    const reaction = closeReaction(code, reason);
    this.#forget();
    switch (reaction.do) {
      case "reconnect":
        return this.#wait(code);
      case "wait":
        return this.#wait(code, reaction.ms * (1 + this.random() * WAIT_JITTER));
      case "renew":
        return this.#renewAfterClose(code);
      case "reauthenticate":
        if (!this.#refusedOnce && this.#now - this.#tokenIssuedAt > TOKEN_SETTLED_MS) {
          this.#refusedOnce = true;
          return this.#ask("refused");
        }
        return this.#signedOut("session_revoked");
      case "refuse":
        return this.#refuse(code, reaction.retryMs);
    }
  }

  /** A new token helps at once. If it is refused too, the provider has no better one for now. */
  #renewAfterClose(code: number): void {
    if (!this.#renewedOnce) {
      this.#renewedOnce = true;
      return this.#ask("expired");
    }
    this.#wait(code);
    this.#reason = "expired";
  }

  #refuse(code: number, retryMs: number | null): void {
    const retryAt = retryMs === null ? null : this.#now + retryMs;
    this.state = { name: "refused", code, retryAt };
    if (retryMs !== null) this.#do({ do: "set", timer: "retry", ms: retryMs });
    this.#do({ do: "refused", code });
  }

  /** The socket does not answer. It is closed here; the close event may never come. */
  #fail(cause: WaitCause): void {
    this.#do({ do: "drop", code: 4002, reason: "heartbeat lost" });
    this.#forget();
    this.#wait(cause);
  }

  /** Waits for the next attempt: for `firmMs` if the server named a time, else with backoff. */
  #wait(cause: WaitCause, firmMs?: number): void {
    const ms = firmMs ?? reconnectDelay(this.attempt, this.random);
    this.attempt += 1;
    this.#reason = "start";
    const firm = firmMs !== undefined;
    this.state = { name: "waiting", retryAt: this.#now + ms, cause, firm };
    this.#do({ do: "set", timer: "retry", ms });
  }

  #signedOut(code: SignedOutCode): void {
    this.#stop(1000, "signed out", { name: "off" });
    this.#do({ do: "signed-out", code });
  }

  #stop(code: number, reason: string, next: LineState): void {
    if (this.state.name === "opening" || this.state.name === "open") {
      this.#do({ do: "drop", code, reason });
    }
    this.#forget();
    this.#do({ do: "cancel", timer: "retry" });
    this.state = next;
  }

  /** Ends the timers of a socket. */
  #forget(): void {
    this.#pongDue = 0;
    for (const timer of ["hello", "ping", "pong", "auth"] as const) {
      this.#do({ do: "cancel", timer });
    }
  }

  #do(effect: LineEffect): void {
    this.#effects.push(effect);
  }
}
