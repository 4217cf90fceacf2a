//! Which Rooms of this isolate wait for the database.
//!
//! An isolate has one thread for all its objects. A Room that lets sends wait for company takes work
//! from that thread: where it had nothing else to do, that is lost time; where other Rooms keep it
//! busy, it is time for them, and there is less to do in all. So a Room looks here before it waits.
//!
//! An object that is put away in the middle of a statement tells nobody, so what is entered counts
//! for as long as a statement may take.

use std::cell::RefCell;
use std::collections::HashMap;

use colloquy_proto::domain::{ConversationId, Timestamp};

use crate::clock::left;
use crate::driver::RUN_TIMEOUT;

/// So many other Rooms at work keep the thread busy.
const BUSY: usize = 4;

thread_local! {
    static AT_WORK: RefCell<AtWork> = RefCell::default();
}

/// A Room begins to wait for the database.
pub(crate) fn begin(id: ConversationId, now: Timestamp) {
    AT_WORK.with_borrow_mut(|isolate_load| isolate_load.begin(id, now));
}

/// It has its answer.
pub(crate) fn end(id: ConversationId) {
    AT_WORK.with_borrow_mut(|isolate_load| isolate_load.end(id));
}

/// Whether other Rooms have enough to do for the thread of this one.
pub(crate) fn are_others(id: ConversationId, now: Timestamp) -> bool {
    AT_WORK.with_borrow(|isolate_load| isolate_load.are_others(id, now))
}

/// Who waits, and since when.
#[derive(Default)]
struct AtWork(HashMap<ConversationId, Timestamp>);

impl AtWork {
    fn begin(&mut self, id: ConversationId, now: Timestamp) {
        self.0
            .retain(|_, since| left(RUN_TIMEOUT, Some(*since), now).is_some());
        self.0.insert(id, now);
    }

    fn end(&mut self, id: ConversationId) {
        self.0.remove(&id);
    }

    fn are_others(&self, id: ConversationId, now: Timestamp) -> bool {
        let others = self.0.iter().filter(|(other, since)| {
            **other != id && left(RUN_TIMEOUT, Some(**since), now).is_some()
        });
        others.take(BUSY).count() == BUSY
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: ConversationId = ConversationId(1);

    fn at(ms: i64) -> Timestamp {
        Timestamp(1_000_000 + ms)
    }

    fn with(ids: impl IntoIterator<Item = i64>) -> AtWork {
        let mut isolate_load = AtWork::default();
        for id in ids {
            isolate_load.begin(ConversationId(id), at(0));
        }
        isolate_load
    }

    #[test]
    fn others_count_and_oneself_does_not() {
        assert!(!with([1, 2, 3, 4]).are_others(ONE, at(0)));
        let mut five = with([1, 2, 3, 4, 5]);
        assert!(five.are_others(ONE, at(0)));
        five.end(ConversationId(5));
        assert!(!five.are_others(ONE, at(0)));
    }

    #[test]
    fn what_never_ended_counts_as_long_as_a_statement_may_take() {
        let mut five = with([1, 2, 3, 4, 5]);
        assert!(five.are_others(ONE, at(4_999)));
        assert!(!five.are_others(ONE, at(5_000)));
        assert!(!five.are_others(ONE, at(-1)), "a clock set back");
        five.begin(ONE, at(5_000));
        assert_eq!(five.0.len(), 1, "nothing is kept for good");
    }
}
