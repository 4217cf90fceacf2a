/**
 * The stream of one conversation: performs the effects of `Line` and `Continuity` on a socket.
 *
 * Owns the socket and the timers. Passes events, acknowledgements and errors to its handlers.
 */
import type { Clock, WebSocketFactory, WebSocketLike } from "../platform/ports.js";
import { Timers } from "../platform/timers.js";
import { writable } from "../readable.js";
import type { Result } from "../result.js";
import type { Access } from "../session/access.js";
import type { LogEntry, StreamState, TokenReason } from "../types.js";
import type {
  Ack,
  ClientFrame,
  DurableEvent,
  ErrorReply,
  Hello,
  Limits,
  Send,
  ServerFrame,
} from "../wire/socket.js";
import { reconnectDelay } from "./backoff.js";
import { Continuity, type Applied, type ContinuityEffect, type ResetReason } from "./continuity.js";
import { Line, type LineEffect, type LineInput, type LineTimer } from "./line.js";

/** A resume without progress for this long is given up. */
const PROGRESS_MS = 15_000;
const THROTTLE_DEFAULT_MS = 1_000;
const PING = '{"type":"ping"}';

export interface StreamDeps {
  baseUrl: string;
  WebSocket: WebSocketFactory;
  clock: Clock;
  random: () => number;
  access: Access;
  log: (level: LogEntry["level"], event: string, fields: LogEntry["fields"]) => void;
}

export interface StreamHandlers {
  hello(hello: Hello): void;
  events(events: readonly Applied[]): void;
  ack(ack: Ack): void;
  error(error: ErrorReply): void;
  /** The socket is gone. */
  down(): void;
  /** A frame arrived after a `check`. */
  alive(): void;
  refused(code: number): void;
  /** Loads the newest page and applies it. Returns its position. */
  load(reset: ResetReason | null): Promise<Result<number>>;
}

type StreamTimer = LineTimer | "progress" | "resume" | "load";

export class Stream {
  readonly state = writable<StreamState>({ name: "closed" });
  readonly limits = writable<Limits | null>(null);
  clockOffsetMs: number | null = null;
  readonly continuity = new Continuity();
  readonly #line: Line;
  readonly #timers: Timers<StreamTimer>;
  #socket: WebSocketLike | null = null;
  #access: string | undefined;
  #checking = false;
  #load: { reset: ResetReason | null; attempt: number } | null = null;

  constructor(
    readonly id: number,
    readonly deps: StreamDeps,
    readonly handlers: StreamHandlers,
  ) {
    this.#line = new Line(deps.random);
    this.#timers = new Timers(deps.clock, (name, lateMs) => this.#fired(name, lateMs));
  }

  start(): void {
    this.#input({ on: "start" });
  }

  stop(): void {
    this.#input({ on: "stop" });
    this.#timers.clear();
  }

  /** The page woke, the network came, or a person wants it: try now, or prove the socket. */
  wake(): void {
    this.#input({ on: "wake" });
  }

  /** Pings; `alive` follows with the next frame, or the socket ends. */
  check(): void {
    this.#checking = true;
    this.#input({ on: "check" });
  }

  /** Sends messages, in as few frames as the limits of the server allow. */
  transmit(sends: readonly Send[]): void {
    const most = this.limits.get()?.frame_bytes ?? Infinity;
    const encoder = new TextEncoder();
    let frame: string[] = [];
    let bytes = 2;
    const flush = (): void => {
      if (frame.length) this.#send(frame.length === 1 ? (frame[0] ?? "") : `[${frame.join()}]`);
      frame = [];
      bytes = 2;
    };
    for (const send of sends) {
      const text = JSON.stringify(send);
      const size = encoder.encode(text).length + 1;
      if (size > most) {
        // The server would close the socket, and not open it again.
        this.handlers.error(tooLarge(send));
        continue;
      }
      if (bytes + size > most) flush();
      frame.push(text);
      bytes += size;
    }
    flush();
  }

