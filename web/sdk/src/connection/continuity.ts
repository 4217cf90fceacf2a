/**
 * The position of one conversation: which events are applied, and how a gap is closed. A state
 * machine without I/O.
 *
 * INVARIANT: every durable event up to `seq` of the history `epoch` is applied to the timeline.
 *
 * Does not know sockets (`line.ts`) nor rows (`../timeline`).
 */
import type { DurableEvent, Hello, Reset, Sync } from "../wire/socket.js";

/** The events this client knows. */
const KINDS = new Set<string>([
  "message",
  "message.edited",
  "message.deleted",
  "member",
] satisfies DurableEvent["type"][]);

/** Live events kept while a page loads. Beyond it they are dropped and resumed afterwards. */
const WAITING_EVENTS = 2_000;

export interface Position {
  epoch: string;
  seq: number;
}

export type ResetReason = Reset["reason"];

/** An event for the timeline. */
export interface Applied {
  event: DurableEvent;
  /** As it happened; otherwise it was missed before. */
  live: boolean;
  /** Applied for the first time. One that is known may carry a newer text. */
  fresh: boolean;
}

export type ContinuityEffect =
  | ({ do: "apply" } & Applied)
  | { do: "resume"; since: number; epoch: string }
  /** Load the newest page; with a reason, everything that was loaded before may be old. */
  | { do: "load"; reset: ResetReason | null }
  /** Nothing is missing: report `live`, and reset the backoff. */
  | { do: "live" }
  /** A resume ended incomplete. */
  | { do: "stalled" };

export class Continuity {
  mode: "down" | "resuming" | "loading" | "live" = "down";
  /** The least position that a loaded page must have. */
  #target: Position | null = null;
  #waiting: DurableEvent[] = [];

  constructor(public position: Position | null = null) {}

  hello(hello: Hello): ContinuityEffect[] {
    const { position } = this;
    if (!position) return this.#load(hello, null);
    if (position.epoch !== hello.epoch || position.seq > hello.seq) {
      return this.#load(hello, "epoch_changed");
    }
    // The server would answer `reset`.
    if (hello.seq - position.seq > hello.limits.resume_events) return this.#load(hello, "too_old");
    return this.resume();
  }

  /** Asks for everything after the position. */
  resume(): ContinuityEffect[] {
    if (!this.position) return [];
    this.mode = "resuming";
    return [{ do: "resume", since: this.position.seq, epoch: this.position.epoch }];
  }

  events(events: readonly DurableEvent[]): ContinuityEffect[] {
    if (this.mode === "down") return [];
    if (this.mode === "loading") {
      this.#waiting.push(...events);
      if (this.#waiting.length > WAITING_EVENTS) this.#waiting = [];
      return [];
    }
    const effects: ContinuityEffect[] = [];
    for (const event of events) {
      if (!this.#apply(event, effects)) break;
    }
    return effects;
  }

  sync(sync: Sync): ContinuityEffect[] {
    if (this.mode !== "resuming" || !this.position) return [];
    if (this.position.seq < sync.to) return [{ do: "stalled" }];
    this.mode = "live";
    return [{ do: "live" }];
  }

  reset(reset: Reset): ContinuityEffect[] {
    return this.mode === "down" ? [] : this.#load(reset, reset.reason);
  }

  /** A page of the newest messages was loaded and applied, as of this position. */
  loaded(asOfSeq: number): ContinuityEffect[] {
    if (this.mode !== "loading" || !this.#target) return [];
    const { epoch, seq: least } = this.#target;
    this.position = { epoch, seq: asOfSeq };
    const waiting = this.#waiting;
    this.#waiting = [];
    // The page was read before the position that live delivery continues from.
    if (asOfSeq < least) return this.resume();
    this.mode = "live";
    const effects: ContinuityEffect[] = [];
    for (const event of waiting) {
      if (event.seq > asOfSeq && !this.#apply(event, effects)) return effects;
    }
    return [...effects, { do: "live" }];
  }

  /** The socket is gone. The position stays. */
  down(): void {
    this.mode = "down";
    this.#waiting = [];
  }

  #load(target: Position, reset: ResetReason | null): ContinuityEffect[] {
    this.mode = "loading";
    this.#target = { epoch: target.epoch, seq: target.seq };
    this.#waiting = [];
    return [{ do: "load", reset }];
  }

  /** Returns whether the events after it can be applied. */
  #apply(event: DurableEvent, effects: ContinuityEffect[]): boolean {
    const position = this.position;
    if (!position) return false;
    if (event.seq > position.seq + 1) {
      // In a resume the missing ones are part of the answer.
      if (this.mode === "live") effects.push(...this.resume());
      return false;
    }
    const fresh = event.seq === position.seq + 1;
    if (fresh) this.position = { ...position, seq: event.seq };
    // One of a later server has its place in the order, and no other effect.
    if (KINDS.has(event.type)) {
      effects.push({ do: "apply", event, live: this.mode === "live", fresh });
    }
    return true;
  }
}
