//! An optimisation: the newest events, encoded, so that most resumes need no database query. Bounded
//! in number and bytes. Correctness does not depend on it: a resume loads what is not buffered.

use std::collections::VecDeque;

use super::input::EncodedFrame;
use crate::domain::{MessageId, Seq};
use crate::protocol::{Event, MAX_RESUME_EVENTS};

/// The most bytes one Room buffers; thousands of Rooms share a process.
const MAX_BYTES: usize = 32 * 1024;

/// An event with its encoded frame.
#[derive(Debug, Clone)]
pub(super) struct EncodedEvent {
    pub(super) seq: Seq,
    pub(super) frame: EncodedFrame,
    /// Whether the event exists in protocol v1.
    pub(super) v1: bool,
    /// The message the event creates, edits or deletes.
    message_id: Option<MessageId>,
    is_deletion: bool,
}

impl From<&Event> for EncodedEvent {
    fn from(event: &Event) -> Self {
        let message_id = match event {
            Event::Message(message) => Some(message.message_id),
            Event::Edited(edited) => Some(edited.message_id),
            Event::Deleted(deleted) => Some(deleted.message_id),
            Event::Member(_) => None,
        };
        Self {
            seq: event.seq(),
            frame: event.encode(),
            v1: event.is_message(),
            message_id,
            is_deletion: matches!(event, Event::Deleted(_)),
        }
    }
}

/// A dense run of events that ends at the head of the Room.
#[derive(Debug, Default)]
pub(super) struct ReplayBuffer {
    events: VecDeque<EncodedEvent>,
    bytes: usize,
}

impl ReplayBuffer {
    /// Appends the next event. The caller keeps the run dense.
    pub(super) fn push(&mut self, event: EncodedEvent) {
        if event.is_deletion {
            self.drop_through_last_of(event.message_id);
        }
        self.bytes += event.frame.len();
        self.events.push_back(event);
        while self.bytes > MAX_BYTES || self.events.len() > MAX_RESUME_EVENTS {
            let Some(oldest) = self.events.pop_front() else {
                break;
            };
            self.bytes -= oldest.frame.len();
        }
    }

    /// Drops every event up to the last one of a deleted message, so that a later resume does not
    /// deliver its old text. It reads the dropped events from the database, which no longer has the
    /// text.
    fn drop_through_last_of(&mut self, message_id: Option<MessageId>) {
        let concerns = |event: &EncodedEvent| event.message_id == message_id;
        if let Some(last) = self.events.iter().rposition(concerns) {
            for event in self.events.drain(..=last) {
                self.bytes -= event.frame.len();
            }
        }
    }

    /// Every event after `since`; `None` when the buffer does not reach back that far.
    pub(super) fn after(&self, since: Seq) -> Option<impl Iterator<Item = &EncodedEvent>> {
        let first = self.events.front()?.seq;
        if first > since.next() {
            return None;
        }
        Some(self.events.iter().filter(move |event| event.seq > since))
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}
