/** The connection of a client as a whole, from its parts. */
import type { ConnectionState, SignedOutCode, StreamState } from "../types.js";

/** Failed attempts in a row after which a client is shown as offline. */
const OFFLINE_ATTEMPTS = 3;

export interface Parts {
  running: boolean;
  started: boolean;
  signedOut: SignedOutCode | null;
  online: boolean;
  /** Login, user and list. */
  session: StreamState;
  /** The held conversations. */
  streams: readonly StreamState[];
  /** Some conversation, held or not, has a socket that answers. */
  connected: boolean;
}

type Waiting = Extract<StreamState, { name: "waiting" }>;

/**
 * `live` only if nothing that is held is incomplete; `offline` only if nothing answers. What the
 * page reports about its network is a hint: it may have none, and still reach a server on the
 * same machine.
 */
export function overall(parts: Parts): ConnectionState {
  if (parts.signedOut) return { name: "signed-out", code: parts.signedOut };
  if (!parts.running) return { name: parts.started ? "stopped" : "idle" };
  const states = [parts.session, ...parts.streams];
  const waiting = states
    .filter((state): state is Waiting => state.name === "waiting")
    .sort((a, b) => b.attempt - a.attempt)[0];
  const unreachable = !parts.online && parts.session.name !== "live";
  const failing = waiting !== undefined && waiting.attempt >= OFFLINE_ATTEMPTS;
  if (!parts.connected && (unreachable || failing)) {
    return { name: "offline", retryAt: waiting?.retryAt ?? null };
  }
  if (waiting) return waiting;
  const connecting =
    parts.session.name === "closed" ||
    states.some(({ name }) => name === "connecting" || name === "resuming");
  return { name: connecting ? "connecting" : "live" };
}
