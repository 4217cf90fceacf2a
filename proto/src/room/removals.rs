//! Who has ceased to be a member lately, so that nobody is let in by an entry granted before.

use std::collections::VecDeque;

use crate::domain::{Seq, UserId};

/// How many are remembered. An entry is granted moments before it is used, so few are asked for.
const MAX_LEFT: usize = 64;

/// What became of a membership since an entry was granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Membership {
    Active,
    Removed,
    /// That was before this Room can tell.
    Unknown,
}

/// Every departure after a position, up to where the Room stands.
#[derive(Debug, Default)]
pub(super) struct RecentRemovals {
    after: Seq,
    left: VecDeque<(Seq, UserId)>,
}

impl RecentRemovals {
    /// None is known; there was none between `after` and where the Room stands.
    pub(super) fn begin(&mut self, after: Seq) {
        self.after = after;
        self.left.clear();
    }

    /// Somebody's membership ended there.
    pub(super) fn push(&mut self, seq: Seq, user: UserId) {
        self.left.push_back((seq, user));
        if self.left.len() > MAX_LEFT
            && let Some((seq, _)) = self.left.pop_front()
        {
            self.after = seq;
        }
    }

    /// Whether the membership stands that stood at `granted`.
    pub(super) fn since(&self, granted: Seq, user: UserId) -> Membership {
        let mut later = self.left.iter().filter(|(seq, _)| *seq > granted);
        if later.any(|(_, left)| *left == user) {
            Membership::Removed
        } else if granted < self.after {
            Membership::Unknown
        } else {
            Membership::Active
        }
    }
}
