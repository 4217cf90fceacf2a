//! Durable events: received by every member in the order of `seq`.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::domain::{
    ClientMessageId, Epoch, Message, MessageId, MessageNumber, Position, Seq, Timestamp, UserId,
};

/// One durable event. Live delivery, resume and cache use the same JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum Event {
    /// A message was sent.
    #[serde(rename = "message")]
    Message(MessageEvent),
    /// A message was edited by its sender.
    #[serde(rename = "message.edited")]
    Edited(EditedEvent),
    /// A message was deleted by its sender.
    #[serde(rename = "message.deleted")]
    Deleted(DeletedEvent),
    /// A member was added or removed.
    #[serde(rename = "member")]
    Member(MemberEvent),
}

/// A new message, sent to every member including the sender. Contains the fields of a v1 frame and
/// further ones.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct MessageEvent {
    /// The position of the event.
    pub seq: Seq,
    /// The ordinal of the message.
    pub number: MessageNumber,
    /// The id of the message.
    pub message_id: MessageId,
    /// The text; empty if the message was deleted later.
    pub message: Arc<str>,
    /// The sender's id.
    pub sender_id: UserId,
    /// The sender's username.
    #[cfg_attr(feature = "utoipa", schema(min_length = 1))]
    pub sender: Arc<str>,
    /// When it was stored.
    pub timestamp: Timestamp,
    /// The sender's idempotency key, if any.
    #[cfg_attr(feature = "utoipa", schema(required))]
    pub client_message_id: Option<ClientMessageId>,
    /// The id of the message it replies to, if any.
    #[cfg_attr(feature = "utoipa", schema(required))]
    pub reply_to: Option<MessageId>,
    /// The ids of the mentioned users.
    #[serde(default)]
    #[cfg_attr(feature = "utoipa", schema(required))]
    pub mentions: Vec<UserId>,
    /// 1 when sent, incremented by every edit and by the deletion. The text belongs to this
    /// version: an event read after an edit has the new text and version.
    #[cfg_attr(feature = "utoipa", schema(minimum = 1))]
    pub version: i64,
}

/// A message was edited. Of several texts, the one with the highest version is current.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct EditedEvent {
    /// The position of the event.
    pub seq: Seq,
    /// The id of the message.
    pub message_id: MessageId,
    /// The new text; empty if the message was deleted later.
    pub message: Arc<str>,
    /// The version of this text.
    #[cfg_attr(feature = "utoipa", schema(minimum = 2))]
    pub version: i64,
    /// The id of the user who edited it.
    pub user_id: UserId,
    /// When it happened.
    pub timestamp: Timestamp,
}

/// A message was deleted and has no text any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct DeletedEvent {
    /// The position of the event.
    pub seq: Seq,
    /// The id of the message.
    pub message_id: MessageId,
    /// The last version, which has no text.
    #[cfg_attr(feature = "utoipa", schema(minimum = 2))]
    pub version: i64,
    /// The id of the user who deleted it.
    pub user_id: UserId,
    /// When it happened.
    pub timestamp: Timestamp,
}

/// A member was added or removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct MemberEvent {
    /// The position of the event.
    pub seq: Seq,
    /// The member's id.
    pub user_id: UserId,
    /// The member's username.
    #[cfg_attr(feature = "utoipa", schema(min_length = 1))]
    pub username: Arc<str>,
    /// Whether the user joined or left.
    pub change: MemberChange,
    /// The id of the user who made the change: the member itself when it left.
    pub by: UserId,
    /// When it happened.
    pub timestamp: Timestamp,
}

/// A change of a membership.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub enum MemberChange {
    /// The user became a member.
    #[serde(rename = "joined")]
    Added,
    /// The user left or was removed.
    #[serde(rename = "left")]
    Removed,
}

