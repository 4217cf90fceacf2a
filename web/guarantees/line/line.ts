// The line between one phone and the server: hands a phone its `WebSocket` and `fetch`, and breaks them on
// request. Every frame and request is recorded.
//
// Owns the faults. Does not know what the frames mean, except where an acknowledgement has to be lost.
import type { WebSocketFactory } from "@colloquy/sdk";

import type { Fate, FaultName, NewEntry } from "../log/entries.ts";
import { FaultySocket, type SocketLine } from "./socket.ts";

/** `silent`: nothing passes and nothing closes. `down`: connections break and none can be made. */
export type LineState = "open" | "silent" | "down";

export interface LineDeps {
  record(entry: NewEntry): void;
  changed(): void;
}

export class Line implements SocketLine {
  #state: LineState = "open";
  #delayMs = 0;
  #ackLoss: "none" | "armed" | "waiting" = "none";
  #lostAckBreakMs = 0;
  readonly #sockets = new Set<FaultySocket>();
  #waiting: (() => void)[] = [];
  readonly WebSocket: WebSocketFactory = socketsOf(this);

  constructor(readonly deps: LineDeps) {}

  get state(): LineState {
    return this.#state;
  }
  get open(): boolean {
    return this.#state === "open";
  }
  get delayMs(): number {
    return this.#delayMs;
  }
  /** An acknowledgement will be lost. */
  get losesAck(): boolean {
    return this.#ackLoss !== "none";
  }

  /** Nothing passes any more, and nothing says so: a half-open connection. */
  silence(): void {
    this.#change("silent", "silenced");
  }

  /** Every connection breaks, and no new one can be made. */
  disconnect(): void {
    this.#change("down", "disconnected");
    for (const socket of [...this.#sockets]) socket.break();
    this.#wake();
  }

  restore(): void {
    if (this.#state === "open" && this.#delayMs === 0) return;
    this.#delayMs = 0;
    this.#change("open", "restored");
    this.#wake();
    for (const socket of [...this.#sockets]) socket.pump();
  }

  /** Everything takes this much longer, in each direction. */
  delay(ms: number): void {
    this.#delayMs = ms;
    this.#fault("delayed", ms);
  }

  /** The answer to the next message is lost; then, after `breakMs`, the connection breaks. */
  loseNextAck(breakMs: number): void {
    this.#ackLoss = "armed";
    this.#lostAckBreakMs = breakMs;
    this.#fault("ack-loss");
  }

  /** Delivers a frame to the client that the server did not send. */
  inject(frame: object): void {
    for (const socket of this.#sockets) socket.inject(JSON.stringify(frame));
  }

  readonly fetch: typeof fetch = async (input, init) => {
    const request = new Request(input, init);
    const body = typeof init?.body === "string" ? init.body : null;
    const target = { method: request.method, url: request.url };
    this.deps.record({ kind: "request", ...target, body, fate: this.open ? null : "late" });
    await this.#pass(request.signal);
    const response = await fetch(request);
    const text = await response.clone().text();
    // The answer takes the same line, which may be broken by now.
    await this.#pass(request.signal);
    this.deps.record({ kind: "response", ...target, status: response.status, body: text });
    return response;
  };

  #change(state: LineState, fault: FaultName): void {
    this.#state = state;
    this.#fault(fault);
  }

  #fault(name: FaultName, ms?: number): void {
    this.deps.record({ kind: "fault", name, ...(ms === undefined ? {} : { ms }) });
    this.deps.changed();
  }

  /** Resolves when a request or its answer has passed; rejects as `fetch` does if it cannot. */
  async #pass(signal: AbortSignal): Promise<void> {
    if (this.#delayMs > 0) await new Promise((resolve) => setTimeout(resolve, this.#delayMs));
    while (this.#state === "silent") {
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
        signal.addEventListener("abort", () => resolve(), { once: true });
      });
      signal.throwIfAborted();
    }
    if (this.#state === "down") throw new TypeError("The line is down.");
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }

  // What its sockets call.

  get down(): boolean {
    return this.#state === "down";
  }

  frame(direction: "out" | "in", text: string, fate: Fate): void {
    this.deps.record({ kind: "frame", direction, text, fate });
  }

  losesAnswer(text: string): boolean {
    if (this.#ackLoss !== "armed" || !text.includes('"type":"send"')) return false;
    this.#ackLoss = "waiting";
    return true;
  }

  answerLost(socket: FaultySocket): void {
    if (this.#ackLoss !== "waiting") return;
    this.#ackLoss = "none";
    setTimeout(() => socket.break(), this.#lostAckBreakMs);
    this.deps.changed();
  }

  opened(socket: FaultySocket): void {
    this.#sockets.add(socket);
  }

  closed(socket: FaultySocket): void {
    this.#sockets.delete(socket);
    // It broke for another reason before the answer came.
    if (this.#ackLoss === "waiting") this.#ackLoss = "none";
  }
}

/** The class that a client creates its sockets with. */
const socketsOf = (line: SocketLine): WebSocketFactory =>
  class extends FaultySocket {
    constructor(url: string, protocols: string[]) {
      super(line, url, protocols);
    }
  };
