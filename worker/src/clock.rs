//! The runtime's clock and its randomness, as core's ports.
//!
//! At the edge time stands still while code runs and moves on with every answer from outside.

use std::time::Duration;

use colloquy_core::ports::{Clock, Rng};
use colloquy_proto::domain::Timestamp;
use worker::js_sys::Date;

/// The runtime's clock.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct EdgeClock;

impl Clock for EdgeClock {
    fn now(&self) -> Timestamp {
        // Asked several times a message: a number, where the `worker` crate's makes an object.
        #[expect(clippy::cast_possible_truncation, reason = "whole milliseconds")]
        Timestamp(Date::now() as i64)
    }
}

/// What is left of a `span` that began at `then`; `None` when it is over or never began. A clock that
/// was set back says nothing.
pub(crate) fn left(span: Duration, then: Option<Timestamp>, now: Timestamp) -> Option<Duration> {
    let since = u64::try_from(now.millis_since(then?)).ok()?;
    let left = span.checked_sub(Duration::from_millis(since))?;
    (!left.is_zero()).then_some(left)
}

/// From `then` to the next turn of a number: each has one in every `span` of whole milliseconds, and
/// numbers that follow each other have theirs far apart.
pub(crate) fn until_turn(span: Duration, number: i64, then: Timestamp) -> Duration {
    // 2^64 by the golden section: its multiples lie evenly in the circle of all 64-bit numbers.
    const APART: u64 = 0x9e37_79b9_7f4a_7c15;
    let span = span.as_millis();
    let place = u128::from(number.cast_unsigned().wrapping_mul(APART));
    let now = u128::from(then.0.cast_unsigned()) + ((place * span) >> 64);
    Duration::from_millis(u64::try_from(span - now % span).unwrap_or(0))
}

/// The runtime's randomness (Web Crypto).
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct EdgeRng;

impl Rng for EdgeRng {
    /// # Panics
    /// When the runtime has none to give: no secret may be made of anything less.
    fn fill(&self, buffer: &mut [u8]) {
        #[expect(
            clippy::expect_used,
            reason = "going on without randomness would be worse than ending here"
        )]
        getrandom::fill(buffer).expect("the runtime gives randomness");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPAN: Duration = Duration::from_secs(3);

    #[test]
    fn a_turn_comes_once_in_every_span() {
        let mut at = Timestamp(1_000_000);
        at.0 += millis(until_turn(SPAN, 7, at));
        for _ in 0..3 {
            assert_eq!(until_turn(SPAN, 7, at), SPAN);
            let late = Timestamp(at.0 + 40);
            assert_eq!(millis(until_turn(SPAN, 7, late)), millis(SPAN) - 40);
            at.0 += millis(SPAN);
        }
    }

    #[test]
    fn who_begins_together_does_not_go_on_together() {
        let then = Timestamp(1_000_000);
        let mut turns: Vec<_> = (1..=50)
            .map(|n| millis(until_turn(SPAN, n, then)))
            .collect();
        turns.sort_unstable();
        let apart = turns.windows(2).map(|pair| pair[1] - pair[0]);
        // Evenly they would be 60 ms apart.
        assert!(
            apart.clone().all(|ms| (30..=120).contains(&ms)),
            "{:?}",
            apart.collect::<Vec<_>>()
        );
    }

    fn millis(span: Duration) -> i64 {
        span.as_millis().try_into().unwrap()
    }
}
