//! What the log records of the server's frames and history pages.

use colloquy_client::Frame;
use serde_json::Value;

use crate::client_log::{ChangeEvent, ChangeKind, LogEntry, MessageContent, MessageEvent};
use crate::message_key::{MessageKey, MessageText};

/// The key of the send that a frame answers.
pub(crate) fn key(frame: &Frame<'_>) -> Option<MessageKey> {
    MessageKey::parse(frame.client_message_id.as_deref()?)
}

/// Message id, `seq` and number, if the frame has all three.
pub(crate) fn position(frame: &Frame<'_>) -> Option<(u64, u64, u64)> {
    Some((frame.message_id?, frame.seq?, frame.number?))
}

/// The message a frame delivers; the error describes what is wrong with it.
fn message_event(frame: &Frame<'_>) -> Result<MessageEvent, String> {
    let (Some(position), Some(sender), Some(version)) =
        (position(frame), frame.sender_id, frame.version)
    else {
        return Err(format!("incomplete message: {frame:?}"));
    };
    let text = frame.message.as_deref().unwrap_or_default();
    let (key, content) = content(version, text, frame.client_message_id.as_deref())?;
    Ok(event(position, sender, key, content))
}

/// The log entry for the event a frame delivers.
pub(crate) fn log_entry(frame: &Frame<'_>) -> Result<LogEntry, String> {
    let kind = match (frame.kind(), frame.change.as_deref()) {
        ("message", _) => return message_event(frame).map(LogEntry::MessageReceived),
        ("message.edited", _) => ChangeKind::Edited,
        ("message.deleted", _) => ChangeKind::Deleted,
        ("member", Some("joined")) => ChangeKind::Joined,
        ("member", Some("left")) => ChangeKind::Left,
        _ => return Err(format!("unknown event: {frame:?}")),
    };
    let (Some(seq), Some(user_id)) = (frame.seq, frame.user_id) else {
        return Err(format!("incomplete event: {frame:?}"));
    };
    let content = match kind {
        ChangeKind::Joined | ChangeKind::Left => None,
        ChangeKind::Edited | ChangeKind::Deleted => {
            let version = frame.version.ok_or("event without a version")?;
            let text = MessageText::parse(frame.message.as_deref().unwrap_or_default())?;
            Some(MessageContent { version, text })
        }
    };
    let change = ChangeEvent {
        seq,
        kind,
        message_id: frame.message_id,
        user_id,
    };
    Ok(LogEntry::ChangeReceived { change, content })
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
