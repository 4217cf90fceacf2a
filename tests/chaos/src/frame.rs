//! The server's frames and history pages, as far as a client reads them.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::client_log::{ChangeEvent, ChangeKind, LogEntry, MessageContent, MessageEvent};
use crate::message_key::{MessageKey, MessageText};

/// Any frame of the server; fields of other frame types are absent.
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
    /// The key of the send that this frame answers.
    pub(crate) fn key(&self) -> Option<MessageKey> {
        MessageKey::parse(self.client_message_id.as_deref()?)
    }

    /// Message id, `seq` and number, if the frame has all three.
    pub(crate) fn position(&self) -> Option<(u64, u64, u64)> {
        Some((self.message_id?, self.seq?, self.number?))
    }

    /// The message it delivers; the error describes what is wrong with it.
    pub(crate) fn event(&self) -> Result<MessageEvent, String> {
        let (Some(position), Some(sender), Some(version)) =
            (self.position(), self.sender_id, self.version)
        else {
            return Err(format!("incomplete message: {self:?}"));
        };
        let text = self.message.as_deref().unwrap_or_default();
        let (key, content) = content(version, text, self.client_message_id.as_deref())?;
        Ok(event(position, sender, key, content))
    }

    /// The log entry for the event it delivers.
    pub(crate) fn log_entry(&self) -> Result<LogEntry, String> {
        let kind = match (self.kind.as_deref(), self.change.as_deref()) {
            (Some("message"), _) => return self.event().map(LogEntry::MessageReceived),
            (Some("message.edited"), _) => ChangeKind::Edited,
            (Some("message.deleted"), _) => ChangeKind::Deleted,
            (Some("member"), Some("joined")) => ChangeKind::Joined,
            (Some("member"), Some("left")) => ChangeKind::Left,
            _ => return Err(format!("unknown event: {self:?}")),
        };
        let (Some(seq), Some(user_id)) = (self.seq, self.user_id) else {
            return Err(format!("incomplete event: {self:?}"));
        };
        let content = match kind {
            ChangeKind::Joined | ChangeKind::Left => None,
            ChangeKind::Edited | ChangeKind::Deleted => {
                let version = self.version.ok_or("event without a version")?;
                let text = MessageText::parse(self.message.as_deref().unwrap_or_default())?;
                Some(MessageContent { version, text })
            }
        };
        let change = ChangeEvent {
            seq,
            kind,
            message_id: self.message_id,
            user_id,
        };
        Ok(LogEntry::ChangeReceived { change, content })
    }
}

/// The content of a message and its key, taken from the text or, for a deleted message, from the id.
pub(crate) fn content(
    version: u64,
    text: &str,
    id: Option<&str>,
) -> Result<(MessageKey, MessageContent), String> {
    let text = MessageText::parse(text)?;
    // A message sent over v1 has no `client_message_id`; v1 clients delete none.
    let id = id.and_then(MessageKey::parse);
    let key = text.key().or(id).ok_or("a text is missing")?;
    if id.is_some_and(|id| id != key) {
        return Err(format!("{key} arrived with client_message_id {id:?}"));
    }
    Ok((key, MessageContent { version, text }))
}

const fn event(
    (message_id, seq, number): (u64, u64, u64),
    sender_id: u64,
    key: MessageKey,
    content: MessageContent,
) -> MessageEvent {
    MessageEvent {
        seq,
        number,
        message_id,
        sender_id,
        key,
        content,
    }
}

/// A message of a history page.
pub(crate) fn history_message(message: &Value) -> Result<MessageEvent, String> {
    let count = |name: &str| {
        message[name]
            .as_u64()
            .ok_or(format!("no {name} in {message}"))
    };
    let position = (count("id")?, count("seq")?, count("number")?);
    let text = message["content"].as_str().unwrap_or_default();
    let id = message["client_message_id"].as_str();
    let (key, content) = content(count("version")?, text, id)?;
    Ok(event(position, count("sender_id")?, key, content))
}

/// A `send` command.
pub(crate) fn send(key: MessageKey) -> Value {
    json!({"type": "send", "client_message_id": key.to_string(), "message": key.text()})
}
