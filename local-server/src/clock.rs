//! The ports for time and randomness, from the operating system.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use colloquy_core::ports::{Clock, Rng, Timer};
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

/// Tokio's timers.
#[derive(Debug, Clone, Copy, Default)]
pub struct TokioTimer;

#[async_trait]
impl Timer for TokioTimer {
    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
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
