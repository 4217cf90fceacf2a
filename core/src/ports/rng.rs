//! The port of the random number generator.

/// A cryptographically secure source of randomness.
pub trait Rng: Send + Sync {
    /// Fills the buffer.
    fn fill(&self, buffer: &mut [u8]);
}
