//! The runtime's clock, its timers and its randomness, as core's ports.
//!
//! At the edge the clock does not advance while code runs, only with I/O.

use std::time::Duration;

use async_trait::async_trait;
use colloquy_core::ports::{Clock, Rng, Timer};
use colloquy_proto::domain::Timestamp;
use worker::Delay;
use worker::js_sys::Date;
use worker::send::SendFuture;

/// The runtime's clock.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct EdgeClock;

impl Clock for EdgeClock {
    fn now(&self) -> Timestamp {
        // Called several times per message: `js_sys` returns a number, `worker::Date` is an object.
        #[expect(clippy::cast_possible_truncation, reason = "whole milliseconds")]
        Timestamp(Date::now() as i64)
    }
}

/// The runtime's timers, for requests to the Worker. An object must not use it: it would stay awake.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct EdgeTimer;

#[async_trait]
impl Timer for EdgeTimer {
    async fn sleep(&self, duration: Duration) {
        SendFuture::new(Delay::from(duration)).await;
    }
}

/// What remains of a `span` that began at `then`; `None` when it is over, never began, or the clock was
/// set back.
pub(crate) fn remaining(
    span: Duration,
    then: Option<Timestamp>,
    now: Timestamp,
) -> Option<Duration> {
    let since = u64::try_from(now.millis_since(then?)).ok()?;
    let remaining = span.checked_sub(Duration::from_millis(since))?;
    (!remaining.is_zero()).then_some(remaining)
}

/// The delay from `then` to the next offset of `number`. Time is divided into periods of `span`, in
/// whole milliseconds; each number has a fixed offset in every period, and the offsets of consecutive
/// numbers are far apart.
pub(crate) fn staggered_delay(span: Duration, number: i64, then: Timestamp) -> Duration {
    // Fibonacci hashing: the multiples of 2^64 divided by the golden ratio are evenly distributed.
    const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
    let span = span.as_millis();
    let offset = u128::from(number.cast_unsigned().wrapping_mul(GOLDEN));
    let now = u128::from(then.0.cast_unsigned()) + ((offset * span) >> 64);
    Duration::from_millis(u64::try_from(span - now % span).unwrap_or(0))
}

/// The runtime's randomness (Web Crypto).
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct EdgeRng;

impl Rng for EdgeRng {
    /// # Panics
    /// When the runtime provides none: no secret may be made without it.
    fn fill(&self, buffer: &mut [u8]) {
        #[expect(
            clippy::expect_used,
            reason = "secrets made without randomness would be worse than a panic"
        )]
        getrandom::fill(buffer).expect("the runtime provides randomness");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPAN: Duration = Duration::from_secs(3);

    #[test]
    fn offset_comes_once_in_every_span() {
        let mut at = Timestamp(1_000_000);
        at.0 += millis(staggered_delay(SPAN, 7, at));
        for _ in 0..3 {
            assert_eq!(staggered_delay(SPAN, 7, at), SPAN);
            let late = Timestamp(at.0 + 40);
            assert_eq!(millis(staggered_delay(SPAN, 7, late)), millis(SPAN) - 40);
            at.0 += millis(SPAN);
        }
    }

    #[test]
    fn consecutive_numbers_have_offsets_far_apart() {
        let then = Timestamp(1_000_000);
        let mut offsets: Vec<_> = (1..=50)
            .map(|n| millis(staggered_delay(SPAN, n, then)))
            .collect();
        offsets.sort_unstable();
        let gaps = offsets.windows(2).map(|pair| pair[1] - pair[0]);
        // Evenly distributed they would be 60 ms apart.
        assert!(
            gaps.clone().all(|ms| (30..=120).contains(&ms)),
            "{:?}",
            gaps.collect::<Vec<_>>()
        );
    }

    fn millis(span: Duration) -> i64 {
        span.as_millis().try_into().unwrap()
    }
}
