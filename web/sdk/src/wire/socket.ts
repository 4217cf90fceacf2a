// Frames, codes and limits of the WebSocket protocol.
// Generated from web/wire/asyncapi.json by `cargo xtask wire`; do not edit.

/** A command of a v2 client. */
export type ClientFrame = Send | Resume | Auth | Ping;

/** A frame that a v2 client receives. */
export type ServerFrame =
  | Hello
  | Ack
  | Batch
  | Sync
  | Reset
  | AuthExpiring
  | AuthOk
  | ErrorReply
  | Pong
  | MessageEvent
  | EditedEvent
  | DeletedEvent
  | MemberEvent;

/** A durable event. It has a `seq`, and is the same frame for every member. */
export type DurableEvent = MessageEvent | EditedEvent | DeletedEvent | MemberEvent;

/** A frame of a v1 client. */
export type V1ClientFrame = V1Send | Ping;

/** A frame that a v1 client receives. */
export type V1ServerFrame = MessageEvent | V1ErrorReply | Pong;

/** Several commands in one frame. Each is answered by itself, in order. */
export type ClientFrameArray = ClientFrame[];

/** A message to store and broadcast. */
export interface Send {
  type: "send";
  /**
   * The idempotency key of the message, unique per conversation and sender without time limit.
   * The same key with a repeated send returns the first result.
   */
  client_message_id: string;
  /** The text: at least one visible character, no U+0000. */
  message: string;
  /** The id of the message it replies to, of the same conversation. */
  reply_to?: number | null;
  /** The ids of the mentioned users. Those of users who are not members are dropped. */
  mentions?: number[] | null;
}

/** Asks for every event after a position, usually the first frame after a reconnect. */
export interface Resume {
  type: "resume";
  /** The position (`seq`) of the last event the client has; 0 before the first. */
  since: number;
  /** The history of that event, as `hello` named it; absent when the client does not know it. */
  epoch?: string | null;
}

/** Continues with a renewed access token of the same session. */
export interface Auth {
  type: "auth";
  /** The access token. */
  token: string;
}

/** Shows that the client is alive. Sent every `heartbeat_s` seconds. */
export interface Ping {
  type: "ping";
}

/** The first frame of a v2 connection: its position and limits. */
export interface Hello {
  type: "hello";
  /** The version of the protocol: 2. */
  v: 2;
  /** The id of the conversation. */
  conversation_id: number;
  /** The history that `seq` belongs to. */
  epoch: string;
  /** The position of the newest event; live delivery continues with the next. */
  seq: number;
  /** How many messages the conversation has had. */
  number: number;
  /** The id of the connected user. */
  user_id: number;
  /** The ping interval in seconds. */
  heartbeat_s: number;
  /** When the access token expires. */
  token_expires_at: string;
  /** The server's clock when the frame was made. */
  server_time: string;
  /** The limits for commands. */
  limits: Limits;
}

/** A send was stored, now or earlier. */
export interface Ack {
  type: "ack";
  /** The sender's idempotency key. */
  client_message_id: string;
  /** The id of the message. */
  message_id: number;
  /** The position of the event. */
  seq: number;
  /** The ordinal of the message. */
  number: number;
  /** When it was stored. */
  timestamp: string;
  /** Whether an earlier send stored it. */
  duplicate: boolean;
}

/** Several events in one frame. Each is handled as if it had been sent alone. */
export interface Batch {
  type: "batch";
  /** Complete events, in the order of `seq`. */
  events: DurableEvent[];
}

/** All events requested by a `resume` have been sent. */
export interface Sync {
  type: "sync";
  /** The requested position. */
  from: number;
  /** The reached position; live delivery continues with the next. */
  to: number;
  /** The number of events sent. */
  count: number;
  /** Always true: `sync` is only sent for a complete resume. */
  complete: true;
}

/** A `resume` is not possible; the client reloads the history and continues from `seq`. */
export interface Reset {
  type: "reset";
  /** Why no resume is possible. */
  reason: ResetReason;
  /** The position of the newest event; live delivery continues with the next. */
  seq: number;
  /** The history that `seq` belongs to. */
  epoch: string;
}

/** The access token expires soon; the client sends `auth`. */
export interface AuthExpiring {
  type: "auth.expiring";
  /** The remaining seconds until the token expires. */
  in_s: number;
}

/** The new token was accepted. */
export interface AuthOk {
  type: "auth.ok";
  /** When the new token expires. */
  token_expires_at: string;
  /** The server's clock when the frame was made. */
  server_time: string;
}

/** A command was rejected and had no other effect. */
export interface ErrorReply {
  type: "error";
  /** A sentence for people. */
  error: string;
  /** The code, for programs. */
  code: ErrorCode;
  /** The idempotency key of the send it belongs to; absent for other commands. */
  client_message_id?: string;
  /** Whether the same command may succeed later. */
  retryable: boolean;
  /**
   * The time to wait before the same command may succeed, in milliseconds; with `throttled`
   * always.
   */
  retry_after_ms?: number;
}

