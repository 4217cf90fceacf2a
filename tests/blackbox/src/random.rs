//! Unique names, so that tests and earlier runs share a server without collisions.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

static COUNTER: AtomicU64 = AtomicU64::new(0);

/// 64 random bits: the standard library seeds its hasher from the operating system.
fn bits() -> u64 {
    RandomState::new().hash_one(COUNTER.fetch_add(1, Ordering::Relaxed))
}

/// A unique name that starts with `prefix`, followed by a dash, letters and digits.
pub fn unique(prefix: &str) -> String {
    format!("{prefix}-{:016x}", bits())
}

/// A number from 0 to `limit - 1`.
pub fn random_below(limit: usize) -> usize {
    let limit = u64::try_from(limit.max(1)).unwrap_or(u64::MAX);
    usize::try_from(bits() % limit).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique() {
        let names: std::collections::HashSet<String> = (0..1_000).map(|_| unique("a")).collect();
        assert_eq!(names.len(), 1_000);
    }

    #[test]
    fn random_numbers_are_below_the_limit() {
        assert!((0..1_000).all(|_| random_below(3) < 3));
        assert_eq!(random_below(0), 0);
    }
}
