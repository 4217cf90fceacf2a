//! Log lines about events that a client can cause at any rate.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The time between two lines.
const INTERVAL: Duration = Duration::from_secs(5);

/// Admits one line in [`INTERVAL`] and counts the events in between.
#[derive(Debug, Default)]
pub(super) struct LogLimiter(Mutex<Window>);

#[derive(Debug, Default)]
struct Window {
    logged_at: Option<Instant>,
    events: u64,
}

impl LogLimiter {
    /// Records an event. Returns the number of events since the last line, with this one, when a line
    /// is due.
    pub(super) fn record(&self, now: Instant) -> Option<u64> {
        let mut window = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        window.events += 1;
        if window.logged_at.is_some_and(|at| now < at + INTERVAL) {
            return None;
        }
        window.logged_at = Some(now);
        Some(std::mem::take(&mut window.events))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_per_interval_carries_the_count() {
        let (limiter, now) = (LogLimiter::default(), Instant::now());
        assert_eq!(limiter.record(now), Some(1));
        for _ in 0..3 {
            assert_eq!(limiter.record(now + INTERVAL / 2), None);
        }
        assert_eq!(limiter.record(now + INTERVAL), Some(4));
    }
}
