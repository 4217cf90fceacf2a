//! The rows of a conversation: their own consistency, their consistency with acknowledged edits, and
//! lookups.

use std::collections::{BTreeMap, HashMap};

use super::texts::Texts;
use super::{Findings, StoredConversation, Violation};
use crate::client_log::{ChangeEvent, ChangeKind, ConversationKey, MessageEvent};
use crate::message_key::{MessageKey, MessageText};

/// Indexes of a conversation's messages.
#[derive(Debug, Default)]
pub(super) struct RowIndex {
    by_key: HashMap<MessageKey, usize>,
    by_id: HashMap<u64, usize>,
}

#[derive(Clone, Copy)]
pub(super) struct StoredRows<'a> {
    pub(super) stored: &'a StoredConversation,
    pub(super) index: &'a RowIndex,
}

impl<'a> StoredRows<'a> {
    /// The index of the message with this `seq`.
    pub(super) fn at(&self, seq: u64) -> Option<usize> {
        let rows = &self.stored.rows;
        rows.binary_search_by_key(&seq, |row| row.seq).ok()
    }

    /// The index of the change with this `seq`.
    pub(super) fn change_at(&self, seq: u64) -> Option<usize> {
        let changes = &self.stored.changes;
        changes.binary_search_by_key(&seq, |change| change.seq).ok()
    }

    pub(super) fn row(&self, at: usize) -> Option<&'a MessageEvent> {
        self.stored.rows.get(at)
    }

    pub(super) fn named(&self, key: MessageKey) -> Option<&'a MessageEvent> {
        self.row(*self.index.by_key.get(&key)?)
    }

    pub(super) fn with_id(&self, message_id: u64) -> Option<usize> {
        self.index.by_id.get(&message_id).copied()
    }

    /// Whether there is a message between these two positions, both excluded.
    pub(super) fn has_message_between(&self, before: u64, seq: u64) -> bool {
        let rows = &self.stored.rows;
        let next = rows.partition_point(|row| row.seq <= before);
        rows.get(next).is_some_and(|row| row.seq < seq)
    }
}

/// Checks the rows and indexes them.
pub(super) fn index(
    conversation: ConversationKey,
    stored: &StoredConversation,
    texts: &Texts,
    findings: &mut Findings,
) -> RowIndex {
    dense(conversation, stored, findings);
    let mut index = RowIndex::default();
    for (at, row) in stored.rows.iter().enumerate() {
        index.by_id.insert(row.message_id, at);
        if index.by_key.insert(row.key, at).is_some() {
            findings.add(Violation::Duplicated, || {
                format!(
                    "{conversation:?}: {} is stored twice, now as {row:?}",
                    row.key
                )
            });
        }
    }
    rewritten(conversation, stored, texts, findings);
    index
}

/// `seq` counts messages and other events together, `number` messages alone.
fn dense(conversation: ConversationKey, stored: &StoredConversation, findings: &mut Findings) {
    let messages = stored.rows.iter().map(|row| (row.seq, Some(row.number)));
    let changes = stored.changes.iter().map(|change| (change.seq, None));
    let mut events: Vec<(u64, Option<u64>)> = messages.chain(changes).collect();
    events.sort_unstable();
    let mut place = (0, 0);
    for (seq, number) in events {
        let expected = (place.0 + 1, number.map(|_| place.1 + 1));
        if (seq, number) != expected {
            findings.add(Violation::Reordered, || {
                format!(
                    "{conversation:?}: after seq and number {place:?} come {seq} and {number:?}"
                )
            });
        }
        place = (seq, number.unwrap_or(place.1));
    }
    let count = |length: usize| u64::try_from(length).unwrap_or(u64::MAX);
    let (messages, changes) = (count(stored.rows.len()), count(stored.changes.len()));
    if (stored.seq, stored.number) != (messages + changes, messages) {
        findings.add(Violation::Other, || {
            let (seq, number) = (stored.seq, stored.number);
            format!(
                "{conversation:?}: at seq {seq} and number {number} with {messages} messages and {changes} other events"
            )
        });
    }
}

/// Each message has the content of its last acknowledged edit or a later one, and each version an event.
fn rewritten(
    conversation: ConversationKey,
    stored: &StoredConversation,
    texts: &Texts,
    findings: &mut Findings,
) {
    let mut events: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
    for change in &stored.changes {
        let ChangeEvent {
            kind, message_id, ..
        } = change;
        let (edited, deleted) = events.entry(message_id.unwrap_or_default()).or_default();
        match kind {
            ChangeKind::Edited => *edited += 1,
            ChangeKind::Deleted => *deleted += 1,
            ChangeKind::Joined | ChangeKind::Left => {}
        }
    }
    // Membership events concern no message.
    events.remove(&0);
    for row in &stored.rows {
        let (edited, deleted) = events.remove(&row.message_id).unwrap_or_default();
        let deleted_text = row.content.text == MessageText::Deleted;
        if (row.content.version, u64::from(deleted_text)) != (1 + edited + deleted, deleted) {
            findings.add(Violation::Other, || {
                format!("{conversation:?}: {row:?} with {edited} edits and {deleted} deletions")
            });
        } else if !texts.allows(row.key, row.content) {
            findings.add(Violation::Other, || {
                format!("{conversation:?}: no client sent this content: {row:?}")
            });
        }
        if !texts.is_current(row.key, row.content.text) {
            findings.add(Violation::Lost, || {
                format!("{conversation:?}: an acknowledged edit is missing: {row:?}")
            });
        }
    }
    for (message_id, (edited, deleted)) in events {
        findings.add(Violation::Other, || {
            format!("{conversation:?}: no message {message_id} with {edited} edits and {deleted} deletions")
        });
    }
}
