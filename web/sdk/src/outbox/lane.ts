/**
 * The unacknowledged messages of one conversation, and when each is transmitted. A state machine
 * without I/O: `Outbox` performs the effects.
 *
 * INVARIANT: an item never changes its id, and leaves the lane only when the server has stored
 * it, when the server has refused it for good, or when a person cancels it before it was ever
 * transmitted. No answer is not a failure.
 */
import { fail, type ChatError, type ErrorCode } from "../result.js";
import type { Limits } from "../wire/socket.js";
import { resendDelay } from "../connection/backoff.js";

const ANSWER_MS = 10_000;
const FALLBACK_MS = 10_000;
const TOO_OLD_MS = 24 * 60 * 60 * 1000;
const THROTTLE_DEFAULT_MS = 1_000;

export interface Item {
  id: string;
  text: string;
  replyTo: number | null;
  mentions: readonly number[];
  createdAt: number;
  /** When it was queued, or queued again by a person. */
  queuedAt: number;
  /** Once true the server may have it: it cannot be cancelled or changed. */
  transmitted: boolean;
  status: "queued" | "sending" | "failed";
  error: ChatError | null;
}

export type LaneTimer = "pace" | "answer" | "fallback";

export type LaneInput =
  | { on: "add"; item: Item }
  | { on: "up"; limits: Limits }
  | { on: "down" | "alive" | "pause" | "continue" }
  /** The server has stored it. */
  | { on: "stored"; id: string }
  | { on: "error"; id: string; error: ChatError; posted: boolean }
  /** The socket was closed for good: with what was in flight, or for the conversation. */
  | { on: "refused"; error: ChatError; all: boolean }
  | { on: "timer"; name: LaneTimer }
  | { on: "retry"; id: string };

export type LaneEffect =
  | { do: "transmit"; items: Item[] }
  /** Send one over REST, because no socket comes. */
  | { do: "post"; item: Item }
  /** Find out whether the socket is alive; answer with `alive`. */
  | { do: "check" }
  | { do: "failed"; item: Item }
  | { do: "set"; timer: LaneTimer; ms: number }
  | { do: "cancel"; timer: LaneTimer };

export class Lane {
  items: Item[] = [];
  #limits: Limits | null = null;
  #now = 0;
  /** Nothing is transmitted before this time. */
  #holdUntil = 0;
  #attempt = 0;
  #posting: string | null = null;
  /** What was in flight when the last socket ended. */
  #cut: Item[] = [];
  /** No socket came in time: send over REST. */
  #byRest = false;
  #fallbackSet = false;
  #effects: LaneEffect[] = [];

  #paused: boolean;

  constructor(
    readonly random: () => number,
    paused = false,
  ) {
    this.#paused = paused;
  }

  /** Whether an item added now is transmitted at once. */
  ready(now: number): boolean {
    return !this.#paused && this.#limits !== null && now >= this.#holdUntil && this.#free() > 0;
  }

  handle(input: LaneInput, now: number): LaneEffect[] {
    this.#effects = [];
    // A clock that was set back does not stretch a wait.
    if (now < this.#now) this.#holdUntil += now - this.#now;
    this.#now = now;
    this.#take(input, now);
    this.#pump(now);
    return this.#effects;
  }

  /** Removes an item that certainly is not stored. */
  cancel(id: string): boolean {
    const item = this.#find(id);
    if (!item || mayBeStored(item)) return false;
    this.#drop(id);
    return true;
  }

  #take(input: LaneInput, now: number): void {
    switch (input.on) {
      case "add":
        // An adopted item is older than those of this tab.
        this.items = [...this.items, input.item].sort((a, b) => a.createdAt - b.createdAt);
        return;
      case "up":
        this.#limits = input.limits;
        this.#byRest = false;
        this.#stopFallback();
        return this.#requeue();
      case "down":
        this.#limits = null;
        this.#cut = this.items.filter((item) => item.status === "sending");
        this.#do({ do: "cancel", timer: "answer" });
        return this.#requeue(this.#posting);
      case "alive":
        return this.#requeue();
      case "pause":
        this.#paused = true;
        return this.#stopTimers();
      case "continue":
        this.#paused = false;
        return;
      case "stored":
        this.#attempt = 0;
        return this.#drop(input.id);
      case "error":
        return this.#refused(input.id, input.error, input.posted, now);
      case "refused":
        return this.#closed(input.error, input.all);
      case "timer":
        return this.#timer(input.name);
      case "retry":
        return this.#retry(input.id, now);
    }
  }

