//! Replies: frames for one connection.

use std::sync::Arc;

use serde::Serialize;

use super::{
    ErrorCode, HEARTBEAT_SECONDS, MAX_COMMANDS_PER_FRAME, MAX_FRAME_BYTES, MAX_RESUME_EVENTS,
};
use crate::domain::{
    ClientMessageId, ConversationId, Epoch, MAX_MESSAGE_CHARS, MessageId, MessageNumber, Seq,
    Timestamp, UserId,
};

/// The reply to [`super::PING`].
pub const PONG: &str = r#"{"type":"pong"}"#;

/// The text of the throttle error, exactly as in protocol v1.
pub const THROTTLED_TEXT: &str = "You are sending messages too fast. Please wait a moment.";

/// Encodes a frame. Every frame type of this module and of [`super::event`] can be serialized as
/// JSON (string keys, no failing serializer), so the result is never the empty string.
pub(super) fn encode<T: Serialize>(frame: &T) -> Arc<str> {
    serde_json::to_string(frame).unwrap_or_default().into()
}

macro_rules! replies {
    ($($(#[$doc:meta])* $kind:literal $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)+ })+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Serialize)]
        #[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
        #[serde(tag = "type", rename = $kind)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $type,)+
        }

        impl $name {
            /// The JSON of the frame.
            pub fn encode(&self) -> Arc<str> {
                encode(self)
            }
        }
    )+};
}

replies! {
    /// The first frame of a v2 connection: its position and limits.
    "hello" Hello {
        /// The version of the protocol: 2.
        v: u8,
        /// The id of the conversation.
        conversation_id: ConversationId,
        /// The history that `seq` belongs to.
        epoch: Epoch,
        /// The position of the newest event; live delivery continues with the next.
        seq: Seq,
        /// How many messages the conversation has had.
        number: MessageNumber,
        /// The id of the connected user.
        user_id: UserId,
        /// The ping interval in seconds.
        heartbeat_s: i64,
        /// When the access token expires.
        token_expires_at: Timestamp,
        /// The server's clock when the frame was made.
        server_time: Timestamp,
        /// The limits for commands.
        limits: Limits,
    }

    /// A send was stored, now or earlier.
    "ack" Ack {
        /// The sender's idempotency key.
        client_message_id: ClientMessageId,
        /// The id of the message.
        message_id: MessageId,
        /// The position of the event.
        seq: Seq,
        /// The ordinal of the message.
        number: MessageNumber,
        /// When it was stored.
        timestamp: Timestamp,
        /// Whether an earlier send stored it.
        duplicate: bool,
    }

    /// All events requested by a `resume` have been sent.
    "sync" Sync {
        /// The requested position.
        from: Seq,
        /// The reached position; live delivery continues with the next.
        to: Seq,
        /// The number of events sent.
        count: usize,
        /// Always true: `sync` is only sent for a complete resume.
        complete: bool,
    }

    /// A `resume` is not possible; the client reloads the history and continues from `seq`.
    "reset" Reset {
        /// Why no resume is possible.
        reason: ResetReason,
        /// The position of the newest event; live delivery continues with the next.
        seq: Seq,
        /// The history that `seq` belongs to.
        epoch: Epoch,
    }

    /// The access token expires soon; the client sends `auth`.
    "auth.expiring" AuthExpiring {
        /// The remaining seconds until the token expires.
        in_s: i64,
    }

    /// The new token was accepted.
    "auth.ok" AuthOk {
        /// When the new token expires.
        token_expires_at: Timestamp,
        /// The server's clock when the frame was made.
        server_time: Timestamp,
    }
}

/// Why a connection is reset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ResetReason {
    /// More events are missing than one resume delivers.
    TooOld,
    /// The database has another history.
    EpochChanged,
}

/// The limits for commands, sent in `hello`.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct Limits {
    /// Maximum characters per message.
    pub message_chars: usize,
    /// Maximum bytes per frame.
    pub frame_bytes: usize,
    /// Maximum commands per frame.
    pub frame_commands: usize,
    /// Maximum events per resume.
    pub resume_events: usize,
    /// Minimum milliseconds between two sends; 0 means unthrottled.
    pub throttle_ms: i64,
}

impl Limits {
    /// The protocol's limits with this throttle.
    pub const fn with_throttle(throttle_ms: i64) -> Self {
        Self {
            message_chars: MAX_MESSAGE_CHARS,
            frame_bytes: MAX_FRAME_BYTES,
            frame_commands: MAX_COMMANDS_PER_FRAME,
            resume_events: MAX_RESUME_EVENTS,
            throttle_ms,
        }
    }
}

impl Hello {
    /// A `hello` with the constants of the protocol.
    pub const fn new(
        conversation_id: ConversationId,
        epoch: Epoch,
        (seq, number): (Seq, MessageNumber),
        user_id: UserId,
        (token_expires_at, server_time): (Timestamp, Timestamp),
        limits: Limits,
    ) -> Self {
        Self {
            v: 2,
            conversation_id,
            epoch,
            seq,
            number,
            user_id,
            heartbeat_s: HEARTBEAT_SECONDS,
            token_expires_at,
            server_time,
            limits,
        }
    }
}

// v1 sockets receive the same object without `type`: `error` is the field of v1, the others were added.
/// A command was rejected and had no other effect.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct ErrorReply {
    /// `"error"` on v2 sockets, absent on v1 sockets.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "utoipa", schema(nullable = false))]
    pub kind: Option<&'static str>,
    /// A sentence for people.
    #[cfg_attr(feature = "utoipa", schema(min_length = 1))]
    pub error: String,
    /// The code, for programs.
    pub code: ErrorCode,
    /// The idempotency key of the send it belongs to; absent for other commands.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "utoipa", schema(nullable = false))]
    pub client_message_id: Option<ClientMessageId>,
    /// Whether the same command may succeed later.
    pub retryable: bool,
    /// The time to wait before the same command may succeed, in milliseconds; with `throttled` always.
    #[cfg_attr(feature = "utoipa", schema(minimum = 0, nullable = false))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<i64>,
}

impl ErrorReply {
    /// The JSON of the frame.
    pub fn encode(&self) -> Arc<str> {
        encode(self)
    }
}
