//! The newest events, encoded, so that most resumes need no database. Bounded in number and bytes.

use std::collections::VecDeque;

use super::input::Frame;
use crate::domain::Seq;
use crate::protocol::MAX_RESUME_EVENTS;

/// What one Room may keep; thousands of Rooms share a process.
const MAX_BYTES: usize = 32 * 1024;

/// A dense run of events that ends at the Room's newest one.
#[derive(Debug, Default)]
pub(super) struct Recent {
    events: VecDeque<(Seq, Frame)>,
    bytes: usize,
}

impl Recent {
    /// Adds the next event. The caller keeps the run dense.
    pub(super) fn push(&mut self, seq: Seq, frame: Frame) {
        self.bytes += frame.len();
        self.events.push_back((seq, frame));
        while self.bytes > MAX_BYTES || self.events.len() > MAX_RESUME_EVENTS {
            let Some((_, oldest)) = self.events.pop_front() else {
                break;
            };
            self.bytes -= oldest.len();
        }
    }

    /// Every event after `since`, or `None` when the run does not reach back that far.
    pub(super) fn after(&self, since: Seq) -> Option<Vec<(Seq, Frame)>> {
        let first = self.events.front()?.0;
        if first > since.next() {
            return None;
        }
        Some(
            self.events
                .iter()
                .filter(|(seq, _)| *seq > since)
                .cloned()
                .collect(),
        )
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}
