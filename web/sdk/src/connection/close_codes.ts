/**
 * What a client does after a close: the table of `docs/protocol.md` as a function.
 *
 * Codes of later servers are classified by their range, so that an old client does the right
 * thing: 40xx reconnect, 41xx wait, 42xx get a token, 44xx stop.
 */

export type CloseReaction =
  /** Connect again after a backoff. */
  | { do: "reconnect" }
  /** Connect again after this time, with jitter. */
  | { do: "wait"; ms: number }
  /** Get a token, then connect at once. */
  | { do: "renew" }
  /** The token or its session is not valid. */
  | { do: "reauthenticate" }
  /** This conversation is over for now; with a time: until then. */
  | { do: "refuse"; retryMs: number | null };

const DEFAULT_WAIT_MS = 5_000;
const SOCKETS_WAIT_MS = 60_000;

export function closeReaction(code: number, reason: string): CloseReaction {
  const afterMs = /after_ms=(\d+)/.exec(reason)?.[1];
  switch (code) {
    case 1002:
    case 1007:
      return { do: "refuse", retryMs: null };
    case 4401:
      return { do: "reauthenticate" };
    case 4409:
      return { do: "refuse", retryMs: afterMs ? Number(afterMs) : SOCKETS_WAIT_MS };
  }
  switch (Math.floor(code / 100)) {
    case 41:
      return { do: "wait", ms: afterMs ? Number(afterMs) : DEFAULT_WAIT_MS };
    case 42:
      return { do: "renew" };
    case 44:
      return { do: "refuse", retryMs: null };
    default:
      return { do: "reconnect" };
  }
}
