//! The port of the clock.

use colloquy_proto::domain::Timestamp;

/// The current time.
pub trait Clock: Send + Sync {
    /// The wall clock, in milliseconds since 1970.
    fn now(&self) -> Timestamp;
}