/** The answer to a ping. */
export interface Pong {
  type: "pong";
}

/**
 * A new message, sent to every member including the sender. Contains the fields of a v1 frame
 * and further ones.
 */
export interface MessageEvent {
  type: "message";
  /** The position of the event. */
  seq: number;
  /** The ordinal of the message. */
  number: number;
  /** The id of the message. */
  message_id: number;
  /** The text; empty if the message was deleted later. */
  message: string;
  /** The sender's id. */
  sender_id: number;
  /** The sender's username. */
  sender: string;
  /** When it was stored. */
  timestamp: string;
  /** The sender's idempotency key, if any. */
  client_message_id: string | null;
  /** The id of the message it replies to, if any. */
  reply_to: number | null;
  /** The ids of the mentioned users. */
  mentions: number[];
  /**
   * 1 when sent, incremented by every edit and by the deletion. The text belongs to this
   * version: an event read after an edit has the new text and version.
   */
  version: number;
}

/** A message was edited. Of several texts, the one with the highest version is current. */
export interface EditedEvent {
  type: "message.edited";
  /** The position of the event. */
  seq: number;
  /** The id of the message. */
  message_id: number;
  /** The new text; empty if the message was deleted later. */
  message: string;
  /** The version of this text. */
  version: number;
  /** The id of the user who edited it. */
  user_id: number;
  /** When it happened. */
  timestamp: string;
}

/** A message was deleted and has no text any more. */
export interface DeletedEvent {
  type: "message.deleted";
  /** The position of the event. */
  seq: number;
  /** The id of the message. */
  message_id: number;
  /** The last version, which has no text. */
  version: number;
  /** The id of the user who deleted it. */
  user_id: number;
  /** When it happened. */
  timestamp: string;
}

/** A member was added or removed. */
export interface MemberEvent {
  type: "member";
  /** The position of the event. */
  seq: number;
  /** The member's id. */
  user_id: number;
  /** The member's username. */
  username: string;
  /** Whether the user joined or left. */
  change: MemberChange;
  /** The id of the user who made the change: the member itself when it left. */
  by: number;
  /** When it happened. */
  timestamp: string;
}

/** A message to store and broadcast, as a v1 client sends it. */
export interface V1Send {
  /** The text: at least one visible character, no U+0000. */
  message: string;
}

/**
 * A message was rejected and not stored. v1 clients know the field `error`, the others were
 * added.
 */
export interface V1ErrorReply {
  /** A sentence for people. */
  error: string;
  /** The code, for programs. */
  code: ErrorCode;
  /** Whether the same command may succeed later. */
  retryable: boolean;
  /**
   * The time to wait before the same command may succeed, in milliseconds; with `throttled`
   * always.
   */
  retry_after_ms?: number;
}

/** The limits for commands, sent in `hello`. */
export interface Limits {
  /** Maximum characters per message. */
  message_chars: number;
  /** Maximum bytes per frame. */
  frame_bytes: number;
  /** Maximum commands per frame. */
  frame_commands: number;
  /** Maximum events per resume. */
  resume_events: number;
  /** Minimum milliseconds between two sends; 0 means unthrottled. */
  throttle_ms: number;
}

/** A change of a membership. */
export type MemberChange = "joined" | "left";

/** Why a connection is reset. */
export type ResetReason = "too_old" | "epoch_changed";

/** The code of an error, for programs. REST and WebSocket have the same codes. */
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

/** The path of a conversation's socket. */
export const SOCKET_PATH = "/ws/chat/{conversation_id}/";

/** The subprotocol of v2. */
export const SUBPROTOCOL = "chat.v2";

