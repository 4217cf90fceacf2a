//! How busy the isolate's one thread is: which Rooms wait for a commit.
//!
//! Batching makes a send wait. While other Rooms keep the thread busy, the wait costs nothing and each
//! larger batch leaves the others more time; on an idle thread it would be a plain delay. So a Room
//! lingers only while the thread is contended ([`is_contended`]).
//!
//! An object that is evicted during a commit reports no end, so an entry counts only as long as a
//! statement may take.

use std::cell::RefCell;
use std::collections::HashMap;

use colloquy_proto::domain::{ConversationId, Timestamp};

use crate::clock::remaining;
use crate::driver::RUN_TIMEOUT;

/// This many other Rooms in a commit keep the thread busy.
const CONTENDED_AT: usize = 4;

thread_local! {
    static ISOLATE_LOAD: RefCell<IsolateLoad> = RefCell::default();
}

/// A Room starts a commit.
pub(crate) fn begin(conversation_id: ConversationId, now: Timestamp) {
    ISOLATE_LOAD.with_borrow_mut(|load| load.begin(conversation_id, now));
}

/// Its commit has ended.
pub(crate) fn end(conversation_id: ConversationId) {
    ISOLATE_LOAD.with_borrow_mut(|load| load.end(conversation_id));
}

/// Whether other Rooms than this one keep the thread busy.
pub(crate) fn is_contended(conversation_id: ConversationId, now: Timestamp) -> bool {
    ISOLATE_LOAD.with_borrow(|load| load.is_contended(conversation_id, now))
}

/// The Rooms in a commit, and since when.
#[derive(Default)]
struct IsolateLoad(HashMap<ConversationId, Timestamp>);

impl IsolateLoad {
    fn begin(&mut self, conversation_id: ConversationId, now: Timestamp) {
        self.0
            .retain(|_, since| remaining(RUN_TIMEOUT, Some(*since), now).is_some());
        self.0.insert(conversation_id, now);
    }

    fn end(&mut self, conversation_id: ConversationId) {
        self.0.remove(&conversation_id);
    }

    fn is_contended(&self, conversation_id: ConversationId, now: Timestamp) -> bool {
        let others = self.0.iter().filter(|(other, since)| {
            **other != conversation_id && remaining(RUN_TIMEOUT, Some(**since), now).is_some()
        });
        others.take(CONTENDED_AT).count() == CONTENDED_AT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: ConversationId = ConversationId(1);

    fn at(ms: i64) -> Timestamp {
        Timestamp(1_000_000 + ms)
    }

    fn load_of(ids: impl IntoIterator<Item = i64>) -> IsolateLoad {
        let mut load = IsolateLoad::default();
        for id in ids {
            load.begin(ConversationId(id), at(0));
        }
        load
    }

    #[test]
    fn only_other_rooms_count() {
        assert!(!load_of([1, 2, 3, 4]).is_contended(ONE, at(0)));
        let mut five = load_of([1, 2, 3, 4, 5]);
        assert!(five.is_contended(ONE, at(0)));
        five.end(ConversationId(5));
        assert!(!five.is_contended(ONE, at(0)));
    }

    #[test]
    fn commit_without_an_end_counts_as_long_as_a_statement_may_take() {
        let mut five = load_of([1, 2, 3, 4, 5]);
        assert!(five.is_contended(ONE, at(4_999)));
        assert!(!five.is_contended(ONE, at(5_000)));
        assert!(!five.is_contended(ONE, at(-1)), "the clock was set back");
        five.begin(ONE, at(5_000));
        assert_eq!(five.0.len(), 1, "old entries are removed");
    }
}
