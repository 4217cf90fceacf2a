//! The rows of a conversation: what must hold of them by themselves and with what was acknowledged,
//! and the ways to find one.

use std::collections::{BTreeMap, HashMap};

use super::texts::Texts;
use super::{Fault, Findings, Stored};
use crate::key::{Key, Text};
use crate::log::{Change, Event, Kind, Room};

/// Which row of a conversation it is, by what a client knows of it.
#[derive(Debug, Default)]
pub(super) struct Index {
    by_key: HashMap<Key, usize>,
    by_id: HashMap<u64, usize>,
}

#[derive(Clone, Copy)]
pub(super) struct Kept<'a> {
    pub(super) stored: &'a Stored,
    pub(super) index: &'a Index,
}

impl<'a> Kept<'a> {
    /// Which message has this `seq`.
    pub(super) fn at(&self, seq: u64) -> Option<usize> {
        let rows = &self.stored.rows;
        rows.binary_search_by_key(&seq, |row| row.seq).ok()
    }

    /// Which other event has this `seq`.
    pub(super) fn change_at(&self, seq: u64) -> Option<usize> {
        let changes = &self.stored.changes;
        changes.binary_search_by_key(&seq, |change| change.seq).ok()
    }

    pub(super) fn row(&self, at: usize) -> Option<&'a Event> {
        self.stored.rows.get(at)
    }

    pub(super) fn named(&self, key: Key) -> Option<&'a Event> {
        self.row(*self.index.by_key.get(&key)?)
    }

    pub(super) fn with_id(&self, message_id: u64) -> Option<usize> {
        self.index.by_id.get(&message_id).copied()
    }

    /// Whether a message stands between these two, both excluded.
    pub(super) fn has_message_between(&self, before: u64, seq: u64) -> bool {
        let rows = &self.stored.rows;
        let next = rows.partition_point(|row| row.seq <= before);
        rows.get(next).is_some_and(|row| row.seq < seq)
    }
}

/// Finds what is wrong with the rows themselves, and makes them easy to find.
pub(super) fn index(room: Room, stored: &Stored, texts: &Texts, findings: &mut Findings) -> Index {
    dense(room, stored, findings);
    let mut index = Index::default();
    for (at, row) in stored.rows.iter().enumerate() {
        index.by_id.insert(row.message_id, at);
        if index.by_key.insert(row.key, at).is_some() {
            findings.add(Fault::Duplicated, || {
                format!("{room:?}: {} is stored twice, now as {row:?}", row.key)
            });
        }
    }
    rewritten(room, stored, texts, findings);
    index
}

/// `seq` counts messages and other events together, `number` messages alone.
fn dense(room: Room, stored: &Stored, findings: &mut Findings) {
    let messages = stored.rows.iter().map(|row| (row.seq, Some(row.number)));
    let changes = stored.changes.iter().map(|change| (change.seq, None));
    let mut events: Vec<(u64, Option<u64>)> = messages.chain(changes).collect();
    events.sort_unstable();
    let mut place = (0, 0);
    for (seq, number) in events {
        let expected = (place.0 + 1, number.map(|_| place.1 + 1));
        if (seq, number) != expected {
            findings.add(Fault::Reordered, || {
                format!("{room:?}: after seq and number {place:?} come {seq} and {number:?}")
            });
        }
        place = (seq, number.unwrap_or(place.1));
    }
    let count = |length: usize| u64::try_from(length).unwrap_or(u64::MAX);
    let (messages, changes) = (count(stored.rows.len()), count(stored.changes.len()));
    if (stored.seq, stored.number) != (messages + changes, messages) {
        findings.add(Fault::Other, || {
            let (seq, number) = (stored.seq, stored.number);
            format!(
                "{room:?}: at seq {seq} and number {number} with {messages} messages and {changes} other events"
            )
        });
    }
}

/// What was acknowledged is what a message says, and each of its versions has an event.
fn rewritten(room: Room, stored: &Stored, texts: &Texts, findings: &mut Findings) {
    let mut noted: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
    for change in &stored.changes {
        let Change {
            kind, message_id, ..
        } = change;
        let (edited, deleted) = noted.entry(message_id.unwrap_or_default()).or_default();
        match kind {
            Kind::Edited => *edited += 1,
            Kind::Deleted => *deleted += 1,
            Kind::Joined | Kind::Left => {}
        }
    }
    // Who came and went is about no message.
    noted.remove(&0);
    for row in &stored.rows {
        let (edited, deleted) = noted.remove(&row.message_id).unwrap_or_default();
        let gone = row.reading.text == Text::Gone;
        if (row.reading.version, u64::from(gone)) != (1 + edited + deleted, deleted) {
            findings.add(Fault::Other, || {
                format!("{room:?}: {row:?} with {edited} edits and {deleted} deletions")
            });
        } else if !texts.has(row.key, row.reading) {
            findings.add(Fault::Other, || {
                format!("{room:?}: nobody made it read so: {row:?}")
            });
        }
        if !texts.keeps(row.key, row.reading.text) {
            findings.add(Fault::Lost, || {
                format!("{room:?}: a later edit was acknowledged: {row:?}")
            });
        }
    }
    for (message_id, (edited, deleted)) in noted {
        findings.add(Fault::Other, || {
            format!("{room:?}: no message {message_id} with {edited} edits and {deleted} deletions")
        });
    }
}
