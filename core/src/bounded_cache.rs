//! A concurrent cache bounded in bytes, with two-generation eviction.
//!
//! A cache crate was considered instead (`quick_cache`, `lru`, `mini-moka`). `lru` bounds by the
//! number of entries only; `mini-moka` reads the clock, which core must not; `quick_cache` would
//! still need this file's lock and weights, so it would replace about thirty lines by a dependency.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Values by key, each with its weight in bytes. Entries that were used recently are kept.
#[derive(Debug)]
pub(crate) struct BoundedCache<K, V> {
    capacity: usize,
    generations: Mutex<Generations<K, V>>,
}

/// An entry is inserted into the young generation and returns to it when it is read. When the young
/// generation exceeds half of the capacity, it becomes the old one, and the old one is dropped.
#[derive(Debug)]
struct Generations<K, V> {
    young: HashMap<K, (V, usize)>,
    old: HashMap<K, (V, usize)>,
    young_bytes: usize,
}

impl<K: Eq + Hash + Clone, V: Clone> BoundedCache<K, V> {
    /// An empty cache of `capacity` bytes; it may exceed that by its two latest entries.
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            capacity,
            generations: Mutex::new(Generations {
                young: HashMap::new(),
                old: HashMap::new(),
                young_bytes: 0,
            }),
        }
    }

    /// The value, unless it was evicted.
    pub(crate) fn get(&self, key: &K) -> Option<V> {
        let mut generations = self.lock();
        if let Some((value, _)) = generations.young.get(key) {
            return Some(value.clone());
        }
        let (value, weight) = generations.old.get(key)?.clone();
        self.put_into(&mut generations, key.clone(), value.clone(), weight);
        Some(value)
    }

    /// Inserts or replaces a value.
    pub(crate) fn put(&self, key: K, value: V, weight: usize) {
        self.put_into(&mut self.lock(), key, value, weight);
    }

    fn put_into(&self, generations: &mut Generations<K, V>, key: K, value: V, weight: usize) {
        generations.young_bytes += weight;
        if let Some((_, previous)) = generations.young.insert(key, (value, weight)) {
            generations.young_bytes -= previous;
        }
        if generations.young_bytes > self.capacity / 2 {
            generations.old = std::mem::take(&mut generations.young);
            generations.young_bytes = 0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Generations<K, V>> {
        // Every change leaves the maps consistent, so a poisoned lock is usable.
        self.generations
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
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
            let generations = cache.lock();
            let all = generations.young.values().chain(generations.old.values());
            let bytes: usize = all.map(|(_, weight)| weight).sum();
            assert!(bytes <= capacity + 2 * weight, "{bytes}");
        }
        assert!(cache.get(&1).is_none());
    }
}
