//! Conversations: kind, members, position.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{
    ConversationId, Epoch, ListPosition, Message, MessageNumber, Seq, Timestamp, User, UserId,
};

/// The kind of a conversation, fixed when it is created.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum ConversationKind {
    /// Two users, no name; at most one per pair of users.
    Direct,
    /// Any other conversation.
    Group,
}

/// A conversation with its members and recent messages.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct Conversation {
    /// Its id.
    #[cfg_attr(feature = "utoipa", schema(value_type = i64, example = 7))]
    pub id: ConversationId,
    /// Direct or group.
    pub kind: ConversationKind,
    /// The optional name of a group.
    #[cfg_attr(feature = "utoipa", schema(required))]
    pub name: Option<String>,
    /// The first hundred members: the caller, then the others by id.
    pub participants: Vec<User>,
    /// How many members it has.
    #[cfg_attr(feature = "utoipa", schema(example = 2))]
    pub member_count: i64,
    /// The most recent messages, oldest first; at most 100.
    pub messages: Vec<Message>,
    /// When it was created.
    #[cfg_attr(feature = "utoipa", schema(value_type = String, format = DateTime))]
    pub created_at: Timestamp,
    /// The position of its newest durable event.
    #[cfg_attr(feature = "utoipa", schema(value_type = i64))]
    pub seq: Seq,
    /// How many messages it has had.
    #[cfg_attr(feature = "utoipa", schema(value_type = i64))]
    pub number: MessageNumber,
}

/// The most members that a conversation shows in its `participants`.
pub const MAX_PARTICIPANTS_SHOWN: usize = 100;

/// A conversation as an entry of a list.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct ConversationSummary {
    /// Its id.
    #[cfg_attr(feature = "utoipa", schema(value_type = i64, example = 7))]
    pub id: ConversationId,
    /// Direct or group.
    pub kind: ConversationKind,
    /// The optional name of a group.
    #[cfg_attr(feature = "utoipa", schema(required))]
    pub name: Option<String>,
    // The store returns the first hundred by id; the list puts the caller first.
    /// The first hundred members: the caller, then the others by id.
    #[cfg_attr(feature = "utoipa", schema(value_type = Vec<User>))]
    pub participants: Vec<Arc<User>>,
    /// How many members it has.
    #[cfg_attr(feature = "utoipa", schema(example = 2))]
    pub member_count: i64,
    /// The newest message, if any.
    #[cfg_attr(feature = "utoipa", schema(required))]
    pub last_message: Option<Message>,
    /// When it was created.
    #[cfg_attr(feature = "utoipa", schema(value_type = String, format = DateTime))]
    pub created_at: Timestamp,
    /// When the last activity in it was.
    #[cfg_attr(feature = "utoipa", schema(value_type = String, format = DateTime))]
    pub active_at: Timestamp,
    /// By which lists are ordered.
    #[serde(skip_serializing)]
    #[cfg_attr(feature = "utoipa", schema(ignore))]
    pub list_position: ListPosition,
    /// The position of its newest durable event.
    #[cfg_attr(feature = "utoipa", schema(value_type = i64))]
    pub seq: Seq,
    /// How many messages it has had.
    #[cfg_attr(feature = "utoipa", schema(value_type = i64))]
    pub number: MessageNumber,
}

/// A conversation to create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewConversation {
    /// The members besides the creator: sorted, without duplicates, not empty.
    pub others: Vec<UserId>,
    /// Direct only with exactly one other member and no name.
    pub kind: ConversationKind,
    /// 1 to 120 characters.
    pub name: Option<String>,
}

/// The current position of a conversation. A cache is complete if it reaches this position.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Position {
    /// The history that `seq` belongs to.
    pub epoch: Epoch,
    /// The newest durable event.
    pub seq: Seq,
    /// The newest message.
    pub number: MessageNumber,
}

/// The state of a conversation at the moment a member's socket is authorized.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Admission {
    /// The conversation's newest event and message.
    pub position: Position,
    /// The `seq` of the newest removal of any member; 0 when no member was ever removed.
    pub last_removal_seq: Seq,
}
