//! The byte budget of resumes: a leaky bucket per user. A resume costs a few bytes to ask for and up to
//! 300 events to answer, so requests alone say little about its cost. Stores what users have
//! received lately and nothing else.
//!
//! A resume that has started is always completed, so a bucket may rise above its capacity; the next
//! one starts when it has leaked below. Not part of the snapshots: a Room that hibernates has no client
//! that floods it.

use std::collections::BTreeMap;

use crate::domain::{Timestamp, UserId};

/// The bytes a user may receive at once: three resumes of messages of the maximum length, or hundreds of
/// usual ones.
const CAPACITY_BYTES: i64 = 16 * 1024 * 1024;

/// How fast the bucket leaks.
const BYTES_PER_MS: i64 = 256;

/// What a resume costs besides its events.
pub(super) const RESUME_COST_BYTES: usize = 1024;

/// From this many entries on, empty buckets are removed before another is added.
const PRUNE_AT: usize = 64;

#[derive(Debug, Default)]
pub(super) struct ResumeBudget(BTreeMap<UserId, Bucket>);

#[derive(Debug, Clone, Copy)]
struct Bucket {
    /// The level at `at`.
    bytes: i64,
    at: Timestamp,
}

impl Bucket {
    /// A clock set back leaks nothing and fills nothing.
    fn level(&self, now: Timestamp) -> i64 {
        let leaked = now
            .millis_since(self.at)
            .max(0)
            .saturating_mul(BYTES_PER_MS);
        self.bytes.saturating_sub(leaked).max(0)
    }
}

impl ResumeBudget {
    /// Whether the user may start a resume.
    ///
    /// # Errors
    /// The milliseconds to wait.
    pub(super) fn check(&self, user_id: UserId, now: Timestamp) -> Result<(), i64> {
        let level = self.0.get(&user_id).map_or(0, |bucket| bucket.level(now));
        match level.saturating_sub(CAPACITY_BYTES) {
            ..0 => Ok(()),
            excess => Err(excess / BYTES_PER_MS + 1),
        }
    }

    /// Adds what a resume of the user has cost.
    pub(super) fn spend(&mut self, user_id: UserId, bytes: usize, now: Timestamp) {
        if self.0.len() >= PRUNE_AT {
            self.0.retain(|_, bucket| bucket.level(now) > 0);
        }
        let spent = i64::try_from(bytes).unwrap_or(i64::MAX);
        let bucket = self
            .0
            .entry(user_id)
            .or_insert(Bucket { bytes: 0, at: now });
        *bucket = Bucket {
            bytes: bucket.level(now).saturating_add(spent),
            at: now,
        };
    }

    /// When every bucket is empty; `None` when all are.
    pub(super) fn restored_at(&self, now: Timestamp) -> Option<Timestamp> {
        let highest = self.0.values().map(|bucket| bucket.level(now)).max()?;
        let after = highest.saturating_add(BYTES_PER_MS - 1) / BYTES_PER_MS;
        (highest > 0).then(|| Timestamp(now.0.saturating_add(after)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USER: UserId = UserId(1);

    #[test]
    fn user_waits_until_enough_has_leaked() {
        let mut budget = ResumeBudget::default();
        let now = Timestamp(1_000);
        let capacity = usize::try_from(CAPACITY_BYTES).unwrap();
        budget.spend(USER, capacity - 1, now);
        assert_eq!(budget.check(USER, now), Ok(()));
        budget.spend(USER, 1_000_000, now);
        let Err(wait_ms) = budget.check(USER, now) else {
            panic!("a resume beyond the budget was permitted");
        };
        assert_eq!(budget.check(UserId(2), now), Ok(()));
        let early = Timestamp(now.0 + wait_ms - 1);
        assert!(budget.check(USER, early).is_err());
        assert_eq!(budget.check(USER, Timestamp(now.0 + wait_ms)), Ok(()));
        let restored = budget.restored_at(now).unwrap();
        assert_eq!(budget.restored_at(restored), None);
        assert!(budget.check(USER, Timestamp(0)).is_err(), "clock set back");
    }

    #[test]
    fn empty_buckets_are_removed() {
        let mut budget = ResumeBudget::default();
        for user in 0..10_000 {
            budget.spend(UserId(user), 1_000, Timestamp(user * 10));
        }
        assert!(budget.0.len() <= PRUNE_AT + 1);
    }
}
