//! What crosses the wire, as far as a client looks at it.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::key::{Key, Text};
use crate::log::{Change, Entry, Event, Kind, Reading};

/// Any frame of the server. A field that another kind of frame has is absent.
#[derive(Debug, Deserialize)]
pub(crate) struct Frame<'a> {
    #[serde(rename = "type", borrow)]
    pub(crate) kind: Option<Cow<'a, str>>,
    pub(crate) seq: Option<u64>,
    number: Option<u64>,
    message_id: Option<u64>,
    sender_id: Option<u64>,
    user_id: Option<u64>,
    version: Option<u64>,
    #[serde(borrow)]
    change: Option<Cow<'a, str>>,
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
        let (Some(place), Some(sender), Some(version)) =
            (self.place(), self.sender_id, self.version)
        else {
            return Err(format!("half a message: {self:?}"));
        };
        let text = self.message.as_deref().unwrap_or_default();
        let (key, reading) = reading(version, text, self.client_message_id.as_deref())?;
        Ok(event(place, sender, key, reading))
    }

    /// The event it delivers, a new message or another, as it is written down.
    pub(crate) fn told(&self) -> Result<Entry, String> {
        let kind = match (self.kind.as_deref(), self.change.as_deref()) {
            (Some("message"), _) => return self.event().map(Entry::Heard),
            (Some("message.edited"), _) => Kind::Edited,
            (Some("message.deleted"), _) => Kind::Deleted,
            (Some("member"), Some("joined")) => Kind::Joined,
            (Some("member"), Some("left")) => Kind::Left,
            _ => return Err(format!("an event nobody knows: {self:?}")),
        };
        let (Some(seq), Some(user_id)) = (self.seq, self.user_id) else {
            return Err(format!("half an event: {self:?}"));
        };
        let reading = match kind {
            Kind::Joined | Kind::Left => None,
            Kind::Edited | Kind::Deleted => {
                let version = self.version.ok_or("an event without a version")?;
                let text = Text::parse(self.message.as_deref().unwrap_or_default())?;
                Some(Reading { version, text })
            }
        };
        let change = Change {
            seq,
            kind,
            message_id: self.message_id,
            user_id,
        };
        Ok(Entry::Changed { change, reading })
    }
}

/// How a message reads and whose it is: its text says so, or, of one that was deleted, its id.
pub(crate) fn reading(
    version: u64,
    text: &str,
    id: Option<&str>,
) -> Result<(Key, Reading), String> {
    let text = Text::parse(text)?;
    // A v1 message has no id of its sender's; it is deleted by nobody here.
    let id = id.and_then(Key::parse);
    let key = text.key().or(id).ok_or("a text is missing")?;
    if id.is_some_and(|id| id != key) {
        return Err(format!("{key} came under {id:?}"));
    }
    Ok((key, Reading { version, text }))
}

const fn event(
    (message_id, seq, number): (u64, u64, u64),
    sender_id: u64,
    key: Key,
    reading: Reading,
) -> Event {
    Event {
        seq,
        number,
        message_id,
        sender_id,
        key,
        reading,
    }
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
    let (key, reading) = reading(count("version")?, text, id)?;
    Ok(event(place, count("sender_id")?, key, reading))
}

/// A `send` command.
pub(crate) fn send(key: Key) -> Value {
    json!({"type": "send", "client_message_id": key.to_string(), "message": key.text()})
}