  #input(input: LineInput): void {
    for (const effect of this.#line.handle(input, this.deps.clock.now())) this.#perform(effect);
    this.#report();
  }

  #perform(effect: LineEffect): void {
    switch (effect.do) {
      case "token":
        return void this.#token(effect.reason);
      case "open":
        return this.#open(effect.access);
      case "auth":
        this.#access = effect.access;
        return this.#send(encode({ type: "auth", token: effect.access }));
      case "ping":
        return this.#send(PING);
      case "drop":
        return this.#drop(effect.code, effect.reason);
      case "set":
        return this.#timers.set(effect.timer, effect.ms);
      case "cancel":
        return this.#timers.cancel(effect.timer);
      case "refused":
        return this.handlers.refused(effect.code);
      case "signed-out":
        return this.deps.access.end(effect.code);
    }
  }

  async #token(reason: TokenReason): Promise<void> {
    const token = await this.deps.access.token(reason, this.#access);
    if (token.ok) {
      this.#input({ on: "token", access: token.value.access, issuedAt: token.value.issuedAt });
    } else {
      const code = token.error.code === "signed_out" ? "signed_out" : null;
      this.#input({ on: "token-failed", signedOut: code });
    }
  }

  #open(access: string): void {
    this.#access = access;
    const url = `${this.deps.baseUrl.replace(/^http/, "ws")}/ws/chat/${this.id}/`;
    try {
      const socket = new this.deps.WebSocket(url, ["chat.v2", `bearer.${access}`]);
      this.#socket = socket;
      // A socket that was dropped may still deliver; nothing it says counts.
      const current = (): boolean => this.#socket === socket;
      socket.addEventListener("message", (event: { data: unknown }) => {
        if (current()) this.#received(event.data);
      });
      socket.addEventListener("close", (event: { code: number; reason: string }) => {
        if (current()) this.#closed(event.code, event.reason);
      });
      socket.addEventListener("error", () => {});
    } catch {
      this.#closed(1006, "");
    }
  }

  #closed(code: number, reason: string): void {
    this.deps.log("debug", "socket.closed", { conversation: this.id, code });
    this.#lost();
    this.#input({ on: "closed", code, reason });
  }

  #drop(code: number, reason: string): void {
    const socket = this.#socket;
    this.#lost();
    try {
      socket?.close(code, reason);
    } catch {
      // A socket that never opened may refuse a code; it is forgotten either way.
    }
  }

  #lost(): void {
    this.#socket = null;
    this.#checking = false;
    this.#load = null;
    for (const timer of ["progress", "resume", "load"] as const) this.#timers.cancel(timer);
    this.continuity.down();
    this.handlers.down();
  }

  #send(text: string): void {
    try {
      this.#socket?.send(text);
    } catch {
      // A closed socket: its close event or the heartbeat follows.
    }
  }

  #received(data: unknown): void {
    this.#input({ on: "frame" });
    const frame = decode(data);
    if (frame) this.#frame(frame);
    else this.deps.log("warn", "frame.unreadable", { conversation: this.id });
    if (!this.#checking || !this.#socket) return;
    this.#checking = false;
    this.handlers.alive();
  }

  #frame(frame: ServerFrame): void {
    switch (frame.type) {
      case "hello":
        return this.#hello(frame);
      case "ack":
        return this.handlers.ack(frame);
      case "batch":
        return this.#continue(this.continuity.events(frame.events));
      case "sync":
        return this.#continue(this.continuity.sync(frame));
      case "reset":
        return this.#continue(this.continuity.reset(frame));
      case "auth.expiring":
        return this.#input({ on: "auth-expiring" });
      case "error":
        return this.#error(frame);
      case "auth.ok":
      case "pong":
        return;
      default:
        // A durable event, also of a kind that only a later server has.
        if (isDurable(frame)) return this.#continue(this.continuity.events([frame]));
        // What this client does not know it ignores.
        this.deps.log("debug", "frame.unknown", { conversation: this.id });
    }
  }

  #hello(hello: Hello): void {
    this.limits.set(hello.limits);
    this.clockOffsetMs = Date.parse(hello.server_time) - this.deps.clock.now();
    this.#input({ on: "hello", hello });
    this.handlers.hello(hello);
    // A socket of another user was closed by the handler.
    if (!this.#socket) return;
    this.#continue(this.continuity.hello(hello));
  }

  #error(error: ErrorReply): void {
    this.handlers.error(error);
    // A `resume` beyond the budget of resumes.
    if (error.client_message_id || error.code !== "throttled") return;
    if (this.continuity.mode === "resuming") {
      this.#timers.cancel("progress");
      this.#timers.set("resume", error.retry_after_ms ?? THROTTLE_DEFAULT_MS);
    }
  }

  #continue(effects: readonly ContinuityEffect[]): void {
    const applied = effects.filter((effect) => effect.do === "apply");
    if (applied.length) {
      if (this.#timers.has("progress")) this.#timers.set("progress", PROGRESS_MS);
      this.handlers.events(applied);
    }
    for (const effect of effects) {
      if (effect.do === "resume") {
        this.#timers.set("progress", PROGRESS_MS);
        this.#send(encode({ type: "resume", since: effect.since, epoch: effect.epoch }));
      } else if (effect.do === "load") {
        this.#load = { reset: effect.reset, attempt: 0 };
        void this.#loadPage();
      } else if (effect.do !== "apply") {
        this.#timers.cancel("progress");
        this.#input({ on: effect.do === "live" ? "resumed" : "stalled" });
      }
    }
    this.#report();
  }

  async #loadPage(): Promise<void> {
    const load = this.#load;
    if (!load) return;
    const page = await this.handlers.load(load.reset);
    // The socket, or the position to reach, is another one by now.
    if (this.#load !== load) return;
    if (page.ok) {
      this.#load = null;
      this.#continue(this.continuity.loaded(page.value));
    } else if (page.error.code === "not_member" || page.error.code === "not_found") {
      // The server closes the socket with the code that says so.
      this.deps.log("debug", "history.refused", { conversation: this.id });
    } else {
      const backoff = reconnectDelay(load.attempt++, this.deps.random);
      this.#timers.set("load", Math.max(page.error.retryAfterMs ?? 0, backoff));
    }
  }

  #fired(name: StreamTimer, lateMs: number): void {
    if (name === "progress") this.#input({ on: "stalled" });
    else if (name === "resume") this.#continue(this.continuity.resume());
    else if (name === "load") void this.#loadPage();
    else this.#input({ on: "timer", name, lateMs });
  }

  #report(): void {
    const line = this.#line.state;
    const next = this.#state(line);
    const now = this.state.get();
    // The same state is not reported twice: every frame comes past here.
    if (JSON.stringify(next) !== JSON.stringify(now)) this.state.set(next);
  }

  #state(line: Line["state"]): StreamState {
    switch (line.name) {
      case "off":
        return { name: "closed" };
      case "token":
      case "opening":
        return { name: "connecting" };
      case "open":
        return { name: this.continuity.mode === "live" ? "live" : "resuming" };
      case "waiting":
        return {
          name: "waiting",
          attempt: this.#line.attempt,
          retryAt: line.retryAt,
          cause: line.cause,
        };
      case "refused":
        return line;
    }
  }
}

const isDurable = ({ seq, timestamp }: Partial<DurableEvent>): boolean =>
  typeof seq === "number" && typeof timestamp === "string";

const tooLarge = ({ client_message_id }: Send): ErrorReply => ({
  type: "error",
  error: "The message is too large.",
  code: "too_large",
  retryable: false,
  client_message_id,
});

const encode = (frame: ClientFrame): string => JSON.stringify(frame);

function decode(data: unknown): ServerFrame | null {
  try {
    const frame: unknown = JSON.parse(String(data));
    // Fields are not checked: the server's are held against their schemas by its own tests.
    return typeof frame === "object" && frame !== null ? (frame as ServerFrame) : null;
  } catch {
    return null;
  }
}
