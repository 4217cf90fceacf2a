//! Durable events: what every member receives, in the order of `seq`.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::domain::{
    ClientMessageId, Message, MessageId, Number, Position, Seq, Timestamp, UserId,
};

/// One durable event. Its JSON is the wire's, the cache's and the resume's alike.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum Event {
    /// A message was sent.
    #[serde(rename = "message")]
    Message(MessageEvent),
}

/// A new message: the seed's frame and more.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MessageEvent {
    /// This event's position.
    pub seq: Seq,
    /// The message's ordinal.
    pub number: Number,
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
    /// 1 as sent.
    pub version: i64,
}

impl Event {
    /// The event's position in its conversation.
    pub const fn seq(&self) -> Seq {
        match self {
            Self::Message(message) => message.seq,
        }
    }

    /// The event's JSON.
    pub fn encode(&self) -> Arc<str> {
        super::reply::encode(self)
    }
}

/// Durable events after a position.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Events {
    /// Ascending and dense from the position asked for; at most the limit.
    pub events: Vec<Event>,
    /// Where the conversation stood when they were read.
    pub position: Position,
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
pub fn batch_of(events: &[Arc<str>]) -> Arc<str> {
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
            number: Number(641),
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
            &*batch_of(&["1".into(), "2".into()]),
            r#"{"type":"batch","events":[1,2]}"#
        );
    }
}
