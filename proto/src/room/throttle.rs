//! The rate limit: one send per user and period. Stores the time of the last accepted send of each
//! user and nothing else.

use std::collections::BTreeMap;

use crate::domain::{Timestamp, UserId};

/// From this many entries on, expired ones are removed before another is added.
const PRUNE_AT: usize = 64;

#[derive(Debug)]
pub(super) struct Throttle {
    period_ms: i64,
    periods: BTreeMap<UserId, Period>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Period {
    started_at: Timestamp,
    /// Whether the one duplicate check of this period is used up.
    duplicate_checked: bool,
}

impl Period {
    const fn new(started_at: Timestamp) -> Self {
        Self {
            started_at,
            duplicate_checked: false,
        }
    }
}

impl Throttle {
    pub(super) const fn new(period_ms: i64) -> Self {
        Self {
            period_ms,
            periods: BTreeMap::new(),
        }
    }

    /// Starts a period for the user's send.
    ///
    /// # Errors
    /// The remaining milliseconds, when a period is running.
    pub(super) fn try_acquire(&mut self, user_id: UserId, now: Timestamp) -> Result<(), i64> {
        if self.period_ms == 0 {
            return Ok(());
        }
        if let Some(remaining_ms) = self.remaining_ms(user_id, now) {
            return Err(remaining_ms);
        }
        if self.periods.len() >= PRUNE_AT {
            let running = 0..self.period_ms;
            self.periods
                .retain(|_, period| running.contains(&now.millis_since(period.started_at)));
        }
        self.periods.insert(user_id, Period::new(now));
        Ok(())
    }

    /// Ends the period that [`Self::try_acquire`] started at `started_at`, because the send was
    /// not stored.
    pub(super) fn refund(&mut self, user_id: UserId, started_at: Timestamp) {
        let period = self.periods.get(&user_id);
        if period.is_some_and(|period| period.started_at == started_at) {
            self.periods.remove(&user_id);
        }
    }

    /// Whether the database may be asked if a throttled send is a duplicate. Allowed once per
    /// period, which bounds the cost of a flood.
    pub(super) fn try_duplicate_check(&mut self, user_id: UserId) -> bool {
        let period = self.periods.get_mut(&user_id);
        period.is_some_and(|period| !std::mem::replace(&mut period.duplicate_checked, true))
    }

    /// The start of the user's running period.
    pub(super) fn period_start(&self, user_id: UserId, now: Timestamp) -> Option<Timestamp> {
        self.remaining_ms(user_id, now)?;
        Some(self.periods.get(&user_id)?.started_at)
    }

    /// Restores a period from a snapshot. Of several, the latest counts.
    pub(super) fn restore(&mut self, user_id: UserId, started_at: Timestamp) {
        let restored = Period::new(started_at);
        let period = self.periods.entry(user_id).or_insert(restored);
        period.started_at = started_at.max(period.started_at);
    }

    /// When the last running period ends; `None` when none is running.
    pub(super) fn expires_at(&self, now: Timestamp) -> Option<Timestamp> {
        let users = self.periods.keys();
        let remaining_ms = users.filter_map(|user_id| self.remaining_ms(*user_id, now));
        Some(Timestamp(now.0 + remaining_ms.max()?))
    }

    /// The remaining milliseconds of the user's running period. A clock set back ends the period
    /// instead of extending it.
    pub(super) fn remaining_ms(&self, user_id: UserId, now: Timestamp) -> Option<i64> {
        let elapsed_ms = now.millis_since(self.periods.get(&user_id)?.started_at);
        (0..self.period_ms)
            .contains(&elapsed_ms)
            .then_some(self.period_ms - elapsed_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_send_per_period_is_accepted_and_the_exact_wait_returned() {
        let mut throttle = Throttle::new(1_000);
        let user = UserId(1);
        assert_eq!(throttle.try_acquire(user, Timestamp(5_000)), Ok(()));
        assert_eq!(throttle.try_acquire(user, Timestamp(5_360)), Err(640));
        assert_eq!(throttle.try_acquire(UserId(2), Timestamp(5_360)), Ok(()));
        assert_eq!(throttle.try_acquire(user, Timestamp(6_000)), Ok(()));
        throttle.refund(user, Timestamp(6_000));
        assert_eq!(throttle.try_acquire(user, Timestamp(6_001)), Ok(()));
        assert_eq!(
            throttle.try_acquire(user, Timestamp(100)),
            Ok(()),
            "clock set back"
        );
        assert_eq!(throttle.expires_at(Timestamp(100)), Some(Timestamp(1_100)));
    }

    #[test]
    fn entries_are_bounded_by_the_users_of_one_period() {
        let mut throttle = Throttle::new(1_000);
        for user in 0..10_000 {
            let now = Timestamp(user * 100);
            assert_eq!(throttle.try_acquire(UserId(user), now), Ok(()));
        }
        assert!(throttle.periods.len() <= PRUNE_AT + 1);
    }
}
