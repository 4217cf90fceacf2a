//! What concerns one connection alone: greetings, acknowledgements, refusals.

use std::sync::Arc;

use serde::Serialize;

use super::{
    ErrorCode, HEARTBEAT_SECONDS, MAX_COMMANDS_PER_FRAME, MAX_FRAME_BYTES, MAX_RESUME_EVENTS,
};
use crate::domain::{
    ClientMessageId, ConversationId, Epoch, MAX_MESSAGE_CHARS, MessageId, MessageNumber, Seq,
    Timestamp, UserId,
};

/// The answer to [`super::PING`].
pub const PONG: &str = r#"{"type":"pong"}"#;

/// The seed's words for a throttled send, exact.
pub const THROTTLED_TEXT: &str = "You are sending messages too fast. Please wait a moment.";

/// Serialises a frame. Every frame type of this module and of [`super::event`] can be written
/// as JSON (string keys, no failing serializer), so the empty string is never seen.
pub(super) fn encode<T: Serialize>(frame: &T) -> Arc<str> {
    serde_json::to_string(frame).unwrap_or_default().into()
}

macro_rules! replies {
    ($($(#[$doc:meta])* $kind:literal $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)+ })+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Serialize)]
        #[serde(tag = "type", rename = $kind)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $type,)+
        }

        impl $name {
            /// The frame's JSON.
            pub fn encode(&self) -> Arc<str> {
                encode(self)
            }
        }
    )+};
}

replies! {
    /// The first frame of a v2 connection: where it stands.
    "hello" Hello {
        /// The version of the protocol.
        v: u8,
        /// The conversation.
        conversation_id: ConversationId,
        /// The history `seq` counts in.
        epoch: Epoch,
        /// The newest event; live delivery continues with the next.
        seq: Seq,
        /// How many messages the conversation has had.
        number: MessageNumber,
        /// The connected user.
        user_id: UserId,
        /// How often to ping, in seconds.
        heartbeat_s: i64,
        /// When the access token ends.
        token_expires_at: Timestamp,
        /// What may be sent.
        limits: Limits,
    }

    /// A send was stored, now or earlier.
    "ack" Ack {
        /// The sender's id for it.
        client_message_id: ClientMessageId,
        /// The message's id.
        message_id: MessageId,
        /// The event's position.
        seq: Seq,
        /// The message's ordinal.
        number: MessageNumber,
        /// When it was stored.
        timestamp: Timestamp,
        /// Whether an earlier send had already stored it.
        duplicate: bool,
    }

    /// All events asked for by a `resume` have been sent.
    "sync" Sync {
        /// The position asked for.
        from: Seq,
        /// The position reached; live delivery continues with the next.
        to: Seq,
        /// How many events were sent between.
        count: usize,
        /// Always true: a part is never sent as if it were the whole.
        complete: bool,
    }

    /// A `resume` cannot be answered; load the history anew and continue from `seq`.
    "reset" Reset {
        /// Why.
        reason: ResetReason,
        /// The newest event; live delivery continues with the next.
        seq: Seq,
        /// The history `seq` counts in.
        epoch: Epoch,
    }

    /// The access token ends soon; send `auth`.
    "auth.expiring" AuthExpiring {
        /// Seconds left.
        in_s: i64,
    }

    /// The new token was taken.
    "auth.ok" AuthOk {
        /// When it ends.
        token_expires_at: Timestamp,
    }
}

/// Why a `resume` was answered with a reset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ResetReason {
    /// More events were missed than one resume delivers.
    TooOld,
    /// The history is another than the client knew.
    EpochChanged,
}

/// What a client may send, told once in `hello`.
#[derive(Debug, Clone, Serialize)]
pub struct Limits {
    /// Characters of a message.
    pub message_chars: usize,
    /// Bytes of a frame.
    pub frame_bytes: usize,
    /// Commands of a frame.
    pub frame_commands: usize,
    /// Events of a resume.
    pub resume_events: usize,
    /// Milliseconds between two sends; 0 means unthrottled.
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
    /// A greeting with the protocol's constants filled in.
    pub const fn new(
        conversation_id: ConversationId,
        epoch: Epoch,
        (seq, number): (Seq, MessageNumber),
        user_id: UserId,
        token_expires_at: Timestamp,
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
            limits,
        }
    }
}

/// Something a client asked for was not done. v1 sockets get the same object: `error` is the
/// seed's field, the rest are added ones, and without `type` it is the seed's shape.
#[derive(Debug, Clone, Serialize)]
pub struct ErrorReply {
    /// `"error"` on v2 sockets, absent on v1 sockets.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<&'static str>,
    /// A sentence for people.
    pub error: String,
    /// The code for programs.
    pub code: ErrorCode,
    /// The send it concerns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_message_id: Option<ClientMessageId>,
    /// Whether the same command may succeed later.
    pub retryable: bool,
    /// How long to wait before that, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<i64>,
}

impl ErrorReply {
    /// The frame's JSON.
    pub fn encode(&self) -> Arc<str> {
        encode(self)
    }
}