  #timer(name: LaneTimer): void {
    if (name === "answer") this.#do({ do: "check" });
    if (name === "fallback") {
      this.#fallbackSet = false;
      this.#byRest = this.#limits === null;
    }
  }

  #refused(id: string, error: ChatError, posted: boolean, now: number): void {
    const item = this.#find(id);
    // The answer of a request that the socket has overtaken says nothing.
    if (!item || (posted && this.#posting !== id)) return;
    if (posted) this.#posting = null;
    // The conversation was closed for good before the answer came.
    if (item.status === "failed") return;
    if (!error.retryable && isFinal(error.code)) return this.#fail(item, error);
    item.status = "queued";
    const throttled = error.code === "throttled";
    const wait = throttled
      ? (error.retryAfterMs ?? THROTTLE_DEFAULT_MS)
      : Math.max(error.retryAfterMs ?? 0, resendDelay(this.#attempt++, this.random));
    this.#holdUntil = Math.max(this.#holdUntil, now + wait);
  }

  #closed(error: ChatError, all: boolean): void {
    // Of several in flight REST finds out which one the server does not take.
    const blamed = all ? this.items.filter((item) => item.status !== "failed") : this.#cut;
    if (all || blamed.length === 1) for (const item of blamed) this.#fail(item, error);
    this.#byRest = true;
  }

  #retry(id: string, now: number): void {
    const item = this.#find(id);
    if (item?.status !== "failed") return;
    item.status = "queued";
    item.error = null;
    item.queuedAt = now;
  }

  #pump(now: number): void {
    if (this.#paused) return;
    this.#expire(now);
    if (!this.items.some((item) => item.status === "sending")) {
      this.#do({ do: "cancel", timer: "answer" });
    }
    const queued = this.items.filter((item) => item.status === "queued");
    if (queued.length === 0) return this.#stopFallback();
    if (now < this.#holdUntil) {
      return this.#do({ do: "set", timer: "pace", ms: this.#holdUntil - now });
    }
    if (this.#limits) this.#transmit(queued.slice(0, this.#free()), this.#limits, now);
    else if (this.#byRest) this.#post(queued[0]);
    else this.#startFallback();
  }

  #transmit(items: Item[], limits: Limits, now: number): void {
    if (items.length === 0) return;
    for (const item of items) item.status = "sending";
    if (limits.throttle_ms > 0) this.#holdUntil = now + limits.throttle_ms;
    this.#do({ do: "set", timer: "answer", ms: ANSWER_MS });
    this.#do({ do: "transmit", items });
  }

  #post(item: Item | undefined): void {
    if (!item || this.#posting) return;
    item.status = "sending";
    this.#posting = item.id;
    this.#do({ do: "post", item });
  }

  /** How many more may be in flight: one with a throttle, otherwise a frame's worth. */
  #free(): number {
    const window = this.#limits?.throttle_ms ? 1 : (this.#limits?.frame_commands ?? 0);
    return window - this.items.filter((item) => item.status === "sending").length;
  }

  #requeue(except: string | null = null): void {
    if (except === null) this.#posting = null;
    for (const item of this.items) {
      if (item.status === "sending" && item.id !== except) item.status = "queued";
    }
  }

  #expire(now: number): void {
    for (const item of this.items) {
      if (item.status === "queued" && now - item.queuedAt > TOO_OLD_MS) {
        this.#fail(item, fail("too_old", "It waited longer than a day.").error);
      }
    }
  }

  #fail(item: Item, error: ChatError): void {
    item.status = "failed";
    item.error = error;
    this.#do({ do: "failed", item });
  }

  #drop(id: string): void {
    if (this.#posting === id) this.#posting = null;
    this.items = this.items.filter((item) => item.id !== id);
  }

  #startFallback(): void {
    if (this.#fallbackSet) return;
    this.#fallbackSet = true;
    this.#do({ do: "set", timer: "fallback", ms: FALLBACK_MS });
  }

  #stopFallback(): void {
    if (!this.#fallbackSet) return;
    this.#fallbackSet = false;
    this.#do({ do: "cancel", timer: "fallback" });
  }

  #stopTimers(): void {
    this.#stopFallback();
    this.#do({ do: "cancel", timer: "pace" });
    this.#do({ do: "cancel", timer: "answer" });
  }

  #find(id: string): Item | undefined {
    return this.items.find((item) => item.id === id);
  }

  #do(effect: LaneEffect): void {
    this.#effects.push(effect);
  }
}

/** Refusals of a login or of a request as a whole say nothing about the message. */
const NOT_FINAL = new Set<ErrorCode>([
  "network",
  "unexpected",
  "signed_out",
  "not_authenticated",
  "token_invalid",
  "token_expired",
  "session_revoked",
]);

const isFinal = (code: ErrorCode): boolean => !NOT_FINAL.has(code);

/** Transmitted, and not refused since. `too_old` is a decision of the client. */
export const mayBeStored = ({ transmitted, error }: Item): boolean =>
  transmitted && (error === null || error.code === "too_old");
