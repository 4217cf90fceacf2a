// What the frame log has: frames, requests and faults. Tokens, passwords and e-mail addresses are replaced
// before anything is kept, so that what is shown, copied or downloaded never has them.
import { withoutSecrets } from "./secrets.ts";

/** What the line did to a frame or request; `null` if it simply passed. */
export type Fate = null | "late" | "lost" | "injected";

export type FaultName =
  "silenced" | "disconnected" | "restored" | "delayed" | "ack-loss" | "clock-ahead";

/** What is recorded, as the line saw it. */
export type NewEntry =
  | { kind: "frame"; direction: "out" | "in"; text: string; fate: Fate }
  | { kind: "request"; method: string; url: string; body: string | null; fate: Fate }
  | { kind: "response"; method: string; url: string; status: number; body: string }
  | { kind: "fault"; name: FaultName; ms?: number };

export type EntryGroup = "send" | "event" | "connection" | "heartbeat" | "rest" | "fault";

export interface LogEntry {
  /** Counts from 1. */
  readonly n: number;
  /** Milliseconds since 1970. */
  readonly at: number;
  /** Whose line it is: the name of a phone, or of another sender. */
  readonly who: string;
  readonly group: EntryGroup;
  readonly direction: "out" | "in" | null;
  /** The types of the frames, method and path of a request, or the name of a fault. */
  readonly title: string;
  /** The frame or body, with secrets replaced; `null` if there is none. */
  readonly body: string | null;
  readonly fate: Fate;
  readonly rest: { method: string; path: string; status: number | null } | null;
  readonly ms: number | null;
}

export function toEntry(n: number, at: number, who: string, entry: NewEntry): LogEntry {
  const base = { n, at, who, direction: null, body: null, fate: null, rest: null, ms: null };
  switch (entry.kind) {
    case "frame": {
      const types = typesOf(entry.text);
      const group = groupOf(types[0] ?? "");
      const body = withoutSecrets(entry.text);
      const { direction, fate } = entry;
      return { ...base, group, direction, title: summary(types), body, fate };
    }
    case "request":
    case "response": {
      const path = new URL(entry.url).pathname + new URL(entry.url).search;
      const request = entry.kind === "request";
      const status = request ? null : entry.status;
      return {
        ...base,
        group: "rest",
        direction: request ? "out" : "in",
        title: request ? `${entry.method} ${path}` : `${status} ${entry.method} ${path}`,
        body: entry.body ? withoutSecrets(entry.body) : null,
        fate: request ? entry.fate : null,
        rest: { method: entry.method, path, status },
      };
    }
    case "fault":
      return { ...base, group: "fault", title: entry.name, ms: entry.ms ?? null };
  }
}

function typesOf(text: string): string[] {
  try {
    const value: unknown = JSON.parse(text);
    const frames = Array.isArray(value) ? value : [value];
    return frames.map((frame: { type?: unknown }) => String(frame.type ?? "unknown"));
  } catch {
    return ["unreadable"];
  }
}

const summary = ([first = "unknown", ...rest]: readonly string[]): string =>
  rest.length === 0 ? first : `${first} ×${rest.length + 1}`;

function groupOf(type: string): EntryGroup {
  switch (type) {
    case "ping":
    case "pong":
      return "heartbeat";
    case "send":
    case "ack":
    case "error":
      return "send";
    case "message":
    case "message.edited":
    case "message.deleted":
    case "member":
    case "batch":
      return "event";
    default:
      return "connection";
  }
}
