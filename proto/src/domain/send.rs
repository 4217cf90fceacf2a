//! A send between Room and database, and what became of it.

use std::sync::Arc;

use serde::Deserialize;

use super::{
    ClientMessageId, ConversationId, Epoch, MessageId, MessageNumber, MessageText, Seq, SessionId,
    Timestamp, UserId,
};

/// Why the caller may not have what was asked for. Decided inside the statement that does the
/// work, so it is never out of date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Denied {
    /// The session was revoked or has ended, or the account is inactive.
    Session,
    /// There is no such conversation.
    NotFound,
    /// The conversation exists, the caller is not a member.
    NotMember,
}

/// A send on its way to the database.
#[derive(Debug, Clone)]
pub struct NewMessage {
    /// Where to.
    pub conversation_id: ConversationId,
    /// Who sends.
    pub sender_id: UserId,
    /// By which login.
    pub session_id: SessionId,
    /// The sender's id for it.
    pub client_message_id: Option<ClientMessageId>,
    /// The text.
    pub message: MessageText,
    /// The message it answers.
    pub reply_to: Option<MessageId>,
    /// The people it mentions.
    pub mentions: Vec<UserId>,
    /// Only look for an earlier call's result: what is not there already is not stored.
    pub dedup_only: bool,
    /// Now; the stored time is never earlier than that of the message before.
    pub now: Timestamp,
}

/// What became of one send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AppendOutcome {
    /// Stored by this call.
    Stored(StoredMessage),
    /// Stored by an earlier call with the same `client_message_id`; its first result.
    Duplicate(StoredMessage),
    /// Not stored.
    Denied(Denied),
    /// Not stored: `reply_to` names no message of this conversation.
    UnknownReplyTo,
    /// Not stored: asked for as a repeat only, and no earlier call stored it.
    NotADuplicate,
}

/// What became of a batch of sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchOutcome {
    /// Which history it was written into.
    pub epoch: Epoch,
    /// Each send's own, in the order given.
    pub outcomes: Vec<AppendOutcome>,
}

/// Where a message ended up.
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
}

/// What became of a send through a Room, for REST.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SendOutcome {
    /// Stored (or found) by the database.
    Appended(AppendOutcome),
    /// Too soon after the last one.
    Throttled {
        /// How long to wait, in milliseconds.
        retry_after_ms: i64,
    },
    /// The Room has too much to do.
    Overloaded,
    /// The database did not answer; the send may or may not be stored. Send again with the same
    /// `client_message_id`.
    Unavailable,
}
