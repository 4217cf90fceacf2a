//! The runtime's clock and its randomness, as core's ports.
//!
//! At the edge time stands still while code runs and moves on with every answer from outside.

use std::time::Duration;

use colloquy_core::domain::Timestamp;
use colloquy_core::ports::{Clock, Rng};
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
