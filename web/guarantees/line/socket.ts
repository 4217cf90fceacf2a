// A WebSocket behind a line that can be broken. The socket itself is real; what happens to it here is what
// networks do: silence, delay, a broken connection, an answer that never arrives.
import type { WebSocketLike } from "@colloquy/sdk";

import type { Fate } from "../log/entries.ts";
import { Pipe, type Passage } from "./pipe.ts";

/** What a socket needs of its line. */
export interface SocketLine extends Passage {
  readonly down: boolean;
  frame(direction: "out" | "in", text: string, fate: Fate): void;
  /** Whether the answer to this frame must be lost. */
  losesAnswer(text: string): boolean;
  /** The lost answer has arrived at the near end of the line, and is dropped there. */
  answerLost(socket: FaultySocket): void;
  opened(socket: FaultySocket): void;
  closed(socket: FaultySocket): void;
}

type Listener = (event: { data?: unknown; code?: number; reason?: string }) => void;

export class FaultySocket implements WebSocketLike {
  #real: WebSocket | null = null;
  /** The client has received its close event, or has closed it. */
  #ended = false;
  #swallows = false;
  readonly #out: Pipe;
  readonly #in: Pipe;
  readonly #listeners: [type: string, run: Listener][] = [];

  constructor(
    readonly line: SocketLine,
    url: string,
    protocols: string[],
  ) {
    this.#out = new Pipe(line);
    this.#in = new Pipe(line);
    line.opened(this);
    if (line.down) queueMicrotask(() => this.break());
    else this.#out.push(() => this.#connect(url, protocols));
  }

  addEventListener(type: string, run: Listener): void {
    this.#listeners.push([type, run]);
  }

  send(text: string): void {
    if (this.#ended) return;
    this.line.frame("out", text, this.#out.waits ? "late" : null);
    if (this.line.losesAnswer(text)) this.#swallows = true;
    this.#out.push(() => this.#transmit(text));
  }

  /** Closed by the client. What it has sent before still leaves, as it would from a kernel's buffer. */
  close(code?: number, reason?: string): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#out.push(() => {
      this.#closeReal(code, reason);
      this.line.closed(this);
    });
  }

  /** The connection breaks at both ends, and what was on its way is lost. */
  break(): void {
    this.#out.clear();
    this.#in.clear();
    this.#closeReal();
    this.#end(1006, "");
    this.line.closed(this);
  }

  /** Delivers a frame that the server did not send. The frame log marks it. */
  inject(text: string): void {
    this.#in.push(() => this.#deliver(text, "injected"));
  }

  pump(): void {
    this.#out.pump();
    this.#in.pump();
  }

  #connect(url: string, protocols: string[]): void {
    if (this.#ended) return;
    const real = new WebSocket(url, protocols);
    this.#real = real;
    real.addEventListener("message", ({ data }) => this.#received(String(data)));
    real.addEventListener("close", ({ code, reason }) => {
      this.#in.push(() => {
        this.#end(code, reason);
        this.line.closed(this);
      });
    });
  }

  /** What arrives late at a connection that has ended is lost, as on any network. */
  #transmit(text: string): void {
    if (this.#real?.readyState === WebSocket.OPEN) this.#real.send(text);
  }

  #received(text: string): void {
    if (!this.#swallows) {
      this.#in.push(() => this.#deliver(text, null));
      return;
    }
    this.line.frame("in", text, "lost");
    if (/"type":"(ack|error)"/.test(text)) this.line.answerLost(this);
  }

  #deliver(data: string, fate: Fate): void {
    if (this.#ended) return;
    this.line.frame("in", data, fate);
    this.#emit("message", { data });
  }

  #end(code: number, reason: string): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#emit("close", { code, reason });
  }

  #emit(type: string, event: Parameters<Listener>[0]): void {
    for (const [name, run] of this.#listeners) if (name === type) run(event);
  }

  #closeReal(code?: number, reason?: string): void {
    const real = this.#real;
    // The browser reports an error for a socket that is closed while it opens.
    if (real?.readyState === WebSocket.CONNECTING) {
      real.addEventListener("open", () => real.close());
    } else {
      real?.close(code, reason);
    }
  }
}
