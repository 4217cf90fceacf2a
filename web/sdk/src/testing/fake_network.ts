/**
 * The network between a `FakeServer` and one device: latency, and every way in which a line fails.
 * Frames of one socket keep their order, as those of TCP do.
 */
import type { Clock, WebSocketFactory, WebSocketLike } from "../platform/ports.js";

/** What a network does to one frame. A duplicate comes late, after other frames. */
export type Fate = "pass" | "lose" | "duplicate";

const LATE_MS = 700;

/** The server's end of a socket. */
export interface ServerSocket {
  receive(text: string): void;
  /** The client closed, or the line is gone. */
  gone(): void;
}

export interface ClientEnd {
  send(text: string): void;
  close(code: number, reason: string): void;
}

export interface NetworkServer {
  accept(conversationId: number, token: string, client: ClientEnd): ServerSocket | null;
  answer(request: FakeRequest): FakeAnswer;
}

export interface FakeRequest {
  method: string;
  path: string;
  token: string | null;
  body: unknown;
}

export interface FakeAnswer {
  status: number;
  body?: unknown;
  headers?: Record<string, string>;
}

export class FakeNetwork {
  /** The time a frame takes, in milliseconds. */
  latency: () => number = () => 5;
  /** No connection can be made, and what is open is silent. */
  down = false;
  /** Decides about each frame; `in` comes from the server. Default: all pass. */
  fate: (direction: "in" | "out", text: string) => Fate = () => "pass";
  /** Decides about each request: whether it arrives, and whether its answer does. */
  requestFate: (request: FakeRequest) => "pass" | "lose request" | "lose answer" = () => "pass";
  readonly #sockets = new Set<FakeSocket>();
  readonly WebSocket: WebSocketFactory;
  readonly fetch: typeof fetch;

  constructor(
    readonly clock: Clock,
    readonly server: NetworkServer,
  ) {
    const open = (url: string, protocols: string[]): FakeSocket => {
      const socket = new FakeSocket(this, url, protocols);
      this.#sockets.add(socket);
      return socket;
    };
    this.WebSocket = class {
      constructor(url: string, protocols: string[]) {
        return open(url, protocols);
      }
    } as WebSocketFactory;
    this.fetch = (input, init) => this.#request(String(input), init);
  }

  get sockets(): number {
    return this.#sockets.size;
  }

  /** Makes every open socket silent permanently, both ways: a half-open line. */
  silence(): void {
    for (const socket of this.#sockets) socket.silent = true;
  }

  /** Ends every socket; both ends notice. */
  drop(code = 1006, reason = ""): void {
    for (const socket of [...this.#sockets]) socket.end(code, reason);
  }

  /** Ends the device: nothing of it happens any more, and no callback is called. */
  kill(): void {
    for (const socket of [...this.#sockets]) socket.vanish();
    this.down = true;
  }

  forget(socket: FakeSocket): void {
    this.#sockets.delete(socket);
  }

  async #request(url: string, init?: RequestInit): Promise<Response> {
    const headers = (init?.headers ?? {}) as Record<string, string>;
    const request: FakeRequest = {
      method: init?.method ?? "GET",
      path: url.replace(/^[a-z]+:\/\/[^/]*/, ""),
      token: headers["authorization"]?.replace("Bearer ", "") ?? null,
      body: typeof init?.body === "string" ? JSON.parse(init.body) : undefined,
    };
    const fate = this.down ? "lose request" : this.requestFate(request);
    await this.#travel(init?.signal);
    if (fate === "lose request") throw new TypeError("fetch failed");
    const answer = this.server.answer(request);
    await this.#travel(init?.signal);
    if (fate === "lose answer" || this.down) throw new TypeError("fetch failed");
    return toResponse(answer);
  }

  #travel(signal: AbortSignal | null | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const cancel = this.clock.after(this.latency(), resolve);
      signal?.addEventListener("abort", () => {
        cancel();
        reject(new DOMException("aborted", "AbortError"));
      });
    });
  }
}

/** The part of a response that the SDK reads. */
function toResponse({ status, body, headers = {} }: FakeAnswer): Response {
  const text = body === undefined ? "" : JSON.stringify(body);
  const response = {
    status,
    ok: status >= 200 && status < 300,
    headers: { get: (name: string) => headers[name] ?? null },
    text: () => Promise.resolve(text),
  };
  return response as unknown as Response;
}

type Listener = (event: { data?: string; code?: number; reason?: string }) => void;

class FakeSocket implements WebSocketLike {
  /** Always open, as on a dead line: a client that believes it does not notice. */
  readonly readyState = 1;
  silent = false;
  #ended = false;
  #server: ServerSocket | null = null;
  readonly #listeners: [string, Listener][] = [];
  readonly #lastAt = { in: 0, out: 0 };

  constructor(
    readonly network: FakeNetwork,
    url: string,
    protocols: string[],
  ) {
    const conversationId = Number(/\/ws\/chat\/(\d+)\//.exec(url)?.[1]);
    const token = protocols.find((name) => name.startsWith("bearer."))?.slice(7) ?? "";
    if (network.down) {
      network.clock.after(network.latency(), () => this.end(1006, ""));
      return;
    }
    this.#travel("out", () => {
      this.#server = network.server.accept(conversationId, token, {
        send: (text) => this.#carry("in", text),
        close: (code, reason) => this.#travel("in", () => this.end(code, reason)),
      });
    });
  }

  addEventListener(type: string, listener: Listener): void {
    this.#listeners.push([type, listener]);
  }

  send(text: string): void {
    this.#carry("out", text);
  }

  close(): void {
    this.#ended = true;
    this.network.forget(this);
    this.#server?.gone();
  }

  end(code: number, reason: string): void {
    if (this.#ended) return;
    this.close();
    if (!this.silent) this.#emit("close", { code, reason });
  }

  vanish(): void {
    this.silent = true;
    this.close();
  }

  #carry(direction: "in" | "out", text: string): void {
    const fate = this.network.fate(direction, text);
    if (fate === "lose") return;
    const arrive = (): void => {
      if (direction === "in") this.#emit("message", { data: text });
      else this.#server?.receive(text);
    };
    this.#travel(direction, arrive);
    if (fate === "duplicate") this.#after(LATE_MS, arrive);
  }

  /** Runs `arrive` after the latency, in the order of the calls. */
  #travel(direction: "in" | "out", arrive: () => void): void {
    const { clock, latency } = this.network;
    const at = Math.max(clock.now() + latency(), this.#lastAt[direction]);
    this.#lastAt[direction] = at;
    this.#after(at - clock.now(), arrive);
  }

  #after(ms: number, arrive: () => void): void {
    this.network.clock.after(ms, () => {
      // A line that loses one frame delivers nothing after it.
      if (this.network.down) this.silent = true;
      if (!this.#ended && !this.silent) arrive();
    });
  }

  #emit(type: string, event: Parameters<Listener>[0]): void {
    for (const [name, listener] of this.#listeners) if (name === type) listener(event);
  }
}
