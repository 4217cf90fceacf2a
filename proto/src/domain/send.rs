//! The append of messages: what a Room passes to the database, and the outcomes.

use std::sync::Arc;

use serde::Deserialize;

use super::{
    ClientMessageId, ConversationId, Epoch, MessageId, MessageNumber, MessageText, Seq, SessionId,
    Timestamp, UserId,
};

/// Why access is denied. Decided inside the statement that does the work, so the decision is never
/// stale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Denied {
    /// The session is revoked or expired, or the account is inactive.
    Session,
    /// There is no such conversation.
    NotFound,
    /// The conversation exists and the caller is not a member of it.
    NotMember,
}

/// A message to append.
#[derive(Debug, Clone)]
pub struct NewMessage {
    /// The conversation.
    pub conversation_id: ConversationId,
    /// The sender.
    pub sender_id: UserId,
    /// The sender's session.
    pub session_id: SessionId,
    /// The sender's idempotency key.
    pub client_message_id: Option<ClientMessageId>,
    /// The text.
    pub message: MessageText,
    /// The message it replies to.
    pub reply_to: Option<MessageId>,
    /// The mentioned users.
    pub mentions: Vec<UserId>,
    /// Only look up the result of an earlier append; do not store a new message.
    pub dedup_only: bool,
    /// The current time. The stored time is never earlier than that of the previous message.
    pub now: Timestamp,
}

/// The outcome of appending one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AppendOutcome {
    /// Stored by this append.
    Stored(StoredMessage),
    /// Stored by an earlier append with the same `client_message_id`, whose result this is.
    Duplicate(StoredMessage),
    /// Not stored: access is denied.
    Denied(Denied),
    /// Not stored: `reply_to` is not a message of this conversation.
    UnknownReplyTo,
    /// Not stored: `dedup_only` was set, and no earlier append stored it.
    NotADuplicate,
}

/// The outcome of appending a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchOutcome {
    /// The history it was written to.
    pub epoch: Epoch,
    /// The outcome of each message, in the given order.
    pub outcomes: Vec<AppendOutcome>,
}

/// The stored part of a message.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct StoredMessage {
    /// Its id.
    pub message_id: MessageId,
    /// The position of its event.
    pub seq: Seq,
    /// Its ordinal.
    pub number: MessageNumber,
    /// When it was stored.
    pub timestamp: Timestamp,
    /// The sender's username.
    pub sender: Arc<str>,
    /// The mentioned users that are members; the others were dropped. Of a newly stored message
    /// only: a duplicate's are in the message.
    #[serde(default)]
    pub mentions: Vec<UserId>,
}

/// The outcome of a send through a Room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SendOutcome {
    /// The outcome of the database.
    Appended(AppendOutcome),
    /// Rejected: too soon after the last message of the user.
    Throttled {
        /// The remaining time in milliseconds.
        retry_after_ms: i64,
    },
    /// Rejected: the queue of the Room is full.
    Overloaded,
    /// The database did not respond. The message may or may not be stored; the client sends it again
    /// with the same `client_message_id`.
    Unavailable,
}
