//! Write-behind of committed events to the cache: one write at a time; events that arrive during it
//! go with the next one.
//!
//! Owns the events that wait and the bound on them; the adapter does the waiting and the writing.
//! Losing the buffer loses no message: a reader of the history finds the gap and asks the database.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use crate::domain::{ConversationId, Epoch, Seq};

/// Committed events of one conversation, to be written to the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvents {
    /// The conversation.
    pub conversation_id: ConversationId,
    /// The history they belong to.
    pub epoch: Epoch,
    /// Position and JSON of each, ascending.
    pub events: Vec<(Seq, Arc<str>)>,
}

/// The events that one or several Rooms have yet to write to the cache.
#[derive(Debug)]
pub struct WriteBuffer {
    max_events: usize,
    state: State,
    waiting: HashMap<ConversationId, NewEvents>,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    Idle,
    /// The adapter is going to call `drain`.
    Scheduled,
    /// The adapter has drained the buffer and is going to call `finished`.
    Writing,
}

impl WriteBuffer {
    /// An empty buffer that keeps this many waiting events per conversation, as many as the cache.
    pub fn new(max_events: usize) -> Self {
        Self {
            max_events,
            state: State::Idle,
            waiting: HashMap::new(),
        }
    }

    /// Adds events to those that wait, of which the oldest beyond the bound are dropped. True when
    /// the adapter has to schedule a write; otherwise they go with the scheduled write, or with the
    /// one after the write in flight.
    #[must_use]
    pub fn push(&mut self, mut new: NewEvents) -> bool {
        drop_oldest(&mut new.events, self.max_events);
        match self.waiting.entry(new.conversation_id) {
            Entry::Vacant(entry) => {
                entry.insert(new);
            }
            Entry::Occupied(entry) if entry.get().epoch == new.epoch => {
                let waiting = &mut entry.into_mut().events;
                waiting.extend(new.events);
                drop_oldest(waiting, self.max_events);
            }
            Entry::Occupied(mut entry) => {
                entry.insert(new);
            }
        }
        let must_start = self.state == State::Idle;
        if must_start {
            self.state = State::Scheduled;
        }
        must_start
    }

    /// The events to write now; [`Self::finished`] is due afterwards. Empty while a write is in
    /// flight.
    pub fn drain(&mut self) -> Vec<NewEvents> {
        if self.state != State::Scheduled {
            return Vec::new();
        }
        self.state = State::Writing;
        self.waiting.drain().map(|(_, new)| new).collect()
    }

    /// The write has ended, successful or not. True when another one is to be scheduled.
    #[must_use]
    pub fn finished(&mut self) -> bool {
        let more = !self.waiting.is_empty();
        self.state = if more { State::Scheduled } else { State::Idle };
        more
    }

    /// Whether nothing waits and no write is in flight.
    pub fn is_idle(&self) -> bool {
        self.state == State::Idle
    }
}

fn drop_oldest<T>(events: &mut Vec<T>, max_events: usize) {
    let surplus = events.len().saturating_sub(max_events);
    events.drain(..surplus);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(id: i64, epoch: &str, seqs: std::ops::RangeInclusive<i64>) -> NewEvents {
        NewEvents {
            conversation_id: ConversationId(id),
            epoch: Epoch(epoch.into()),
            events: seqs.map(|seq| (Seq(seq), "{}".into())).collect(),
        }
    }

    /// The seqs of each conversation.
    fn seqs(mut batch: Vec<NewEvents>) -> Vec<(i64, Vec<i64>)> {
        batch.sort_by_key(|new| new.conversation_id.0);
        let seqs = |new: &NewEvents| new.events.iter().map(|(seq, _)| seq.0).collect();
        batch
            .iter()
            .map(|new| (new.conversation_id.0, seqs(new)))
            .collect()
    }

    #[test]
    fn one_write_is_in_flight_and_the_newest_events_wait() {
        let mut buffer = WriteBuffer::new(150);
        assert_eq!(buffer.drain(), []);
        assert!(buffer.push(events(1, "e", 1..=2)));
        assert!(!buffer.push(events(2, "e", 7..=7)));
        let first = [(1, vec![1, 2]), (2, vec![7])];
        assert_eq!(seqs(buffer.drain()), first);
        assert!(!buffer.push(events(1, "e", 3..=60)));
        assert!(!buffer.push(events(1, "e", 61..=170)));
        assert_eq!(buffer.drain(), [], "a write is in flight");
        assert!(buffer.finished(), "more events wait");
        let newest = [(1, (21..=170).collect::<Vec<_>>())];
        assert_eq!(seqs(buffer.drain()), newest);
        // The bound applies to a single push too, also of another epoch.
        assert!(!buffer.push(events(1, "d", 1..=400)));
        assert!(buffer.finished());
        assert_eq!(seqs(buffer.drain()), [(1, (251..=400).collect::<Vec<_>>())]);
        // Events of another epoch replace those that wait.
        assert!(!buffer.push(events(1, "e", 171..=171)));
        assert!(!buffer.push(events(1, "f", 5..=5)));
        assert!(buffer.finished());
        assert_eq!(seqs(buffer.drain()), [(1, vec![5])]);
        assert!(!buffer.finished(), "nothing waits");
        assert!(
            buffer.push(events(1, "f", 6..=6)),
            "the last write has ended"
        );
    }
}
