//! Token buckets in memory, for rate limits and budgets.
//!
//! Owns the arithmetic ([`TokenBuckets`]) and a store in this process ([`InProcessCounters`]).
//! Deliberately does not persist anything: a host that must survive restarts stores the values that
//! [`TokenBuckets::full_at`] returns and loads them with [`TokenBuckets::restore`].
//!
//! `governor`, the crate for this algorithm, keeps an unbounded map, reads the clock itself, and can
//! neither return a token nor export its state.

mod buckets;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

pub use self::buckets::TokenBuckets;
use crate::ports::{BucketEmpty, Charge, Clock, Counters, Returned};

/// [`Counters`] in this process: lost when it restarts.
pub struct InProcessCounters {
    clock: Arc<dyn Clock>,
    buckets: Mutex<TokenBuckets>,
}

impl InProcessCounters {
    /// The most buckets of a kind that are in use at once: about 3 MiB.
    pub const DEFAULT_CAPACITY: usize = 65_536;

    /// Full buckets, at most `capacity` of a kind with tokens in use.
    pub fn new(clock: Arc<dyn Clock>, capacity: usize) -> Self {
        Self {
            clock,
            buckets: Mutex::new(TokenBuckets::new(capacity)),
        }
    }

    /// [`Counters::charge`] without waiting.
    ///
    /// # Errors
    /// [`BucketEmpty`] for the first empty bucket.
    pub fn charge_now(&self, charges: &[Charge]) -> Result<i64, BucketEmpty> {
        self.lock().charge(charges, self.clock.now())
    }

    fn lock(&self) -> MutexGuard<'_, TokenBuckets> {
        // A panic would at worst lose one change.
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Counters for InProcessCounters {
    async fn charge(&self, charges: &[Charge]) -> Result<i64, BucketEmpty> {
        self.charge_now(charges)
    }

    async fn give_back(&self, returned: &[(Charge, Returned)]) {
        self.lock().give_back(returned, self.clock.now());
    }
}
