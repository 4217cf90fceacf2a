//! Names that no other test and no earlier run has used, so that tests share a server without
//! meeting each other.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

static COUNTER: AtomicU64 = AtomicU64::new(0);

/// 64 bits nobody can guess: the standard library seeds its hasher from the system.
fn bits() -> u64 {
    RandomState::new().hash_one(COUNTER.fetch_add(1, Ordering::Relaxed))
}

/// A fresh name that starts with `prefix`: letters, digits and a dash.
pub fn unique(prefix: &str) -> String {
    format!("{prefix}-{:016x}", bits())
}

/// A number from 0 to `limit - 1`.
pub fn below(limit: usize) -> usize {
    let limit = u64::try_from(limit.max(1)).unwrap_or(u64::MAX);
    usize::try_from(bits() % limit).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_differ() {
        let names: std::collections::HashSet<String> = (0..1_000).map(|_| unique("a")).collect();
        assert_eq!(names.len(), 1_000);
    }

    #[test]
    fn numbers_stay_below() {
        assert!((0..1_000).all(|_| below(3) < 3));
        assert_eq!(below(0), 0);
    }
}
