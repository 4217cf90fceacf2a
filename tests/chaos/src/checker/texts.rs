//! What a message may say in which version, by what its writer's log says was sent and acknowledged.
//!
//! The edits of a message are numbered and one begins when the one before is acknowledged, so each
//! makes a version of its own; a deletion comes after all of them.

use std::collections::HashMap;

use crate::key::{Key, Text};
use crate::log::{Entry, Log, Reading};

/// What was done to a message.
#[derive(Clone, Copy, Debug, Default)]
struct Deeds {
    /// The last edit that was sent.
    sent: u32,
    /// The last edit that was acknowledged.
    acknowledged: u32,
    /// Its deletion was sent.
    deleting: bool,
    /// Its deletion was acknowledged.
    deleted: bool,
}

#[derive(Debug, Default)]
pub(super) struct Texts(HashMap<Key, Deeds>);

impl Texts {
    pub(super) fn of(logs: &[Log]) -> Self {
        let mut texts = Self::default();
        for entry in logs.iter().flat_map(|log| &log.entries) {
            match *entry {
                Entry::Rewriting { key, text } => {
                    let deeds = texts.0.entry(key).or_default();
                    match text {
                        Text::Draft(_, edit) => deeds.sent = deeds.sent.max(edit),
                        Text::Gone => deeds.deleting = true,
                    }
                }
                Entry::Rewritten { key, text, .. } => {
                    let deeds = texts.0.entry(key).or_default();
                    match text {
                        Text::Draft(_, edit) => deeds.acknowledged = deeds.acknowledged.max(edit),
                        Text::Gone => deeds.deleted = true,
                    }
                }
                _ => {}
            }
        }
        texts
    }

    fn deeds(&self, key: Key) -> Deeds {
        self.0.get(&key).copied().unwrap_or_default()
    }

    /// Whether this was sent, and as this version.
    pub(super) fn has(&self, key: Key, reading: Reading) -> bool {
        let deeds = self.deeds(key);
        match reading.text {
            Text::Draft(of, edit) => {
                of == key && edit <= deeds.sent && reading.version == u64::from(edit) + 1
            }
            Text::Gone => deeds.deleting && reading.version == u64::from(deeds.sent) + 2,
        }
    }

    /// Whether what was acknowledged last, or anything sent after it, reads like this.
    pub(super) fn keeps(&self, key: Key, text: Text) -> bool {
        let deeds = self.deeds(key);
        match text {
            Text::Draft(_, edit) => !deeds.deleted && edit >= deeds.acknowledged,
            Text::Gone => true,
        }
    }
}
