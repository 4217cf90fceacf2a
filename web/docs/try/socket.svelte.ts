// A socket of the console and everything that went over it.
import { withoutSecrets } from "../../guarantees/log/secrets.ts";
import type { CloseCode } from "../model/asyncapi.ts";

export interface LogLine {
  readonly key: number;
  /** Since the socket was opened. */
  readonly ms: number;
  readonly kind: "sent" | "received" | "state";
  readonly text: string;
  /** The close code, whose row the line links to. */
  readonly closed?: number;
}

/** Older lines are dropped: a console that is left open must not grow. */
const MOST_LINES = 500;

export class ConsoleSocket {
  state = $state<"closed" | "opening" | "open">("closed");
  lines = $state.raw<readonly LogLine[]>([]);
  readonly #closes: ReadonlyMap<number, CloseCode>;
  #socket: WebSocket | null = null;
  #opened = 0;
  #next = 0;

  constructor(closes: readonly CloseCode[]) {
    this.#closes = new Map(closes.map((close) => [close.code, close]));
  }

  open(path: string, access: string): void {
    this.close();
    this.lines = [];
    this.#opened = performance.now();
    const url = new URL(path, location.href);
    url.protocol = url.protocol.replace("http", "ws");
    const socket = new WebSocket(url, ["chat.v2", `bearer.${access}`]);
    this.#socket = socket;
    this.state = "opening";
    this.#log("state", `connecting to ${path}`);
    socket.onopen = () => {
      this.state = "open";
      this.#log("state", "open");
    };
    socket.onmessage = ({ data }) => this.#log("received", String(data));
    socket.onclose = ({ code, reason }) => this.#closed(socket, code, reason);
  }

  send(text: string): void {
    this.#socket?.send(text);
    // The token of an `auth` frame must not be on a screen that is shown or copied.
    this.#log("sent", withoutSecrets(text));
  }

  close(): void {
    this.#socket?.close(1000);
  }

  clear(): void {
    this.lines = [];
  }

  #closed(socket: WebSocket, code: number, reason: string): void {
    if (socket !== this.#socket) return;
    this.#socket = null;
    this.state = "closed";
    const known = this.#closes.get(code);
    const action = known ? `. The client: ${known.action.replaceAll("`", "")}` : "";
    const text = `closed with ${code}${reason && ` ${reason}`}${action}`;
    this.#log("state", text, known ? code : undefined);
  }

  #log(kind: LogLine["kind"], text: string, closed?: number): void {
    const ms = Math.round(performance.now() - this.#opened);
    const line = { key: this.#next++, ms, kind, text, ...(closed !== undefined && { closed }) };
    this.lines = [...this.lines, line].slice(-MOST_LINES);
  }
}
