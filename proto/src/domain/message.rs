//! Messages and the validation of their text.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::text::{TextError, validate_text};
use super::{ClientMessageId, MessageId, MessageNumber, Seq, Timestamp, UserId};

/// The maximum length of a message in characters (Unicode scalar values).
pub const MAX_MESSAGE_CHARS: usize = 4_000;

/// The maximum number of users one message may mention.
pub const MAX_MENTIONS: usize = 50;

/// A message's text: 1 to [`MAX_MESSAGE_CHARS`] characters, at least one of them visible, no U+0000.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "utoipa", schema(min_length = 1, max_length = 4000))]
#[serde(transparent)]
pub struct MessageText(Arc<str>);

impl MessageText {
    /// Validates a message's text and keeps it unchanged.
    ///
    /// # Errors
    /// The violated rule, as [`TextError`].
    pub fn new(text: impl Into<Arc<str>>) -> Result<Self, TextError> {
        let text = text.into();
        validate_text(&text, 1, MAX_MESSAGE_CHARS)?;
        Ok(Self(text))
    }

    /// The text as sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The shared text.
    pub fn into_inner(self) -> Arc<str> {
        self.0
    }
}

/// A message as returned by the REST API.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct Message {
    /// Its id.
    #[cfg_attr(feature = "utoipa", schema(value_type = i64, example = 123))]
    pub id: MessageId,
    /// The sender's id.
    #[cfg_attr(feature = "utoipa", schema(value_type = i64, example = 1))]
    pub sender_id: UserId,
    /// The sender's username.
    #[cfg_attr(feature = "utoipa", schema(value_type = String, example = "johndoe"))]
    pub sender: Arc<str>,
    /// The text; empty after the message was deleted.
    #[cfg_attr(feature = "utoipa", schema(value_type = String, example = "Hello"))]
    pub content: Arc<str>,
    /// When it was stored.
    #[cfg_attr(feature = "utoipa", schema(value_type = String, format = DateTime))]
    pub timestamp: Timestamp,
    /// The position of the event that created it.
    #[cfg_attr(feature = "utoipa", schema(value_type = i64))]
    pub seq: Seq,
    /// Its ordinal in the conversation.
    #[cfg_attr(feature = "utoipa", schema(value_type = i64))]
    pub number: MessageNumber,
    /// The sender's idempotency key, if any.
    #[cfg_attr(feature = "utoipa", schema(value_type = Option<String>, required))]
    pub client_message_id: Option<ClientMessageId>,
    /// The id of the message it replies to, if any.
    #[cfg_attr(feature = "utoipa", schema(value_type = Option<i64>, required))]
    pub reply_to: Option<MessageId>,
    /// The ids of the mentioned users.
    #[cfg_attr(feature = "utoipa", schema(value_type = Vec<i64>, required))]
    #[serde(default)]
    pub mentions: Vec<UserId>,
    /// 1 when sent, incremented by every edit and by the deletion.
    pub version: i64,
}
