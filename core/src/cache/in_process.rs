//! The cache of a host without a Redis: in this process, bounded in memory, lost at restart.
//!
//! Owns the semantics of every [`CacheCommand`] as in Redis, expiry, and the memory limit: beyond it
//! the least recently used keys are evicted. Deliberately shares nothing between processes. A
//! pipeline runs under one lock that is never held across an await, so here it is also a
//! transaction; callers must not rely on that.

use std::collections::{BTreeMap, HashMap};
use std::mem::size_of;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;

use crate::ports::{Cache, CacheCommand, CacheError, CacheKind, CacheReply, Clock};
use colloquy_proto::domain::{Seconds, Timestamp};

/// An entry of a sorted set, ordered as in Redis: by score, then by member.
type Scored = (i64, Arc<str>);

/// The memory of a key besides its name and content: entry, two map slots, allocator overhead.
const KEY_OVERHEAD: usize = 256;

/// The memory of a member besides its text: slot, reference counts, allocator overhead.
const MEMBER_OVERHEAD: usize = size_of::<Scored>() + 32;

/// A cache in this process.
pub struct InProcess {
    clock: Arc<dyn Clock>,
    capacity: usize,
    keys: Mutex<Keys>,
}

#[derive(Default)]
struct Keys {
    entries: HashMap<Arc<str>, Entry>,
    /// Keys by their last use, in ticks.
    by_last_use: BTreeMap<u64, Arc<str>>,
    tick: u64,
    bytes: usize,
}

struct Entry {
    /// Ascending, without duplicates.
    set: Vec<Scored>,
    expires_at: Option<Timestamp>,
    last_used: u64,
    bytes: usize,
}

impl InProcess {
    /// The default limit: 32 MiB.
    pub const DEFAULT_CAPACITY: usize = 32 * 1024 * 1024;

    /// An empty cache of at most about `capacity` bytes.
    pub fn new(clock: Arc<dyn Clock>, capacity: usize) -> Self {
        Self {
            clock,
            capacity,
            keys: Mutex::default(),
        }
    }
}

#[async_trait]
impl Cache for InProcess {
    async fn pipeline(&self, commands: Vec<CacheCommand>) -> Result<Vec<CacheReply>, CacheError> {
        let now = self.clock.now();
        // A panic would at worst leave a wrong byte count; the content stays valid.
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        let replies = commands
            .into_iter()
            .map(|command| keys.run(command, now))
            .collect();
        keys.evict(self.capacity, now);
        Ok(replies)
    }

    fn kind(&self) -> CacheKind {
        CacheKind::InProcess
    }
}

impl Keys {
    fn run(&mut self, command: CacheCommand, now: Timestamp) -> CacheReply {
        match command {
            CacheCommand::ZAdd { key, entries } => {
                self.with_set(&key, now, true, |set| add(set, entries));
            }
            CacheCommand::ZTrim { key, count } => {
                self.with_set(&key, now, false, |set| {
                    drop(set.drain(..rank_of_top(set, count)));
                });
            }
            CacheCommand::ZTop { key, count } => {
                let members = self.with_set(&key, now, false, |set| {
                    set.iter()
                        .skip(rank_of_top(set, count))
                        .map(|(_, member)| member.clone())
                        .collect()
                });
                return CacheReply::Members(members.unwrap_or_default());
            }
            CacheCommand::Del { key } => self.remove(&key),
            CacheCommand::Expire { key, seconds } => {
                if let Some(entry) = self.touch(&key, now) {
                    entry.expires_at = Some(now.plus(Seconds(seconds)));
                }
            }
            CacheCommand::Ping => {}
        }
        CacheReply::Done
    }

    /// Runs `work` on the set and updates the byte count. A missing set is created if `create`;
    /// otherwise the result is `None`. A set that becomes empty is removed, as in Redis.
    fn with_set<T>(
        &mut self,
        key: &str,
        now: Timestamp,
        create: bool,
        work: impl FnOnce(&mut Vec<Scored>) -> T,
    ) -> Option<T> {
        if self.touch(key, now).is_none() {
            if !create {
                return None;
            }
            self.insert(key);
        }
        let entry = self.entries.get_mut(key)?;
        let result = work(&mut entry.set);
        let emptied = entry.set.is_empty();
        let bytes = KEY_OVERHEAD + key.len() + content_bytes(&entry.set);
        self.bytes = self.bytes - entry.bytes + bytes;
        entry.bytes = bytes;
        if emptied {
            self.remove(key);
        }
        Some(result)
    }

    /// The entry, marked as used now; an expired one is removed.
    fn touch(&mut self, key: &str, now: Timestamp) -> Option<&mut Entry> {
        if self.entries.get(key)?.is_expired(now) {
            self.remove(key);
            return None;
        }
        self.tick += 1;
        let entry = self.entries.get_mut(key)?;
        if let Some(name) = self.by_last_use.remove(&entry.last_used) {
            self.by_last_use.insert(self.tick, name);
        }
        entry.last_used = self.tick;
        Some(entry)
    }

    /// Inserts an empty set that does not expire.
    fn insert(&mut self, key: &str) {
        self.remove(key);
        self.tick += 1;
        let name: Arc<str> = key.into();
        let bytes = KEY_OVERHEAD + key.len();
        self.bytes += bytes;
        self.by_last_use.insert(self.tick, name.clone());
        self.entries.insert(
            name,
            Entry {
                set: Vec::new(),
                expires_at: None,
                last_used: self.tick,
                bytes,
            },
        );
    }

    fn remove(&mut self, key: &str) {
        if let Some(entry) = self.entries.remove(key) {
            self.by_last_use.remove(&entry.last_used);
            self.bytes -= entry.bytes;
        }
    }

    /// Removes the least recently used keys while the limit is exceeded or they are expired.
    fn evict(&mut self, capacity: usize, now: Timestamp) {
        while let Some(oldest) = self
            .by_last_use
            .first_key_value()
            .map(|(_, key)| key.clone())
        {
            let expired = self
                .entries
                .get(&oldest)
                .is_none_or(|entry| entry.is_expired(now));
            if !expired && self.bytes <= capacity {
                break;
            }
            self.remove(&oldest);
        }
    }
}

impl Entry {
    fn is_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|end| end <= now)
    }
}

fn add(set: &mut Vec<Scored>, entries: Vec<Scored>) {
    for entry in entries {
        if let Err(index) = set.binary_search(&entry) {
            set.insert(index, entry);
        }
    }
}

/// The number of entries below the `count` highest.
fn rank_of_top(set: &[Scored], count: i64) -> usize {
    set.len()
        .saturating_sub(usize::try_from(count).unwrap_or(0))
}

fn content_bytes(set: &[Scored]) -> usize {
    set.iter()
        .map(|(_, member)| MEMBER_OVERHEAD + member.len())
        .sum()
}

#[cfg(test)]
#[path = "in_process_tests.rs"]
pub(super) mod tests;
