//! What the store's writing methods take and return.

use serde::Deserialize;

use super::StoredEvent;
use colloquy_proto::domain::{Conversation, DeviceKey, SessionId, Timestamp, User, UserId};

/// The outcome of creating an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CreatedUser {
    /// The account was created.
    Created(User),
    /// Nothing was created: these values are in use, compared by their keys.
    Taken {
        /// The username is in use.
        username: bool,
        /// The e-mail address is in use.
        email: bool,
    },
}

/// The names of an account that have only their lower-case key.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct AccountWithoutKeys {
    /// The account.
    pub id: UserId,
    /// The username; `None` when it has its key.
    pub username: Option<String>,
    /// The e-mail address; `None` when it has its key.
    pub email: Option<String>,
}

/// Keys to record for an account; `None` leaves a name as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountKeys {
    /// The account.
    pub id: UserId,
    /// The key of the username.
    pub username: Option<String>,
    /// The key of the e-mail address.
    pub email: Option<String>,
}

/// A session about to be recorded.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// A new random id.
    pub id: SessionId,
    /// The user who logs in.
    pub user_id: UserId,
    /// The current time.
    pub created_at: Timestamp,
    /// When its refresh token expires.
    pub expires_at: Timestamp,
    /// The password's hash under the current parameters, when the stored hash used others.
    pub rehashed_password: Option<String>,
    /// The device that logs in, when it has a usable address.
    pub device: Option<DeviceKey>,
}

/// A refresh token presented for rotation.
#[derive(Debug, Clone)]
pub struct Rotation {
    /// The token's session.
    pub session_id: SessionId,
    /// The token's user.
    pub user_id: UserId,
    /// The token's generation: the number of rotations before it.
    pub generation: i64,
    /// The current time.
    pub now: Timestamp,
    /// When the next refresh token expires.
    pub expires_at: Timestamp,
    /// The start of the grace: a repeat of a rotation at or after this time returns that rotation.
    pub repeatable_since: Timestamp,
    /// The device that refreshes, when it has a usable address. Remembered when the token was valid.
    pub device: Option<DeviceKey>,
}

/// The outcome of a rotation. In the statement's JSON: `{"rotated": {"at": …}}` or a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RotationOutcome {
    /// The presented generation was exchanged for the next one: by this call, or within the grace by
    /// an earlier one that has had no successor since.
    Rotated {
        /// When it was exchanged, the issue time of the next generation's tokens.
        at: Timestamp,
    },
    /// The generation was used before and cannot be repeated; this call revoked the session.
    Reused,
    /// The session does not exist, is revoked or expired, or the account is inactive.
    Refused,
}

/// The outcome of creating a conversation.
#[derive(Debug, Clone, PartialEq)]
pub enum CreatedConversation {
    /// The conversation was created.
    Created(Conversation),
    /// The two users already had one; returned with its recent messages.
    Existing(Conversation),
    /// Nothing was created: these ids belong to no active account. Ascending.
    UnknownParticipants(Vec<UserId>),
}

/// The outcome of a change that is a durable event of its own. In a statement's JSON:
/// `{"done": …}` or the name of another variant as a string.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeOutcome {
    /// Done by this call.
    Done(Box<StoredEvent>),
    /// The requested state already existed; nothing was written.
    Unchanged,
    /// Not done: the conversation has no such message.
    UnknownMessage,
    /// Not done: another user wrote the message.
    NotSender,
    /// Not done: the message is deleted and cannot be edited.
    Deleted,
    /// Not done: the members of a direct conversation are fixed.
    Direct,
    /// Not done: there is no such active account.
    UnknownUser,
    /// Not done: the group has as many members as it may have.
    Full,
    /// Not done: only the conversation's creator may remove other members.
    NotOwner,
}
