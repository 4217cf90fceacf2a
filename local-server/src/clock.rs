//! The ports for time and randomness, from the operating system.

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

/// Cryptographically secure randomness: one generator per thread, reseeded regularly by the
/// operating system. Reading from the system directly would cost a system call per request id.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRng;

impl Rng for SystemRng {
    /// # Panics
    /// If the system provides no randomness, because secrets depend on it.
    fn fill(&self, buffer: &mut [u8]) {
        rand::rng().fill_bytes(buffer);
    }
}
