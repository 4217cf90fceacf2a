// The one state that the light of a phone shows, made of the states of its line, login and conversation.
import type { ConnectionState, StreamState } from "@colloquy/sdk";

import type { LineState } from "../line/line.ts";

export type PhoneStatus =
  | { readonly name: "live" | "connecting" | "catching-up" | "signed-out" | "removed" }
  /** The client does not know yet that nothing passes. */
  | { readonly name: "unaware" }
  | { readonly name: "waiting"; readonly seconds: number }
  | { readonly name: "refused"; readonly code: number };

export interface Parts {
  readonly line: LineState;
  readonly client: ConnectionState;
  readonly stream: StreamState;
  /** By the clock of the phone. */
  readonly now: number;
}

export function statusOf({ line, client, stream, now }: Parts): PhoneStatus {
  if (client.name === "signed-out") return { name: "signed-out" };
  switch (stream.name) {
    case "live":
      return { name: line === "open" ? "live" : "unaware" };
    case "resuming":
      return { name: "catching-up" };
    case "waiting":
      return { name: "waiting", seconds: Math.max(0, Math.ceil((stream.retryAt - now) / 1000)) };
    case "refused":
      return stream.code === 4403 ? { name: "removed" } : { name: "refused", code: stream.code };
    default:
      return { name: "connecting" };
  }
}
