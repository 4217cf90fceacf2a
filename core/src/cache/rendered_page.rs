//! A page of a history as JSON.

use std::sync::Arc;

use serde_json::value::RawValue;

use crate::ports::History;
use colloquy_proto::domain::{MessageNumber, Position};

/// A page of a history, serialized for the response.
#[derive(Debug, Clone)]
pub struct RenderedPage {
    /// The messages as a JSON array, oldest first.
    pub messages: Arc<RawValue>,
    /// The oldest message's number; `None` on an empty page.
    pub first: Option<MessageNumber>,
    /// The newest message's number.
    pub last: Option<MessageNumber>,
    /// The conversation's position when the page was read.
    pub position: Position,
}

impl RenderedPage {
    /// Serializes a page.
    ///
    /// # Errors
    /// None that a message can cause; serde's signature has one.
    pub fn of(history: &History) -> serde_json::Result<Self> {
        let messages = serde_json::value::to_raw_value(&history.messages)?;
        Ok(Self {
            messages: messages.into(),
            first: history.messages.first().map(|message| message.number),
            last: history.messages.last().map(|message| message.number),
            position: history.position.clone(),
        })
    }
}
