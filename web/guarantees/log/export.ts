// An entry of the log as a command for a terminal, and the log as NDJSON. Tokens are placeholders: the
// reader sets TOKEN to one of their own.
import type { LogEntry } from "./entries.ts";

export interface Target {
  /** Such as `https://chat.example.com`. */
  readonly origin: string;
  readonly conversationId: number;
}

const AUTHORIZATION = `-H "Authorization: Bearer $TOKEN"`;

/** What `copy` puts on the clipboard: a command for what a client sent, the JSON for what it received. */
export function toCommand(entry: LogEntry, target: Target): string {
  const { rest, direction, body } = entry;
  if (rest && direction === "out") return curl(rest.method, target.origin + rest.path, body);
  if (!rest && direction === "out" && body) return wscat(target, body);
  return body ?? entry.title;
}

function curl(method: string, url: string, body: string | null): string {
  const parts = ["curl", "-sS", "-X", method, quoted(url), AUTHORIZATION];
  if (body) parts.push("-H 'Content-Type: application/json'", "-d", quoted(body));
  return parts.join(" ");
}

function wscat({ origin, conversationId }: Target, frame: string): string {
  const url = `${origin.replace(/^http/, "ws")}/ws/chat/${conversationId}/`;
  return [
    "wscat",
    "-c",
    quoted(url),
    "-s chat.v2",
    AUTHORIZATION,
    "-w 2",
    "-x",
    quoted(frame),
  ].join(" ");
}

/** A word of a POSIX shell. */
const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

/** One JSON object a line, with the frame or body as JSON and not as text. */
export const toNdjson = (entries: readonly LogEntry[]): string =>
  entries.map((entry) => `${JSON.stringify(toRecord(entry))}\n`).join("");

function toRecord({ at, body, ...entry }: LogEntry): object {
  const present = Object.entries(entry).filter(([, value]) => value !== null);
  return { at: new Date(at).toISOString(), ...Object.fromEntries(present), body: parsed(body) };
}

function parsed(body: string | null): unknown {
  try {
    return body === null ? null : JSON.parse(body);
  } catch {
    return body;
  }
}
