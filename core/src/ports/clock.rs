//! The ports of time.

use std::time::Duration;

use async_trait::async_trait;
use colloquy_proto::domain::Timestamp;

/// The current time.
pub trait Clock: Send + Sync {
    /// The wall clock, in milliseconds since 1970.
    fn now(&self) -> Timestamp;
}

/// Waits without occupying a thread.
#[async_trait]
pub trait Timer: Send + Sync {
    /// Returns after `duration`.
    async fn sleep(&self, duration: Duration);
}