/** Every close code: its reason and what the client does. */
export const CLOSE_CODES = {
  /** A frame that violates RFC 6455, where the host sees it. Client: do not reconnect. */
  1002: { name: "ProtocolError", reason: "protocol error", action: "stop" },
  /**
   * A text frame that is not UTF-8, where the host sees it (RFC 6455 §8.1). Client: do not
   * reconnect.
   */
  1007: { name: "InvalidUtf8", reason: "invalid UTF-8", action: "stop" },
  /**
   * The server is stopping or restarting, or the client has to be authorized again. Client:
   * reconnect with jitter, then resume.
   */
  4000: { name: "Restarting", reason: "restarting", action: "reconnect" },
  /** The client reads more slowly than events arrive. Client: reconnect with jitter, then resume. */
  4001: { name: "SlowConsumer", reason: "slow consumer", action: "reconnect" },
  /** No heartbeat for too long. Client: reconnect with jitter, then resume. */
  4002: { name: "HeartbeatLost", reason: "heartbeat lost", action: "reconnect" },
  /**
   * Too many frames or too many errors in a short time. Client: reconnect after the `after_ms`
   * of the reason.
   */
  4100: { name: "Flooding", reason: "flooding; after_ms=10000", action: "reconnect_after" },
  /**
   * The server or its database is overloaded. Client: reconnect after the `after_ms` of the
   * reason.
   */
  4101: { name: "Overloaded", reason: "overloaded; after_ms=2000", action: "reconnect_after" },
  /** The access token expired. Client: get a new token, then reconnect. */
  4200: { name: "TokenExpired", reason: "token expired", action: "renew_token" },
  /** A frame that this protocol does not have, such as a binary one. Client: do not reconnect. */
  4400: { name: "Malformed", reason: "malformed", action: "stop" },
  /** No valid token, or its session is revoked. Client: do not reconnect. */
  4401: { name: "TokenInvalid", reason: "token invalid or session revoked", action: "stop" },
  /** The user is not, or no longer, a member. Client: do not reconnect. */
  4403: { name: "NotMember", reason: "not a member", action: "stop" },
  /** There is no such conversation. Client: do not reconnect. */
  4404: { name: "NoSuchConversation", reason: "no such conversation", action: "stop" },
  /**
   * The user has too many sockets in this conversation, none of them silent. Client: reconnect
   * after the `after_ms` of the reason.
   */
  4409: {
    name: "TooManySockets",
    reason: "too many sockets; after_ms=25000",
    action: "reconnect_after",
  },
  /** A frame larger than permitted. Client: do not reconnect. */
  4413: { name: "FrameTooLarge", reason: "frame too large", action: "stop" },
} as const;

/** A close code. */
export type CloseCode = keyof typeof CLOSE_CODES;

/** What a client does after a close. */
export type CloseAction = (typeof CLOSE_CODES)[CloseCode]["action"];

/** Every error code: its HTTP status and whether to try again. */
export const ERROR_CODES = {
  /** Not JSON, not an object, or a field of the wrong type. */
  malformed: { status: 400, retryable: false },
  /** Well formed, but a field is invalid; the response names the fields. */
  invalid: { status: 400, retryable: false },
  /** A frame with an unknown `type`. */
  unknown_type: { status: 400, retryable: false },
  /** The Host header is not a host of this server. */
  invalid_host: { status: 400, retryable: false },
  /** Credentials are required. */
  not_authenticated: { status: 401, retryable: false },
  /** Wrong username or password, without saying which. */
  bad_credentials: { status: 401, retryable: false },
  /** The token is forged, malformed or of the wrong kind. */
  token_invalid: { status: 401, retryable: false },
  /** The token has expired. */
  token_expired: { status: 401, retryable: false },
  /** The session of the token is revoked. */
  session_revoked: { status: 401, retryable: false },
  /** The conversation exists and the caller is not a member of it. */
  not_member: { status: 403, retryable: false },
  /** The caller is a member, but may not do this. */
  forbidden: { status: 403, retryable: false },
  /** The resource does not exist. */
  not_found: { status: 404, retryable: false },
  /** The path exists, but not with this method. */
  method_not_allowed: { status: 405, retryable: false },
  /** The request body did not arrive in time. */
  request_timeout: { status: 408, retryable: true },
  /**
   * The request conflicts with the current state, such as an idempotency key already used for
   * another request.
   */
  conflict: { status: 409, retryable: false },
  /** The body or frame is larger than permitted. */
  too_large: { status: 413, retryable: false },
  /** The body is not `application/json`. */
  unsupported_media_type: { status: 415, retryable: false },
  /** The path accepts WebSocket upgrades only. */
  upgrade_required: { status: 426, retryable: false },
  /** More than one message per throttle period, or a budget of requests is used up. */
  throttled: { status: 429, retryable: true },
  /** Too many attempts to log in or register. */
  too_many_attempts: { status: 429, retryable: true },
  /** An internal error; the log has it under the request id. */
  internal: { status: 500, retryable: true },
  /** The database is unavailable or did not respond in time; nothing was acknowledged. */
  unavailable: { status: 503, retryable: true },
  /** The server is overloaded. */
  overloaded: { status: 503, retryable: true },
} as const;

/** The limits that are the same on every server. */
export const PROTOCOL_LIMITS = {
  /** Maximum characters (Unicode scalar values) of a message. */
  message_chars: 4000,
  /** Maximum mentioned users of a message. */
  mentions: 50,
  /** Maximum characters of an idempotency key. */
  client_message_id_chars: 64,
  /** Maximum bytes of a frame from a client. A larger one closes the socket with 4413. */
  frame_bytes: 65536,
  /** Maximum commands in one frame, which is then an array. */
  frame_commands: 20,
  /** Maximum events that a resume delivers. If more are missing, it is answered with `reset`. */
  resume_events: 300,
  /**
   * Maximum sockets of a user in a conversation. A further one replaces a silent one, or is
   * closed with 4409.
   */
  sockets_per_user: 20,
  /** How often a client sends a ping. */
  heartbeat_seconds: 25,
  /** A client that is silent for this long may be closed with 4002. */
  heartbeat_timeout_seconds: 75,
} as const;
