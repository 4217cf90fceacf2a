//! A stored message, and how responses are read.

use serde_json::Value;

use crate::error::Error;

/// A message that is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Its id.
    pub message_id: u64,
    /// Its event's position.
    pub seq: u64,
    /// Its ordinal among the messages.
    pub number: u64,
    /// Whether an earlier attempt had stored it.
    pub duplicate: bool,
}

pub(crate) fn messages_path(conversation_id: u64) -> String {
    format!("/api/chat/conversations/{conversation_id}/messages/")
}

pub(crate) fn count(value: &Value, name: &str) -> Result<u64, Error> {
    let count = value[name].as_u64();
    count.ok_or_else(|| Error::Unexpected(format!("no {name} in {value}")))
}
