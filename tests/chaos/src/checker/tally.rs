//! How much one client sent, and how much of it was acknowledged; nothing is judged here.

use std::collections::HashMap;

use crate::key::Key;
use crate::log::{Entry, Event, Log, Manner};

/// How many of a log's messages were sent, how often in all, and how many were acknowledged.
pub(crate) fn tally(log: &Log) -> (u64, u64, u64) {
    let mut sent: HashMap<Key, bool> = HashMap::new();
    let mut times = 0;
    for entry in &log.entries {
        match *entry {
            Entry::Sent { key, .. } => {
                times += 1;
                sent.entry(key).or_default();
            }
            Entry::Acknowledged { key, .. } => *sent.entry(key).or_default() = true,
            // To a v1 client, its own message coming back is the acknowledgement.
            Entry::Heard(Event { key, .. }) if log.manner == Manner::V1 => {
                if let Some(acknowledged) = sent.get_mut(&key) {
                    *acknowledged = true;
                }
            }
            _ => {}
        }
    }
    let acknowledged = sent.values().filter(|acknowledged| **acknowledged).count();
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    (count(sent.len()), times, count(acknowledged))
}
