//! Token buckets by the generic cell rate algorithm (GCRA, ITU-T I.371): one time per bucket, at
//! which it is full again. A full bucket needs no memory.
//!
//! Memory is bounded per kind. A key beyond the bound uses one of a fixed number of shared buckets,
//! chosen by its hash, as in a count-min sketch with one row: it may be slowed down by others, but a
//! flood of new keys never resets a bucket. A key that gets a bucket of its own later starts with the
//! tokens of its shared bucket.

use std::collections::HashMap;

use crate::ports::{BucketEmpty, Charge, CounterKey, CounterKind, Returned};
use colloquy_proto::domain::{Seconds, Timestamp};

/// The shared buckets of a kind.
const SHARED_BUCKETS: usize = 4_096;

/// The shortest time between two searches for buckets that are full again.
const SWEEP_INTERVAL: Seconds = Seconds(1);

/// The buckets of all kinds.
#[derive(Debug)]
pub struct TokenBuckets {
    tables: [Table; CounterKind::ALL.len()],
    capacity: usize,
}

/// The buckets of one kind.
#[derive(Debug, Default)]
struct Table {
    /// When each bucket is full again.
    own: HashMap<CounterKey, Timestamp>,
    /// The same for the shared buckets; empty until the first one is needed.
    shared: Vec<Timestamp>,
    swept_at: Timestamp,
}

impl TokenBuckets {
    /// Full buckets. At most `capacity` of a kind are distinguished while tokens are in use.
    pub fn new(capacity: usize) -> Self {
        Self {
            tables: Default::default(),
            capacity,
        }
    }

    /// See [`crate::ports::Counters::charge`].
    ///
    /// # Errors
    /// [`BucketEmpty`] for the first empty bucket.
    pub fn charge(&mut self, charges: &[Charge], now: Timestamp) -> Result<i64, BucketEmpty> {
        let mut used = 0;
        for (index, charge) in charges.iter().enumerate() {
            let capacity = self.capacity;
            let full_at = self.table(charge.kind).bucket(charge.key, capacity, now);
            used = take(full_at, charge, now).map_err(|retry_after_ms| BucketEmpty {
                index,
                retry_after_ms,
            })?;
        }
        Ok(used)
    }

    /// See [`crate::ports::Counters::give_back`].
    pub fn give_back(&mut self, returned: &[(Charge, Returned)], now: Timestamp) {
        for (charge, returned) in returned {
            let table = self.table(charge.kind);
            let tokens_ms = match returned {
                Returned::One => charge.bucket.interval_ms,
                Returned::All => i64::MAX,
            };
            if let Some(full_at) = table.own.get_mut(&charge.key) {
                *full_at = Timestamp(full_at.0.saturating_sub(tokens_ms));
                if *full_at <= now {
                    table.own.remove(&charge.key);
                }
            } else if let Some(full_at) = table.shared.get_mut(shared_index(charge.key)) {
                // Others use it as well: only what this client took is returned.
                full_at.0 = full_at.0.saturating_sub(charge.bucket.interval_ms);
            }
        }
    }

    /// When a bucket of its own is full again; `None` when it is, or when the key shares a bucket.
    pub fn full_at(&self, kind: CounterKind, key: CounterKey) -> Option<Timestamp> {
        let table = self.tables.get(kind as usize)?;
        table.own.get(&key).copied()
    }

    /// Loads the stored state of a bucket.
    pub fn restore(&mut self, kind: CounterKind, key: CounterKey, full_at: Timestamp) {
        let capacity = self.capacity;
        let own = &mut self.table(kind).own;
        if own.len() < capacity {
            own.insert(key, full_at);
        }
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "there is a table for every kind: a test compares `CounterKind::ALL`"
    )]
    const fn table(&mut self, kind: CounterKind) -> &mut Table {
        &mut self.tables[kind as usize]
    }
}

impl Table {
    /// The bucket of a key.
    #[expect(
        clippy::indexing_slicing,
        reason = "`shared_index` is below the length of the shared buckets"
    )]
    fn bucket(&mut self, key: CounterKey, capacity: usize, now: Timestamp) -> &mut Timestamp {
        if self.own.len() >= capacity && !self.own.contains_key(&key) {
            self.sweep(now);
        }
        let index = shared_index(key);
        if self.own.len() < capacity || self.own.contains_key(&key) {
            let start = self.shared.get(index).copied().unwrap_or_default();
            return self.own.entry(key).or_insert(start);
        }
        if self.shared.is_empty() {
            self.shared.resize(SHARED_BUCKETS, Timestamp::default());
        }
        &mut self.shared[index]
    }

    /// Removes the buckets that are full again.
    fn sweep(&mut self, now: Timestamp) {
        let since_ms = now.millis_since(self.swept_at);
        if (0..SWEEP_INTERVAL.as_millis()).contains(&since_ms) {
            return;
        }
        self.swept_at = now;
        self.own.retain(|_, full_at| *full_at > now);
    }
}

/// Takes a token and returns the tokens in use, or how long to wait for one.
fn take(full_at: &mut Timestamp, charge: &Charge, now: Timestamp) -> Result<i64, i64> {
    let interval_ms = charge.bucket.interval_ms.max(1);
    let all_ms = charge.bucket.burst.max(1).saturating_mul(interval_ms);
    // After the clock was set back, a bucket is empty at most.
    let in_use_ms = full_at.millis_since(now).clamp(0, all_ms);
    let next_ms = in_use_ms.saturating_add(interval_ms);
    if next_ms > all_ms {
        return Err(next_ms - all_ms);
    }
    *full_at = Timestamp(now.0.saturating_add(next_ms));
    Ok(next_ms.saturating_add(interval_ms - 1) / interval_ms)
}

fn shared_index(key: CounterKey) -> usize {
    // Partitions are hashes or consecutive numbers; both spread evenly.
    let mixed = key.partition ^ key.item.rotate_left(17);
    usize::try_from(mixed % SHARED_BUCKETS as u64).unwrap_or_default()
}
