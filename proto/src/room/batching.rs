//! An optimisation: adaptive group commit. After a commit, the batching window delays the next one
//! until the expected sends have arrived or the linger expires.
//!
//! A commit and a socket write cost almost the same for one message as for many. All receivers get
//! a broadcast at the same time, so their replies arrive together. Committing the first reply at
//! once leaves the others to the next commit, and the senders stay split into two groups. With ten
//! senders of one message each in flight, the window doubles throughput, from 123,250–208,950 to
//! 264,933–313,600 deliveries per second (`docs/decisions/0015-batching-window.md`).
//!
//! Correctness does not depend on this module. It only moves the time at which the host calls
//! [`super::Room::flush`]; without [`super::Room::enable_batching`] every send is committed as soon
//! as no commit is in flight. The sends themselves wait in [`super::send_queue`].

use crate::domain::Timestamp;

/// A batch of this size is flushed without waiting for more.
const TARGET_BATCH: usize = 32;

/// The shortest linger, in milliseconds: less is not measurable with clocks of 1 ms resolution.
const MIN_LINGER_MS: i64 = 2;

/// How long a batch may wait for more sends after a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchPolicy {
    /// The linger as a multiple of the duration of the last commit.
    pub commit_multiple: i64,
    /// The upper bound of the linger in milliseconds; at least 2.
    pub max_linger_ms: i64,
}

/// The window in which sends are collected into one batch.
#[derive(Debug)]
pub(super) struct BatchWindow {
    policy: BatchPolicy,
    commit_started_at: Option<Timestamp>,
    last_commit: Option<FinishedCommit>,
}

#[derive(Debug)]
struct FinishedCommit {
    finished_at: Timestamp,
    linger_ms: i64,
    /// The size of the next batch if every sender of this one replies.
    expected_sends: usize,
}

impl BatchWindow {
    pub(super) const fn new(policy: BatchPolicy) -> Self {
        Self {
            policy,
            commit_started_at: None,
            last_commit: None,
        }
    }

    pub(super) const fn on_commit_started(&mut self, now: Timestamp) {
        self.commit_started_at = Some(now);
    }

    /// A commit of `committed` sends has finished, successfully or not, while `waiting` are queued.
    pub(super) fn on_commit_finished(&mut self, committed: usize, waiting: usize, now: Timestamp) {
        let BatchPolicy {
            commit_multiple,
            max_linger_ms,
        } = self.policy;
        self.last_commit = self.commit_started_at.take().map(|started| FinishedCommit {
            finished_at: now,
            linger_ms: now
                .millis_since(started)
                .saturating_mul(commit_multiple)
                .min(max_linger_ms)
                .max(MIN_LINGER_MS),
            expected_sends: (committed + waiting).min(TARGET_BATCH),
        });
    }

    /// When `waiting` sends are to be flushed: now if the batch is complete or the linger has
    /// expired, otherwise when it expires.
    pub(super) fn flush_at(&self, waiting: usize, now: Timestamp) -> Timestamp {
        match &self.last_commit {
            // The range excludes negative differences: a clock set back ends the linger.
            Some(commit)
                if waiting < commit.expected_sends
                    && (0..commit.linger_ms).contains(&now.millis_since(commit.finished_at)) =>
            {
                Timestamp(commit.finished_at.0 + commit.linger_ms)
            }
            _ => now,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: BatchPolicy = BatchPolicy {
        commit_multiple: 2,
        max_linger_ms: 10,
    };

    fn at(ms: i64) -> Timestamp {
        Timestamp(1_000 + ms)
    }

    /// A window after one commit that started and finished at these times.
    fn after_commit(
        committed: usize,
        waiting: usize,
        [started, finished]: [i64; 2],
    ) -> BatchWindow {
        let mut window = BatchWindow::new(POLICY);
        window.on_commit_started(at(started));
        window.on_commit_finished(committed, waiting, at(finished));
        window
    }

    #[test]
    fn first_send_is_flushed_at_once() {
        assert_eq!(BatchWindow::new(POLICY).flush_at(1, at(0)), at(0));
    }

    #[test]
    fn batch_is_flushed_when_complete_or_when_the_linger_expires() {
        let window = after_commit(3, 0, [0, 4]);
        assert_eq!(window.flush_at(1, at(4)), at(12));
        assert_eq!(window.flush_at(2, at(11)), at(12));
        assert_eq!(window.flush_at(3, at(4)), at(4), "complete");
        assert_eq!(window.flush_at(1, at(12)), at(12), "linger expired");
        assert_eq!(window.flush_at(1, at(3)), at(3), "clock set back");
    }

    #[test]
    fn queued_sends_count_towards_the_expected_batch() {
        let window = after_commit(5, 4, [0, 2]);
        assert_eq!(window.flush_at(8, at(2)), at(6));
        assert_eq!(window.flush_at(9, at(2)), at(2));
        // Only the last commit counts: after a commit of one send, one send is a complete batch.
        assert_eq!(after_commit(1, 0, [0, 2]).flush_at(1, at(2)), at(2));
    }

    #[test]
    fn linger_and_expected_batch_are_bounded() {
        assert_eq!(
            after_commit(2, 0, [0, 0]).flush_at(1, at(0)),
            at(MIN_LINGER_MS)
        );
        let slow = after_commit(2, 0, [0, 5_000]);
        assert_eq!(
            slow.flush_at(1, at(5_000)),
            at(5_000 + POLICY.max_linger_ms)
        );
        let set_back = after_commit(2, 0, [5_000, 0]);
        assert_eq!(set_back.flush_at(1, at(0)), at(MIN_LINGER_MS));
        let large = after_commit(60, 40, [0, 4]);
        assert_eq!(large.flush_at(TARGET_BATCH - 1, at(4)), at(12));
        assert_eq!(large.flush_at(TARGET_BATCH, at(4)), at(4));
    }
}
