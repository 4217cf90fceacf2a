//! A map bounded in bytes: what was used since the last clearing stays, the rest goes.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Values by their keys, each with its weight in bytes.
#[derive(Debug)]
pub(crate) struct BoundedCache<K, V> {
    capacity: usize,
    generations: Mutex<Generations<K, V>>,
}

/// What was used since the last clearing is young, the rest old.
#[derive(Debug)]
struct Generations<K, V> {
    young: HashMap<K, (V, usize)>,
    old: HashMap<K, (V, usize)>,
    young_bytes: usize,
}

impl<K: Eq + Hash + Clone, V: Clone> BoundedCache<K, V> {
    /// An empty one that keeps so many bytes, and what was put last.
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

    /// What was put there last, if it is still kept.
    pub(crate) fn get(&self, key: &K) -> Option<V> {
        let mut generations = self.lock();
        if let Some((value, _)) = generations.young.get(key) {
            return Some(value.clone());
        }
        let (value, weight) = generations.old.get(key)?.clone();
        self.put_into(&mut generations, key.clone(), value.clone(), weight);
        Some(value)
    }

    /// Keeps this in the place of what was kept before.
    pub(crate) fn put(&self, key: K, value: V, weight: usize) {
        self.put_into(&mut self.lock(), key, value, weight);
    }

    fn put_into(&self, generations: &mut Generations<K, V>, key: K, value: V, weight: usize) {
        generations.young_bytes += weight;
        if let Some((_, before)) = generations.young.insert(key, (value, weight)) {
            generations.young_bytes -= before;
        }
        if generations.young_bytes > self.capacity / 2 {
            generations.old = std::mem::take(&mut generations.young);
            generations.young_bytes = 0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Generations<K, V>> {
        // Each change leaves it whole.
        self.generations
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_last_is_there() {
        let kept = BoundedCache::new(100);
        kept.put("a", 1, 10);
        kept.put("a", 2, 10);
        assert_eq!(kept.get(&"a"), Some(2));
        assert_eq!(kept.get(&"b"), None);
    }

    #[test]
    fn memory_is_bounded_and_what_is_used_stays() {
        let (capacity, weight) = (1_000, 30);
        let kept = BoundedCache::new(capacity);
        kept.put(0, "used", weight);
        for key in 1..10_000 {
            kept.put(key, "once", weight);
            assert!(kept.get(&0).is_some());
            let generations = kept.lock();
            let all = generations.young.values().chain(generations.old.values());
            let bytes: usize = all.map(|(_, weight)| weight).sum();
            assert!(bytes <= capacity + 2 * weight, "{bytes}");
        }
        assert!(kept.get(&1).is_none());
    }
}
