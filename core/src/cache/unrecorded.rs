//! Events on their way to the cache: one pipeline at a time; what comes meanwhile goes together
//! with the next. Owns the bound on what waits for a slow cache; an adapter does the waiting.

use std::sync::Arc;

use super::history::KEPT_EVENTS;
use crate::domain::{Epoch, Seq};

/// Events of one history with their encoded frames, to be recorded together.
type Batch = (Epoch, Vec<(Seq, Arc<str>)>);

/// What one Room has yet to tell the cache.
#[derive(Debug, Default)]
pub struct Unrecorded {
    state: State,
    waiting: Option<Batch>,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Idle,
    /// An adapter has been told that something waits.
    Due,
    /// An adapter has taken what waited.
    Recording,
}

impl Unrecorded {
    /// Takes committed events. More than the cache would keep do not wait: the oldest go. Whether
    /// a recording is to be begun; otherwise one is under way, and goes on with these.
    #[must_use]
    pub fn gather(&mut self, epoch: Epoch, events: Vec<(Seq, Arc<str>)>) -> bool {
        match &mut self.waiting {
            Some((same, waiting)) if *same == epoch => {
                waiting.extend(events);
                let kept = usize::try_from(KEPT_EVENTS).unwrap_or(usize::MAX);
                let surplus = waiting.len().saturating_sub(kept);
                waiting.drain(..surplus);
            }
            other => *other = Some((epoch, events)),
        }
        let begins = self.state == State::Idle;
        if begins {
            self.state = State::Due;
        }
        begins
    }

    /// What to record now, if anything; [`Self::recorded`] is then due.
    pub fn next_batch(&mut self) -> Option<Batch> {
        if self.state != State::Due {
            return None;
        }
        self.state = State::Recording;
        self.waiting.take()
    }

    /// The cache has taken what it was given, or not. Whether the recording goes on, since more
    /// has come meanwhile.
    #[must_use]
    pub fn recorded(&mut self) -> bool {
        let more = self.waiting.is_some();
        self.state = if more { State::Due } else { State::Idle };
        more
    }

    /// Whether nothing waits and nothing is under way.
    pub fn is_idle(&self) -> bool {
        self.state == State::Idle
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(seqs: std::ops::RangeInclusive<i64>) -> Vec<(Seq, Arc<str>)> {
        seqs.map(|seq| (Seq(seq), "{}".into())).collect()
    }

    fn seqs(batch: Option<Batch>) -> Vec<i64> {
        let (_, events) = batch.unwrap();
        events.iter().map(|(seq, _)| seq.0).collect()
    }

    #[test]
    fn one_batch_at_a_time_and_the_newest_of_what_waits() {
        let (mut unrecorded, epoch) = (Unrecorded::default(), Epoch("e".into()));
        assert_eq!(unrecorded.next_batch(), None);
        assert!(unrecorded.gather(epoch.clone(), events(1..=2)));
        assert_eq!(seqs(unrecorded.next_batch()), [1, 2]);
        assert!(!unrecorded.gather(epoch.clone(), events(3..=60)));
        assert!(!unrecorded.gather(epoch, events(61..=120)));
        assert_eq!(unrecorded.next_batch(), None, "one is under way");
        assert!(unrecorded.recorded(), "more has come");
        assert_eq!(
            seqs(unrecorded.next_batch()),
            (21..=120).collect::<Vec<_>>()
        );
        // Of another history nothing is put together with the first's.
        assert!(!unrecorded.gather(Epoch("e".into()), events(121..=121)));
        assert!(!unrecorded.gather(Epoch("f".into()), events(5..=5)));
        assert!(unrecorded.recorded());
        assert_eq!(seqs(unrecorded.next_batch()), [5]);
        assert!(!unrecorded.is_idle());
        assert!(!unrecorded.recorded(), "nothing has come");
        assert!(unrecorded.is_idle());
    }
}
