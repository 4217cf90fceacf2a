//! One send a period for each user. Keeps the time of the last accepted send, nothing else.

use std::collections::BTreeMap;

use crate::domain::{Timestamp, UserId};

/// Entries beyond this many are looked over for outdated ones before another is added.
const PRUNE_AT: usize = 64;

#[derive(Debug)]
pub(super) struct Throttle {
    period_ms: i64,
    last: BTreeMap<UserId, Last>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Last {
    taken: Timestamp,
    /// Whether the one question of this period has been asked.
    asked: bool,
}

impl Throttle {
    pub(super) const fn new(period_ms: i64) -> Self {
        Self {
            period_ms,
            last: BTreeMap::new(),
        }
    }

    /// Takes the user's send of this period, or tells how many milliseconds are left of it.
    pub(super) fn take(&mut self, user: UserId, now: Timestamp) -> Result<(), i64> {
        if self.period_ms == 0 {
            return Ok(());
        }
        if let Some(left) = self.left(user, now) {
            return Err(left);
        }
        if self.last.len() >= PRUNE_AT {
            let period = self.period_ms;
            self.last
                .retain(|_, last| (0..period).contains(&now.millis_since(last.taken)));
        }
        let (taken, asked) = (now, false);
        self.last.insert(user, Last { taken, asked });
        Ok(())
    }

    /// Gives back what [`Self::take`] took at `taken`, for a send that was not stored after all.
    pub(super) fn give_back(&mut self, user: UserId, taken: Timestamp) {
        if self.last.get(&user).is_some_and(|last| last.taken == taken) {
            self.last.remove(&user);
        }
    }

    /// Whether a throttled send may still be looked up as a possible repeat: once a period, so
    /// that a flood costs no more than that.
    pub(super) fn may_ask(&mut self, user: UserId) -> bool {
        let last = self.last.get_mut(&user);
        last.is_some_and(|last| !std::mem::replace(&mut last.asked, true))
    }

    /// When the user's running period began; `None` when none is running.
    pub(super) fn running_since(&self, user: UserId, now: Timestamp) -> Option<Timestamp> {
        self.left(user, now)?;
        Some(self.last.get(&user)?.taken)
    }

    /// Takes over what was kept: the latest of a user's sends counts.
    pub(super) fn restore(&mut self, user: UserId, taken: Timestamp) {
        let kept = Last {
            taken,
            asked: false,
        };
        let last = self.last.entry(user).or_insert(kept);
        last.taken = taken.max(last.taken);
    }

    /// When the last entry ends; `None` when none is running.
    pub(super) fn ends_at(&self, now: Timestamp) -> Option<Timestamp> {
        let left = self.last.keys().filter_map(|user| self.left(*user, now));
        Some(Timestamp(now.0 + left.max()?))
    }

    /// Milliseconds left, of a running period. A clock that was set back ends the period rather than stretching it.
    pub(super) fn left(&self, user: UserId, now: Timestamp) -> Option<i64> {
        let elapsed = now.millis_since(self.last.get(&user)?.taken);
        (0..self.period_ms)
            .contains(&elapsed)
            .then_some(self.period_ms - elapsed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_send_a_period_and_the_exact_wait() {
        let mut throttle = Throttle::new(1_000);
        let user = UserId(1);
        assert_eq!(throttle.take(user, Timestamp(5_000)), Ok(()));
        assert_eq!(throttle.take(user, Timestamp(5_360)), Err(640));
        assert_eq!(throttle.take(UserId(2), Timestamp(5_360)), Ok(()));
        assert_eq!(throttle.take(user, Timestamp(6_000)), Ok(()));
        throttle.give_back(user, Timestamp(6_000));
        assert_eq!(throttle.take(user, Timestamp(6_001)), Ok(()));
        assert_eq!(
            throttle.take(user, Timestamp(100)),
            Ok(()),
            "the clock was set back"
        );
        assert_eq!(throttle.ends_at(Timestamp(100)), Some(Timestamp(1_100)));
    }

    #[test]
    fn memory_is_bounded_by_the_users_of_one_period() {
        let mut throttle = Throttle::new(1_000);
        for user in 0..10_000 {
            assert_eq!(throttle.take(UserId(user), Timestamp(user * 100)), Ok(()));
        }
        assert!(throttle.last.len() <= PRUNE_AT + 1);
    }
}
