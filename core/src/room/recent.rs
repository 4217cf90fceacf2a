//! The newest events, encoded, so that most resumes need no database. Bounded in number and bytes.

use std::collections::VecDeque;

use super::input::Frame;
use crate::domain::Seq;
use crate::protocol::{Event, MAX_RESUME_EVENTS};

/// What one Room may keep; thousands of Rooms share a process.
const MAX_BYTES: usize = 32 * 1024;

/// An event as it is delivered.
#[derive(Debug, Clone)]
pub(super) struct Encoded {
    pub(super) seq: Seq,
    pub(super) frame: Frame,
    /// Whether v1 sockets know such a frame.
    pub(super) v1: bool,
}

impl From<&Event> for Encoded {
    fn from(event: &Event) -> Self {
        Self {
            seq: event.seq(),
            frame: event.encode(),
            v1: event.is_message(),
        }
    }
}

/// A dense run of events that ends at the Room's newest one.
#[derive(Debug, Default)]
pub(super) struct Recent {
    events: VecDeque<Encoded>,
    bytes: usize,
}

impl Recent {
    /// Adds the next event. The caller keeps the run dense.
    pub(super) fn push(&mut self, event: Encoded) {
        self.bytes += event.frame.len();
        self.events.push_back(event);
        while self.bytes > MAX_BYTES || self.events.len() > MAX_RESUME_EVENTS {
            let Some(oldest) = self.events.pop_front() else {
                break;
            };
            self.bytes -= oldest.frame.len();
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
