//! Exponential backoff with jitter (docs/protocol.md, "Close codes"). Sans-IO: the caller sleeps.

use std::time::Duration;

use fastrand::Rng;

/// A duration between a quarter and seven quarters of the average, so that clients do not retry in
/// step.
pub fn jitter(average: Duration, rng: &mut Rng) -> Duration {
    average.mul_f64(rng.f64() * 1.5 + 0.25)
}

/// Counts the failures in a row and turns them into pauses.
#[derive(Clone, Debug)]
pub struct Backoff {
    longest: Duration,
    failures: u32,
}

impl Default for Backoff {
    fn default() -> Self {
        Self::new(Duration::from_secs(5))
    }
}

impl Backoff {
    /// `longest` bounds the average pause.
    pub const fn new(longest: Duration) -> Self {
        Self {
            longest,
            failures: 0,
        }
    }

    /// The pause after one more failure: on average `first`, doubled with each failure in a row.
    pub fn failed(&mut self, first: Duration, rng: &mut Rng) -> Duration {
        let factor = 2_u32.saturating_pow(self.failures);
        self.failures = self.failures.saturating_add(1);
        jitter(first.saturating_mul(factor).min(self.longest), rng)
    }

    /// The next failure is the first in its row again. For a socket: after its resume is answered.
    pub fn succeeded(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_start_over_after_a_success() {
        let mut rng = Rng::with_seed(1);
        let mut backoff = Backoff::new(Duration::from_secs(5));
        let first = Duration::from_millis(100);
        for doubled in [100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000] {
            let pause = backoff.failed(first, &mut rng);
            assert!(pause >= Duration::from_millis(doubled / 4), "{pause:?}");
            assert!(pause <= Duration::from_millis(doubled * 7 / 4), "{pause:?}");
        }
        backoff.succeeded();
        assert!(backoff.failed(first, &mut rng) <= Duration::from_millis(175));
    }
}
