//! The machine's clock and its randomness, as core's ports.

use std::time::{SystemTime, UNIX_EPOCH};

use colloquy_core::ports::{Clock, Rng};
use colloquy_proto::domain::Timestamp;
use rand::Rng as _;

/// The system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

/// Randomness that nobody can foretell: a generator for each thread, which the operating system
/// seeds, and seeds anew again and again. Asking the system itself for each request's id is a
/// system call a request.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRng;

impl Rng for SystemRng {
    /// # Panics
    /// When the system has none to give: no secret may be made of anything less.
    fn fill(&self, buffer: &mut [u8]) {
        rand::rng().fill_bytes(buffer);
    }
}
