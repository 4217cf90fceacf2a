//! Counts what one client sent, and how much of it was acknowledged.

use std::collections::HashMap;

use crate::client_log::{ClientKind, Log, LogEntry, MessageEvent};
use crate::message_key::MessageKey;

/// Messages sent, sends including repeats, and messages acknowledged.
pub(crate) fn tally(log: &Log) -> (u64, u64, u64) {
    let mut sent: HashMap<MessageKey, bool> = HashMap::new();
    let mut times = 0;
    for entry in &log.entries {
        match *entry {
            LogEntry::Sent { key, .. } => {
                times += 1;
                sent.entry(key).or_default();
            }
            LogEntry::Acknowledged { key, .. } => *sent.entry(key).or_default() = true,
            // For a v1 client the echo of its message is the acknowledgement.
            LogEntry::MessageReceived(MessageEvent { key, .. })
                if log.client_kind == ClientKind::V1 =>
            {
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
