//! Members removed recently. A socket authorized before the removal of its user must not connect
//! after it.

use std::collections::VecDeque;

use crate::domain::{Seq, UserId};

/// How many removals are kept. A socket connects moments after it was authorized, so few suffice.
const MAX_REMOVALS: usize = 64;

/// The state of a membership since a socket was authorized.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Membership {
    Active,
    Removed,
    /// The socket was authorized before the oldest position this Room can decide for.
    Unknown,
}

/// Every removal after `known_since`, up to the head of the Room.
#[derive(Debug, Default)]
pub(super) struct RecentRemovals {
    known_since: Seq,
    removals: VecDeque<(Seq, UserId)>,
}

impl RecentRemovals {
    /// Starts empty: no member was removed between `known_since` and the head of the Room.
    pub(super) fn reset(&mut self, known_since: Seq) {
        self.known_since = known_since;
        self.removals.clear();
    }

    /// Adds the removal of a member by the event at `seq`.
    pub(super) fn push(&mut self, seq: Seq, user_id: UserId) {
        self.removals.push_back((seq, user_id));
        if self.removals.len() > MAX_REMOVALS
            && let Some((seq, _)) = self.removals.pop_front()
        {
            self.known_since = seq;
        }
    }

    /// The state of the membership that was active at `admitted_at`.
    pub(super) fn membership(&self, admitted_at: Seq, user_id: UserId) -> Membership {
        let mut later = self.removals.iter().filter(|(seq, _)| *seq > admitted_at);
        if later.any(|(_, removed)| *removed == user_id) {
            Membership::Removed
        } else if admitted_at < self.known_since {
            Membership::Unknown
        } else {
            Membership::Active
        }
    }
}
