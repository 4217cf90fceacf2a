//! How long sends wait for company before they leave as one commit.
//!
//! What a commit and a write to each socket cost hardly depends on how many messages they carry.
//! Who has just been heard is likely to speak again, and everybody is heard at once: a Room that
//! committed the first answer that came would leave the others to the next commit, and so on, in
//! two camps. Knows how many left and when; the sends themselves wait in [`super::send_queue`].

use crate::domain::Timestamp;

/// SendQueue that need not wait for more.
const ENOUGH: usize = 32;

/// The least time worth waiting where clocks count whole milliseconds.
const LEAST_MS: i64 = 2;

/// How long a Room may let sends wait after a commit was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchPolicy {
    /// As a multiple of what that commit took.
    pub commit_multiple: i64,
    /// However slow the database is, in milliseconds; at least 2.
    pub max_linger_ms: i64,
}

/// What was heard last, and how long it is waited for those who answer it.
#[derive(Debug)]
pub(super) struct BatchWindow {
    patience: BatchPolicy,
    left: Option<Timestamp>,
    answered: Option<Answered>,
}

#[derive(Debug)]
struct Answered {
    at: Timestamp,
    patience_ms: i64,
    /// How many sends wait once everybody who has just been heard has spoken again.
    expected: usize,
}

impl BatchWindow {
    pub(super) const fn new(patience: BatchPolicy) -> Self {
        Self {
            patience,
            left: None,
            answered: None,
        }
    }

    /// A commit leaves.
    pub(super) const fn leaves(&mut self, now: Timestamp) {
        self.left = Some(now);
    }

    /// The commit of so many sends has its answer, whatever it was, while others wait.
    pub(super) fn is_answered(&mut self, carried: usize, waiting: usize, now: Timestamp) {
        let BatchPolicy {
            commit_multiple,
            max_linger_ms,
        } = self.patience;
        self.answered = self.left.take().map(|left| Answered {
            at: now,
            patience_ms: now
                .millis_since(left)
                .saturating_mul(commit_multiple)
                .min(max_linger_ms)
                .max(LEAST_MS),
            expected: (carried + waiting).min(ENOUGH),
        });
    }

    /// When so many sends may leave: now, if as many are there as are expected, or if the last
    /// commit was long enough ago.
    pub(super) fn leave_at(&self, waiting: usize, now: Timestamp) -> Timestamp {
        match &self.answered {
            // A clock that was set back makes nobody wait.
            Some(answered)
                if waiting < answered.expected
                    && (0..answered.patience_ms).contains(&now.millis_since(answered.at)) =>
            {
                Timestamp(answered.at.0 + answered.patience_ms)
            }
            _ => now,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: BatchPolicy = BatchPolicy {
        commit_multiple: 2,
        max_linger_ms: 10,
    };

    fn at(ms: i64) -> Timestamp {
        Timestamp(1_000 + ms)
    }

    /// After a commit of so many sends that leaves and is answered at these times.
    fn after(carried: usize, waiting: usize, [left, answered]: [i64; 2]) -> BatchWindow {
        let mut company = BatchWindow::new(PATIENCE);
        company.leaves(at(left));
        company.is_answered(carried, waiting, at(answered));
        company
    }

    #[test]
    fn the_first_send_waits_for_nobody() {
        assert_eq!(BatchWindow::new(PATIENCE).leave_at(1, at(0)), at(0));
    }

    #[test]
    fn who_was_heard_is_waited_for_as_long_as_is_worth_it() {
        let company = after(3, 0, [0, 4]);
        assert_eq!(company.leave_at(1, at(4)), at(12));
        assert_eq!(company.leave_at(2, at(11)), at(12));
        assert_eq!(company.leave_at(3, at(4)), at(4), "all are there");
        assert_eq!(
            company.leave_at(1, at(12)),
            at(12),
            "it has been long enough"
        );
        assert_eq!(company.leave_at(1, at(3)), at(3), "the clock was set back");
    }

    #[test]
    fn two_camps_become_one() {
        let company = after(5, 4, [0, 2]);
        assert_eq!(company.leave_at(8, at(2)), at(6));
        assert_eq!(company.leave_at(9, at(2)), at(2));
        // Who falls silent is forgotten: one commit alone is not expected twice.
        assert_eq!(after(1, 0, [0, 2]).leave_at(1, at(2)), at(2));
    }

    #[test]
    fn patience_has_bounds_and_enough_is_enough() {
        assert_eq!(after(2, 0, [0, 0]).leave_at(1, at(0)), at(LEAST_MS));
        let slow = after(2, 0, [0, 5_000]);
        assert_eq!(
            slow.leave_at(1, at(5_000)),
            at(5_000 + PATIENCE.max_linger_ms)
        );
        let set_back = after(2, 0, [5_000, 0]);
        assert_eq!(set_back.leave_at(1, at(0)), at(LEAST_MS));
        let crowd = after(60, 40, [0, 4]);
        assert_eq!(crowd.leave_at(ENOUGH - 1, at(4)), at(12));
        assert_eq!(crowd.leave_at(ENOUGH, at(4)), at(4));
    }
}
