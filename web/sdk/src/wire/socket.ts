/**
 * Frames of a v2 socket, as `docs/protocol.md` defines them, and the codes of errors and closes.
 *
 * Owns no behaviour. Clients ignore frames and fields they do not know.
 */

export interface Send {
  type: "send";
  client_message_id: string;
  message: string;
  reply_to?: number | null;
  mentions?: number[];
}

export interface Resume {
  type: "resume";
  since: number;
  epoch: string | null;
}

export interface Auth {
  type: "auth";
  token: string;
}

export interface Ping {
  type: "ping";
}

/** What a client sends. */
export type ClientFrame = Send | Resume | Auth | Ping;

export interface Limits {
  message_chars: number;
  frame_bytes: number;
  frame_commands: number;
  resume_events: number;
  /** Least time between two sends; 0 without a throttle. */
  throttle_ms: number;
}

export interface Hello {
  type: "hello";
  v: number;
  conversation_id: number;
  epoch: string;
  seq: number;
  number: number;
  user_id: number;
  heartbeat_s: number;
  token_expires_at: string;
  server_time: string;
  limits: Limits;
}

export interface Ack {
  type: "ack";
  client_message_id: string;
  message_id: number;
  seq: number;
  number: number;
  timestamp: string;
  duplicate: boolean;
}

export interface MessageEvent {
  type: "message";
  seq: number;
  number: number;
  message_id: number;
  message: string;
  sender_id: number;
  sender: string;
  timestamp: string;
  client_message_id: string | null;
  reply_to: number | null;
  mentions: number[];
  version: number;
}

export interface EditedEvent {
  type: "message.edited";
  seq: number;
  message_id: number;
  message: string;
  version: number;
  user_id: number;
  timestamp: string;
}

export interface DeletedEvent {
  type: "message.deleted";
  seq: number;
  message_id: number;
  version: number;
  user_id: number;
  timestamp: string;
}

export interface MemberEvent {
  type: "member";
  seq: number;
  user_id: number;
  username: string;
  change: "joined" | "left";
  by: number;
  timestamp: string;
}

/** A durable event: received by every member in the order of `seq`. */
export type DurableEvent = MessageEvent | EditedEvent | DeletedEvent | MemberEvent;

export interface Batch {
  type: "batch";
  events: DurableEvent[];
}

export interface Sync {
  type: "sync";
  from: number;
  to: number;
  count: number;
  complete: boolean;
}

export interface Reset {
  type: "reset";
  reason: "too_old" | "epoch_changed";
  seq: number;
  epoch: string;
}

export interface AuthExpiring {
  type: "auth.expiring";
  in_s: number;
}

export interface AuthOk {
  type: "auth.ok";
  token_expires_at: string;
  server_time: string;
}

export interface ErrorReply {
  type: "error";
  error: string;
  code: ErrorCode;
  retryable: boolean;
  client_message_id?: string;
  retry_after_ms?: number;
}

export interface Pong {
  type: "pong";
}

/** What a server sends. */
export type ServerFrame =
  Hello | Ack | DurableEvent | Batch | Sync | Reset | AuthExpiring | AuthOk | ErrorReply | Pong;

/** Error codes of REST and socket. */
export type ErrorCode =
  | "malformed"
  | "invalid"
  | "unknown_type"
  | "invalid_host"
  | "not_authenticated"
  | "bad_credentials"
  | "token_invalid"
  | "token_expired"
  | "session_revoked"
  | "not_member"
  | "forbidden"
  | "not_found"
  | "method_not_allowed"
  | "request_timeout"
  | "conflict"
  | "too_large"
  | "unsupported_media_type"
  | "upgrade_required"
  | "throttled"
  | "too_many_attempts"
  | "internal"
  | "unavailable"
  | "overloaded";
