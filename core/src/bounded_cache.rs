//! A concurrent cache bounded in bytes, over `quick_cache`, whose eviction resists scans.
//!
//! Of the maintained cache crates it is the one that fits core: weights in bytes, no clock, no
//! threads, builds for wasm32, and no dependency that is not in the tree already. `lru` bounds the
//! number of entries only, `mini-moka` reads the clock. This file adds the lock and the weights.

use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

use quick_cache::Weighter;
use quick_cache::unsync::Cache;

/// The expected weight of an entry, by which the number of entries is estimated.
const EXPECTED_ENTRY_BYTES: usize = 1_000;

/// Values by key, each with its weight in bytes.
#[derive(Debug)]
pub(crate) struct BoundedCache<K, V>(Mutex<Cache<K, Weighted<V>, ByBytes>>);

#[derive(Debug, Clone)]
struct Weighted<V> {
    value: V,
    bytes: usize,
}

#[derive(Debug, Clone)]
struct ByBytes;

impl<K, V> Weighter<K, Weighted<V>> for ByBytes {
    fn weight(&self, _: &K, entry: &Weighted<V>) -> u64 {
        entry.bytes.try_into().unwrap_or(u64::MAX)
    }
}

impl<K: Eq + Hash, V: Clone> BoundedCache<K, V> {
    /// An empty cache of at most `capacity` bytes.
    pub(crate) fn new(capacity: usize) -> Self {
        let entries = capacity / EXPECTED_ENTRY_BYTES;
        let bytes = capacity.try_into().unwrap_or(u64::MAX);
        Self(Mutex::new(Cache::with_weighter(entries, bytes, ByBytes)))
    }

    /// The value, unless it was evicted.
    pub(crate) fn get(&self, key: &K) -> Option<V> {
        self.lock().get(key).map(|entry| entry.value.clone())
    }

    /// Inserts or replaces a value.
    pub(crate) fn put(&self, key: K, value: V, bytes: usize) {
        self.lock().insert(key, Weighted { value, bytes });
    }

    fn lock(&self) -> MutexGuard<'_, Cache<K, Weighted<V>, ByBytes>> {
        // The cache calls no code of this crate that could panic halfway through a change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latest_value_of_a_key_is_returned() {
        let cache = BoundedCache::new(100);
        cache.put("a", 1, 10);
        cache.put("a", 2, 10);
        assert_eq!(cache.get(&"a"), Some(2));
        assert_eq!(cache.get(&"b"), None);
    }

    #[test]
    fn memory_is_bounded_and_used_entries_are_kept() {
        let (capacity, weight) = (1_000, 30);
        let cache = BoundedCache::new(capacity);
        cache.put(0, "used", weight);
        for key in 1..10_000 {
            cache.put(key, "unused", weight);
            assert!(cache.get(&0).is_some());
            assert!(cache.lock().weight() <= 1_000);
        }
        let present = (1..10_000).filter(|key| cache.get(key).is_some());
        assert!(present.count() < capacity / weight, "nothing was evicted");
    }
}
