//! Durable events: what every member receives, in the order of `seq`.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::domain::{
    ClientMessageId, Epoch, Message, MessageId, MessageNumber, Position, Seq, Timestamp, UserId,
};

/// One durable event. Its JSON is the wire's, the cache's and the resume's alike.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum Event {
    /// A message was sent.
    #[serde(rename = "message")]
    Message(MessageEvent),
    /// Its writer gave a message another text.
    #[serde(rename = "message.edited")]
    Edited(EditedEvent),
    /// Its writer deleted a message.
    #[serde(rename = "message.deleted")]
    Deleted(DeletedEvent),
    /// Somebody came or went.
    #[serde(rename = "member")]
    Member(MemberEvent),
}

/// A new message: the seed's frame and more.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MessageEvent {
    /// This event's position.
    pub seq: Seq,
    /// The message's ordinal.
    pub number: MessageNumber,
    /// The message's id.
    pub message_id: MessageId,
    /// The text.
    pub message: Arc<str>,
    /// Who wrote it.
    pub sender_id: UserId,
    /// The writer's username.
    pub sender: Arc<str>,
    /// When it was stored.
    pub timestamp: Timestamp,
    /// The sender's own id for it.
    pub client_message_id: Option<ClientMessageId>,
    /// The message it answers.
    pub reply_to: Option<MessageId>,
    /// The people it mentions.
    #[serde(default)]
    pub mentions: Vec<UserId>,
    /// 1 as sent, and one more with every change. The text is that version's, also where the event
    /// is read again after the change.
    pub version: i64,
}

/// A message has another text. Of several texts the one with the highest version is right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EditedEvent {
    /// This event's position.
    pub seq: Seq,
    /// The message's id.
    pub message_id: MessageId,
    /// Its text; empty when it has been deleted since.
    pub message: Arc<str>,
    /// The version with this text.
    pub version: i64,
    /// Who edited it.
    pub user_id: UserId,
    /// When.
    pub timestamp: Timestamp,
}

/// A message has no text any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeletedEvent {
    /// This event's position.
    pub seq: Seq,
    /// The message's id.
    pub message_id: MessageId,
    /// The version without a text, the last one.
    pub version: i64,
    /// Who deleted it.
    pub user_id: UserId,
    /// When.
    pub timestamp: Timestamp,
}

/// Somebody is a member now, or is none any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberEvent {
    /// This event's position.
    pub seq: Seq,
    /// Who.
    pub user_id: UserId,
    /// Their username.
    pub username: Arc<str>,
    /// What happened.
    pub change: MemberChange,
    /// Who did it; who leaves does it to themselves.
    pub by: UserId,
    /// When.
    pub timestamp: Timestamp,
}

/// What became of a membership.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum MemberChange {
    /// The user became a member.
    #[serde(rename = "joined")]
    Added,
    /// The user left or was removed.
    #[serde(rename = "left")]
    Removed,
}

impl Event {
    /// The event's position in its conversation.
    pub const fn seq(&self) -> Seq {
        match self {
            Self::Message(message) => message.seq,
            Self::Edited(edited) => edited.seq,
            Self::Deleted(deleted) => deleted.seq,
            Self::Member(member) => member.seq,
        }
    }

    /// Which version of its message it tells. What is told of one position may differ by what has
    /// happened to the message since; the highest version is right.
    pub const fn version(&self) -> i64 {
        match self {
            Self::Message(message) => message.version,
            Self::Edited(edited) => edited.version,
            Self::Deleted(deleted) => deleted.version,
            Self::Member(_) => 0,
        }
    }

    /// Whether it is a new message: the only event that v1 sockets know.
    pub const fn is_message(&self) -> bool {
        matches!(self, Self::Message(_))
    }

    /// Whose membership it ends.
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

/// Durable events after a position.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct EventPage {
    /// Ascending and dense from the position asked for; at most the limit.
    pub events: Vec<Event>,
    /// Where the conversation stood when they were read.
    pub position: Position,
}

/// A change that is stored, and of which a Room is told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoredEvent {
    /// Which history it was written into.
    pub epoch: Epoch,
    /// Its event.
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

/// Several encoded events as one frame: `{"type":"batch","events":[…]}`.
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
    fn a_message_has_the_seeds_fields_and_the_v2_ones() {
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