impl Event {
    /// The position of the event in its conversation.
    pub const fn seq(&self) -> Seq {
        match self {
            Self::Message(message) => message.seq,
            Self::Edited(edited) => edited.seq,
            Self::Deleted(deleted) => deleted.seq,
            Self::Member(member) => member.seq,
        }
    }

    /// The version of the message in this event. Copies of one event read at different times may
    /// differ, because the message was edited in between; the highest version is current.
    pub const fn version(&self) -> i64 {
        match self {
            Self::Message(message) => message.version,
            Self::Edited(edited) => edited.version,
            Self::Deleted(deleted) => deleted.version,
            Self::Member(_) => 0,
        }
    }

    /// Whether it is a new message, the only event of protocol v1.
    pub const fn is_message(&self) -> bool {
        matches!(self, Self::Message(_))
    }

    /// The user it removes from the conversation.
    pub fn removed_user(&self) -> Option<UserId> {
        match self {
            Self::Member(member) if member.change == MemberChange::Removed => Some(member.user_id),
            _ => None,
        }
    }

    /// The event's JSON.
    pub fn encode(&self) -> Arc<str> {
        super::reply::encode(self)
    }
}

/// The durable events after a position.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct EventPage {
    /// Ascending and dense from the requested position; at most the limit.
    pub events: Vec<Event>,
    /// The position of the conversation when they were read.
    pub position: Position,
}

/// A stored event that is passed to a Room.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoredEvent {
    /// The history it was written to.
    pub epoch: Epoch,
    /// The event.
    pub event: Event,
}

impl From<MessageEvent> for Message {
    fn from(event: MessageEvent) -> Self {
        Self {
            id: event.message_id,
            sender_id: event.sender_id,
            sender: event.sender,
            content: event.message,
            timestamp: event.timestamp,
            seq: event.seq,
            number: event.number,
            client_message_id: event.client_message_id,
            reply_to: event.reply_to,
            mentions: event.mentions,
            version: event.version,
        }
    }
}

impl From<Message> for MessageEvent {
    fn from(message: Message) -> Self {
        Self {
            seq: message.seq,
            number: message.number,
            message_id: message.id,
            message: message.content,
            sender_id: message.sender_id,
            sender: message.sender,
            timestamp: message.timestamp,
            client_message_id: message.client_message_id,
            reply_to: message.reply_to,
            mentions: message.mentions,
            version: message.version,
        }
    }
}

/// Encodes several encoded events as one frame: `{"type":"batch","events":[…]}`.
pub fn encode_batch(events: &[Arc<str>]) -> Arc<str> {
    const HEAD: &str = r#"{"type":"batch","events":["#;
    let length = HEAD.len() + events.iter().map(|event| event.len() + 1).sum::<usize>() + 1;
    let mut frame = String::with_capacity(length);
    frame.push_str(HEAD);
    for (index, event) in events.iter().enumerate() {
        if index > 0 {
            frame.push(',');
        }
        frame.push_str(event);
    }
    frame.push_str("]}");
    frame.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_event_has_the_fields_of_v1_and_v2() {
        let event = Event::Message(MessageEvent {
            seq: Seq(843),
            number: MessageNumber(641),
            message_id: MessageId(123),
            message: "Hello".into(),
            sender_id: UserId(1),
            sender: "johndoe".into(),
            timestamp: Timestamp(0),
            client_message_id: None,
            reply_to: None,
            mentions: Vec::new(),
            version: 1,
        });
        let text = event.encode();
        assert_eq!(
            &*text,
            r#"{"type":"message","seq":843,"number":641,"message_id":123,"message":"Hello","sender_id":1,"sender":"johndoe","timestamp":"1970-01-01T00:00:00.000Z","client_message_id":null,"reply_to":null,"mentions":[],"version":1}"#
        );
        assert_eq!(serde_json::from_str::<Event>(&text).unwrap(), event);
        assert_eq!(
            &*encode_batch(&["1".into(), "2".into()]),
            r#"{"type":"batch","events":[1,2]}"#
        );
    }
}
