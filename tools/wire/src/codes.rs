//! Error codes, close codes and limits, from the enums and constants of proto.

use colloquy_proto::domain::{ClientMessageId, MAX_MENTIONS, MAX_MESSAGE_CHARS};
use colloquy_proto::protocol::{
    CloseCode, ErrorCode, HEARTBEAT_SECONDS, HEARTBEAT_TIMEOUT_SECONDS, MAX_COMMANDS_PER_FRAME,
    MAX_FRAME_BYTES, MAX_RESUME_EVENTS, MAX_SOCKETS_PER_USER,
};

use crate::json::{Json, object, text};

/// Every close code: the number, a name for programs, the reason text, and what the client does.
pub(crate) fn close_codes() -> Json {
    let rows = CloseCode::ALL.iter().map(|close| {
        object([
            ("code", Json::Number(close.code().into())),
            ("name", text(format!("{close:?}"))),
            ("reason", text(close.reason())),
            ("description", text(close.description())),
            ("action", text(close.action().as_str())),
            ("action_description", text(close.action().description())),
        ])
    });
    Json::Array(rows.collect())
}

/// Every error code, of REST and WebSocket.
pub(crate) fn error_codes() -> Json {
    let rows = ErrorCode::ALL.iter().map(|code| {
        object([
            ("code", text(code.as_str())),
            ("http_status", Json::Number(code.status().into())),
            ("retryable", Json::Bool(code.retryable())),
            ("description", text(code.description())),
        ])
    });
    Json::Array(rows.collect())
}

/// Limits of sizes: name, value, description.
const SIZES: [(&str, usize, &str); 7] = [
    (
        "message_chars",
        MAX_MESSAGE_CHARS,
        "Maximum characters (Unicode scalar values) of a message.",
    ),
    (
        "mentions",
        MAX_MENTIONS,
        "Maximum mentioned users of a message.",
    ),
    (
        "client_message_id_chars",
        ClientMessageId::MAX_CHARS,
        "Maximum characters of an idempotency key.",
    ),
    (
        "frame_bytes",
        MAX_FRAME_BYTES,
        "Maximum bytes of a frame from a client. A larger one closes the socket with 4413.",
    ),
    (
        "frame_commands",
        MAX_COMMANDS_PER_FRAME,
        "Maximum commands in one frame, which is then an array.",
    ),
    (
        "resume_events",
        MAX_RESUME_EVENTS,
        "Maximum events that a resume delivers. If more are missing, it is answered with `reset`.",
    ),
    (
        "sockets_per_user",
        MAX_SOCKETS_PER_USER,
        "Maximum sockets of a user in a conversation. A further one replaces a silent one, or is closed with 4409.",
    ),
];

/// Limits of time.
const TIMES: [(&str, i64, &str); 2] = [
    (
        "heartbeat_seconds",
        HEARTBEAT_SECONDS,
        "How often a client sends a ping.",
    ),
    (
        "heartbeat_timeout_seconds",
        HEARTBEAT_TIMEOUT_SECONDS,
        "A client that is silent for this long may be closed with 4002.",
    ),
];

/// The limits that are constants of the protocol. `hello` repeats what a client needs, with those
/// that are settings.
pub(crate) fn limits() -> Json {
    let limit = |(name, value, description): (&str, serde_json::Number, &str)| {
        object([
            ("name", text(name)),
            ("value", Json::Number(value)),
            ("description", text(description)),
        ])
    };
    let sizes = SIZES.map(|(name, value, description)| (name, value.into(), description));
    let times = TIMES.map(|(name, value, description)| (name, value.into(), description));
    Json::Array(sizes.into_iter().chain(times).map(limit).collect())
}
