//! The rate of frames that a socket's task answers or drops without its Room: pings of both kinds, and
//! unsolicited pongs. The Room counts the others (`proto::room::frame_rate`).

use std::time::Duration;

use tokio::time::Instant;

/// The window, as in the Room.
const WINDOW: Duration = Duration::from_secs(10);

/// The frames of one window: a client that pings ten times a second is within it.
const MAX_FRAMES: u32 = 500;

/// The count of the running window.
pub(super) struct PingRate {
    since: Instant,
    frames: u32,
}

impl PingRate {
    pub(super) const fn new(now: Instant) -> Self {
        Self {
            since: now,
            frames: 0,
        }
    }

    /// Counts a frame; false when there are too many.
    pub(super) fn count(&mut self, now: Instant) -> bool {
        if now - self.since >= WINDOW {
            *self = Self::new(now);
        }
        self.frames += 1;
        self.frames <= MAX_FRAMES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limit_holds_in_each_window() {
        let start = Instant::now();
        let mut rate = PingRate::new(start);
        for window in 0..3 {
            let now = start + window * WINDOW;
            assert!((0..MAX_FRAMES).all(|_| rate.count(now)));
            assert!(!rate.count(now + WINDOW - Duration::from_millis(1)));
        }
    }
}
