//! The lasting side of a chat: who takes part and how far it has come.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{ConversationId, Epoch, Message, MessageNumber, Seq, Timestamp, User, UserId};

/// How a conversation came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum ConversationKind {
    /// Two people, no name: at most one such conversation exists for a pair.
    Direct,
    /// Everything else.
    Group,
}

/// A conversation with its people and recent messages.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct Conversation {
    /// Its id.
    #[cfg_attr(feature = "utoipa", schema(value_type = i64, example = 7))]
    pub id: ConversationId,
    /// Direct or group.
    pub kind: ConversationKind,
    /// A group's name, when it has one.
    pub name: Option<String>,
    /// The members, by id.
    pub participants: Vec<User>,
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

/// A conversation as a list shows it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct ConversationSummary {
    /// Its id.
    #[cfg_attr(feature = "utoipa", schema(value_type = i64, example = 7))]
    pub id: ConversationId,
    /// Direct or group.
    pub kind: ConversationKind,
    /// A group's name, when it has one.
    pub name: Option<String>,
    /// The members, by id.
    #[cfg_attr(feature = "utoipa", schema(value_type = Vec<User>))]
    pub participants: Vec<Arc<User>>,
    /// The newest message, if there is one.
    pub last_message: Option<Message>,
    /// When it was created.
    #[cfg_attr(feature = "utoipa", schema(value_type = String, format = DateTime))]
    pub created_at: Timestamp,
    /// When something last happened in it.
    #[cfg_attr(feature = "utoipa", schema(value_type = String, format = DateTime))]
    pub active_at: Timestamp,
    /// The position of its newest durable event.
    #[cfg_attr(feature = "utoipa", schema(value_type = i64))]
    pub seq: Seq,
    /// How many messages it has had.
    #[cfg_attr(feature = "utoipa", schema(value_type = i64))]
    pub number: MessageNumber,
}

/// A conversation about to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewConversation {
    /// The others: sorted, without duplicates and without the creator; not empty.
    pub others: Vec<UserId>,
    /// Direct only for exactly one other and no name.
    pub kind: ConversationKind,
    /// 1 to 120 characters.
    pub name: Option<String>,
}

/// How far a conversation has come: what decides whether a cache may be believed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Position {
    /// Which history `seq` counts in.
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
