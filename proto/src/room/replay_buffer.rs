//! The newest events, encoded, so that most resumes need no database. Bounded in number and bytes.

use std::collections::VecDeque;

use super::input::EncodedFrame;
use crate::domain::{MessageId, Seq};
use crate::protocol::{Event, MAX_RESUME_EVENTS};

/// What one Room may keep; thousands of Rooms share a process.
const MAX_BYTES: usize = 32 * 1024;

/// An event as it is delivered.
#[derive(Debug, Clone)]
pub(super) struct Encoded {
    pub(super) seq: Seq,
    pub(super) frame: EncodedFrame,
    /// Whether v1 sockets know such a frame.
    pub(super) v1: bool,
    /// The message it tells of.
    message: Option<MessageId>,
    /// Whether that one has no text from here on.
    deletes: bool,
}

impl From<&Event> for Encoded {
    fn from(event: &Event) -> Self {
        let message = match event {
            Event::Message(message) => Some(message.message_id),
            Event::Edited(edited) => Some(edited.message_id),
            Event::Deleted(deleted) => Some(deleted.message_id),
            Event::Member(_) => None,
        };
        Self {
            seq: event.seq(),
            frame: event.encode(),
            v1: event.is_message(),
            message,
            deletes: matches!(event, Event::Deleted(_)),
        }
    }
}

/// A dense run of events that ends at the Room's newest one.
#[derive(Debug, Default)]
pub(super) struct ReplayBuffer {
    events: VecDeque<Encoded>,
    bytes: usize,
}

impl ReplayBuffer {
    /// Adds the next event. The caller keeps the run dense.
    pub(super) fn push(&mut self, event: Encoded) {
        if event.deletes {
            self.forget(event.message);
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

    /// Who resumes later is not told what a message said before it was deleted: the run begins after
    /// the last event that tells it, and what was before is read from the database, as it is now.
    fn forget(&mut self, message: Option<MessageId>) {
        let told = |event: &Encoded| event.message == message;
        if let Some(last) = self.events.iter().rposition(told) {
            for event in self.events.drain(..=last) {
                self.bytes -= event.frame.len();
            }
        }
    }

    /// Every event after `since`, or `None` when the run does not reach back that far.
    pub(super) fn after(&self, since: Seq) -> Option<Vec<Encoded>> {
        let first = self.events.front()?.seq;
        if first > since.next() {
            return None;
        }
        Some(
            self.events
                .iter()
                .filter(|event| event.seq > since)
                .cloned()
                .collect(),
        )
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}
