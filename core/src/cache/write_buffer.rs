//! Events on their way to the cache: one recording at a time; what comes meanwhile goes together
//! with the next. Owns the bound on what waits for a slow cache; an adapter does the waiting.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use super::history::KEPT_EVENTS;
use colloquy_proto::domain::{ConversationId, Epoch, Seq};

/// Committed events of one conversation, as the cache is told of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvents {
    /// The conversation.
    pub conversation_id: ConversationId,
    /// The history they belong to.
    pub epoch: Epoch,
    /// Each with its frame's JSON.
    pub events: Vec<(Seq, Arc<str>)>,
}

/// What some Rooms have yet to tell the cache.
#[derive(Debug, Default)]
pub struct WriteBuffer {
    state: State,
    waiting: HashMap<ConversationId, NewEvents>,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Idle,
    /// An adapter has been told that something waits.
    Scheduled,
    /// An adapter has taken what waited.
    Writing,
}

impl WriteBuffer {
    /// Takes committed events. More of a conversation than the cache would keep do not wait: the
    /// oldest go. Whether a recording is to be begun; otherwise one is under way, and goes on with
    /// these.
    #[must_use]
    pub fn push(&mut self, new: NewEvents) -> bool {
        match self.waiting.entry(new.conversation_id) {
            Entry::Vacant(entry) => {
                entry.insert(new);
            }
            Entry::Occupied(entry) if entry.get().epoch == new.epoch => {
                let waiting = &mut entry.into_mut().events;
                waiting.extend(new.events);
                let kept = usize::try_from(KEPT_EVENTS).unwrap_or(usize::MAX);
                let surplus = waiting.len().saturating_sub(kept);
                waiting.drain(..surplus);
            }
            Entry::Occupied(mut entry) => {
                entry.insert(new);
            }
        }
        let begins = self.state == State::Idle;
        if begins {
            self.state = State::Scheduled;
        }
        begins
    }

    /// What to record now; [`Self::finished`] is then due. Nothing while a recording is under way.
    pub fn drain(&mut self) -> Vec<NewEvents> {
        if self.state != State::Scheduled {
            return Vec::new();
        }
        self.state = State::Writing;
        self.waiting.drain().map(|(_, new)| new).collect()
    }

    /// The cache has taken what it was given, or not. Whether the recording goes on, since more
    /// has come meanwhile.
    #[must_use]
    pub fn finished(&mut self) -> bool {
        let more = !self.waiting.is_empty();
        self.state = if more { State::Scheduled } else { State::Idle };
        more
    }
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
        let told = batch.iter().map(|new| (new.conversation_id.0, seqs(new)));
        told.collect()
    }

    #[test]
    fn one_batch_at_a_time_and_the_newest_of_what_waits() {
        let mut unrecorded = WriteBuffer::default();
        assert_eq!(unrecorded.drain(), []);
        assert!(unrecorded.push(events(1, "e", 1..=2)));
        assert!(!unrecorded.push(events(2, "e", 7..=7)));
        let first = [(1, vec![1, 2]), (2, vec![7])];
        assert_eq!(seqs(unrecorded.drain()), first);
        assert!(!unrecorded.push(events(1, "e", 3..=60)));
        assert!(!unrecorded.push(events(1, "e", 61..=170)));
        assert_eq!(unrecorded.drain(), [], "one is under way");
        assert!(unrecorded.finished(), "more has come");
        let newest = [(1, (21..=170).collect::<Vec<_>>())];
        assert_eq!(seqs(unrecorded.drain()), newest);
        // Of another history nothing is put together with the first's.
        assert!(!unrecorded.push(events(1, "e", 171..=171)));
        assert!(!unrecorded.push(events(1, "f", 5..=5)));
        assert!(unrecorded.finished());
        assert_eq!(seqs(unrecorded.drain()), [(1, vec![5])]);
        assert!(!unrecorded.finished(), "nothing has come");
        assert!(unrecorded.push(events(1, "f", 6..=6)), "all is done");
    }
}
