//! Sends that are not acknowledged yet. Sans-IO: the caller writes what is due and reports answers.

use std::collections::BTreeMap;

use tokio::time::{Duration, Instant};

/// The most commands one frame may carry (docs/protocol.md, "v2 frames").
pub const MAX_COMMANDS_PER_FRAME: usize = 20;

/// Pending sends by key, each with the moment it is to be written (again). The keys' order is the
/// order of sending.
#[derive(Clone, Debug)]
pub struct Outbox<K> {
    pending: BTreeMap<K, Instant>,
    repeat_after: Duration,
}

impl<K: Ord + Clone> Outbox<K> {
    /// A send that has no answer after `repeat_after` is due again.
    pub const fn new(repeat_after: Duration) -> Self {
        Self {
            pending: BTreeMap::new(),
            repeat_after,
        }
    }

    /// Adds a send, due at `due`; or makes a pending one due then.
    pub fn push(&mut self, key: K, due: Instant) {
        self.pending.insert(key, due);
    }

    /// The sends to write now, at most [`MAX_COMMANDS_PER_FRAME`]; each is due again after the
    /// repeat interval.
    pub fn take_due(&mut self, now: Instant) -> Vec<K> {
        let due = self.pending.iter_mut().filter(|(_, due)| **due <= now);
        due.take(MAX_COMMANDS_PER_FRAME)
            .map(|(key, due)| {
                *due = now + self.repeat_after;
                key.clone()
            })
            .collect()
    }

    /// When the next send is due.
    pub fn next_due(&self) -> Option<Instant> {
        self.pending.values().min().copied()
    }

    /// The send is acknowledged, or refused for good. `false` when it was not pending, as after a
    /// repeat whose first attempt was answered too.
    pub fn remove(&mut self, key: &K) -> bool {
        self.pending.remove(key).is_some()
    }

    /// The send was refused for now; it is due again at `due`.
    pub fn retry_at(&mut self, key: &K, due: Instant) {
        if let Some(pending) = self.pending.get_mut(key) {
            *pending = due;
        }
    }

    /// A new socket is open: everything is due at once, since the answers may be lost.
    pub fn reconnected(&mut self, now: Instant) {
        self.pending.values_mut().for_each(|due| *due = now);
    }

    /// How many sends are pending.
    pub fn len(&self) -> usize {
        self.pending.len()
    }

    /// Whether every send is answered.
    pub fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn send_is_due_until_acknowledged() {
        let (now, repeat) = (Instant::now(), Duration::from_secs(3));
        let mut outbox = Outbox::new(repeat);
        outbox.push(1, now);
        outbox.push(2, now);
        assert_eq!(outbox.take_due(now), [1, 2]);
        assert!(outbox.take_due(now).is_empty());
        assert!(outbox.remove(&1));
        assert!(!outbox.remove(&1));
        assert_eq!(outbox.next_due(), Some(now + repeat));
        assert_eq!(outbox.take_due(now + repeat), [2]);
        outbox.reconnected(now);
        assert_eq!(outbox.take_due(now), [2]);
        outbox.retry_at(&2, now + 2 * repeat);
        assert!(outbox.take_due(now + repeat).is_empty());
        assert!(outbox.remove(&2) && outbox.is_empty());
    }

    #[test]
    fn frame_carries_at_most_the_allowed_number_of_commands() {
        let now = Instant::now();
        let mut outbox = Outbox::new(Duration::from_secs(3));
        (0..50).for_each(|key| outbox.push(key, now));
        assert_eq!(outbox.take_due(now), (0..20).collect::<Vec<_>>());
        assert_eq!(outbox.take_due(now), (20..40).collect::<Vec<_>>());
        assert_eq!(outbox.len(), 50);
    }
}
