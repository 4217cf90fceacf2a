//! What crosses the wire, as far as a client looks at it.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::key::Key;
use crate::log::Event;

/// Any frame of the server. A field that another kind of frame has is absent.
#[derive(Debug, Deserialize)]
pub(crate) struct Frame<'a> {
    #[serde(rename = "type", borrow)]
    pub(crate) kind: Option<Cow<'a, str>>,
    pub(crate) seq: Option<u64>,
    number: Option<u64>,
    message_id: Option<u64>,
    sender_id: Option<u64>,
    #[serde(borrow)]
    message: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(crate) client_message_id: Option<Cow<'a, str>>,
    pub(crate) duplicate: Option<bool>,
    #[serde(borrow)]
    pub(crate) code: Option<Cow<'a, str>>,
    pub(crate) retryable: Option<bool>,
    pub(crate) retry_after_ms: Option<u64>,
    #[serde(borrow)]
    pub(crate) epoch: Option<Cow<'a, str>>,
    pub(crate) from: Option<u64>,
    pub(crate) to: Option<u64>,
    #[serde(borrow, default)]
    pub(crate) events: Vec<Frame<'a>>,
}

impl Frame<'_> {
    /// The send it answers.
    pub(crate) fn key(&self) -> Option<Key> {
        Key::parse(self.client_message_id.as_deref()?)
    }

    /// Where the message is stored, when it says so whole.
    pub(crate) fn place(&self) -> Option<(u64, u64, u64)> {
        Some((self.message_id?, self.seq?, self.number?))
    }

    /// The message it delivers; the error says what is wrong with it.
    pub(crate) fn event(&self) -> Result<Event, String> {
        let (Some(place), Some(text), Some(sender)) =
            (self.place(), self.message.as_deref(), self.sender_id)
        else {
            return Err(format!("half a message: {self:?}"));
        };
        event(place, sender, text, self.client_message_id.as_deref())
    }
}

fn event(
    (message_id, seq, number): (u64, u64, u64),
    sender_id: u64,
    text: &str,
    id: Option<&str>,
) -> Result<Event, String> {
    let key = Key::parse(text).ok_or_else(|| format!("nobody sent {text}"))?;
    if key.text() != text {
        return Err(format!("{key} came as {text}"));
    }
    // A v1 message has none of its sender's.
    if id.and_then(Key::parse).is_some_and(|id| id != key) {
        return Err(format!("{key} came under {id:?}"));
    }
    Ok(Event {
        seq,
        number,
        message_id,
        sender_id,
        key,
    })
}

/// A message of a history page.
pub(crate) fn of_history(message: &Value) -> Result<Event, String> {
    let count = |name: &str| {
        message[name]
            .as_u64()
            .ok_or(format!("no {name} in {message}"))
    };
    let place = (count("id")?, count("seq")?, count("number")?);
    let text = message["content"].as_str().unwrap_or_default();
    let id = message["client_message_id"].as_str();
    event(place, count("sender_id")?, text, id)
}

/// A `send` command.
pub(crate) fn send(key: Key) -> Value {
    json!({"type": "send", "client_message_id": key.to_string(), "message": key.text()})
}
