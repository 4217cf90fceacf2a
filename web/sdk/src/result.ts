/**
 * Outcomes as values. Public calls of the SDK never throw or reject for what a network, a server
 * or a storage does; they return a `Result`.
 */
import type { ErrorCode as ServerErrorCode } from "./wire/socket.js";

export type { ServerErrorCode };

/** Codes the SDK itself gives, beside those of the server. */
export type ClientErrorCode =
  /** No answer: the line is down, or the request took too long. */
  | "network"
  /** The answer is not one of this protocol, for example a page of a proxy. */
  | "unexpected"
  /** The login is over; log in again. */
  | "signed_out"
  /** The item waited longer than a day and is not sent without a person's decision. */
  | "too_old"
  /** The item was cancelled before it was transmitted. */
  | "cancelled";

export type ErrorCode = ServerErrorCode | ClientErrorCode;

export interface ChatError {
  code: ErrorCode;
  /** A sentence for people, in English. */
  message: string;
  /** Whether the same request may succeed later. */
  retryable: boolean;
  retryAfterMs?: number;
  /** The id under which the server logged the request. */
  requestId?: string;
  /** With `invalid`: sentences by field. */
  fields?: Record<string, string[]>;
}

export type Result<T> = { ok: true; value: T } | { ok: false; error: ChatError };

export const ok = <T>(value: T): Result<T> => ({ ok: true, value });

/** The result without its value. */
export const done = (result: Result<unknown>): Result<void> => (result.ok ? ok(undefined) : result);

export const fail = (
  code: ErrorCode,
  message: string,
  more: Partial<ChatError> = {},
): { ok: false; error: ChatError } => ({
  ok: false,
  error: { code, message, retryable: false, ...more },
});

/** A page was read for another user, or from another history of the database. */
export const OUTDATED = fail("network", "It changed while it was read.", { retryable: true });
