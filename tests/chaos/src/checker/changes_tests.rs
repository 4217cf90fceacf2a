//! Doctored logs of edits and deletions.

use std::time::Instant;

use super::tests::{CONVERSATION, event, key, opened, opened_at, sent};
use super::*;
use crate::client_log::{ChangeKind, ClientKind, LogEntry, MessageContent};
use crate::message_key::MessageText;

pub(super) const WRITER: u64 = 5;
pub(super) const GUEST: u64 = 9;

fn content(number: u32, edit: u32) -> MessageContent {
    MessageContent {
        version: u64::from(edit) + 1,
        text: MessageText::Revision(key(number), edit),
    }
}

const fn gone(version: u64) -> MessageContent {
    let text = MessageText::Deleted;
    MessageContent { version, text }
}

fn change(seq: u64, kind: ChangeKind, message_id: Option<u64>, user_id: u64) -> ChangeEvent {
    ChangeEvent {
        seq,
        kind,
        message_id,
        user_id,
    }
}

/// Three messages: the first is edited twice, the second deleted; between them a guest is removed and
/// added again.
pub(super) fn stored() -> StoredConversation {
    let message = |seq, number, content| MessageEvent {
        seq,
        content,
        ..event(number)
    };
    StoredConversation {
        seq: 8,
        number: 3,
        rows: vec![
            message(1, 1, content(1, 2)),
            message(2, 2, gone(2)),
            message(8, 3, content(3, 0)),
        ],
        changes: vec![
            change(3, ChangeKind::Edited, Some(101), WRITER),
            change(4, ChangeKind::Left, None, GUEST),
            change(5, ChangeKind::Edited, Some(101), WRITER),
            change(6, ChangeKind::Joined, None, GUEST),
            change(7, ChangeKind::Deleted, Some(102), WRITER),
        ],
    }
}

fn received(seq: u64, number: u64, content: MessageContent) -> LogEntry {
    LogEntry::MessageReceived(MessageEvent {
        seq,
        content,
        ..event(number)
    })
}

fn changed(seq: u64, content: Option<MessageContent>) -> LogEntry {
    let change = |change: &&ChangeEvent| change.seq == seq;
    let change = *stored().changes.iter().find(change).unwrap();
    LogEntry::ChangeReceived { change, content }
}

fn rewriting(number: u32, text: MessageText) -> LogEntry {
    let key = key(number);
    LogEntry::ChangeSent { key, text }
}

fn rewritten(number: u32, text: MessageText, seq: Option<u64>) -> LogEntry {
    let (key, message_id) = (key(number), 100 + u64::from(number));
    LogEntry::ChangeAcknowledged {
        key,
        message_id,
        text,
        seq,
    }
}

/// The writer's edits and deletion over REST.
pub(super) fn rewrites() -> Vec<LogEntry> {
    let revision = |edit| MessageText::Revision(key(1), edit);
    vec![
        rewriting(1, revision(1)),
        rewritten(1, revision(1), Some(3)),
        rewriting(1, revision(2)),
        rewritten(1, revision(2), Some(5)),
        rewriting(2, MessageText::Deleted),
        rewriting(2, MessageText::Deleted),
        rewritten(2, MessageText::Deleted, None),
    ]
}

pub(super) fn entries() -> Vec<LogEntry> {
    vec![
        opened(0),
        sent(1),
        received(1, 1, content(1, 0)),
        LogEntry::Acknowledged {
            key: key(1),
            message_id: 101,
            seq: 1,
            number: 1,
            duplicate: false,
        },
        received(2, 2, content(2, 0)),
        changed(3, Some(content(1, 1))),
        changed(4, None),
        // Read after a later edit, an event has the newest version.
        changed(5, Some(content(1, 2))),
        changed(6, None),
        changed(7, Some(gone(2))),
        received(8, 3, content(3, 0)),
    ]
}

pub(super) fn log(client_kind: ClientKind, user_id: u64, entries: Vec<LogEntry>) -> Log {
    let mut log = Log::new(1, client_kind, CONVERSATION, user_id);
    log.entries = entries;
    log
}

pub(super) fn found(stored: StoredConversation, logs: &[Log]) -> Vec<(Violation, u64)> {
    let findings = check(&BTreeMap::from([(CONVERSATION, stored)]), logs);
    findings.counts.into_iter().collect()
}

/// The writer's correct log with one entry replaced or removed.
fn doctored(at: usize, entry: Option<LogEntry>) -> Vec<(Violation, u64)> {
    let mut all = entries();
    all.splice(at..=at, entry);
    all.extend(rewrites());
    found(stored(), &[log(ClientKind::V2, WRITER, all)])
}

/// The correct log of the edits, with these rows.
fn with_rows(doctor: impl FnOnce(&mut StoredConversation)) -> Vec<(Violation, u64)> {
    let mut rows = stored();
    doctor(&mut rows);
    found(rows, &[log(ClientKind::GroupAdmin, WRITER, rewrites())])
}

pub(super) fn loaded() -> Vec<LogEntry> {
    let rows = stored().rows;
    rows.into_iter().map(LogEntry::HistoryRead).collect()
}

#[test]
fn correct_logs_of_changes_have_no_findings() {
    let again = vec![
        opened(8),
        LogEntry::ResumeSent { since: 6 },
        changed(7, Some(gone(2))),
        received(8, 3, content(3, 0)),
        LogEntry::Synced { from: 6, to: 8 },
        LogEntry::Reset { to: 6 },
    ];
    let logs = [
        log(ClientKind::V2, WRITER, [entries(), rewrites()].concat()),
        log(ClientKind::V2, 6, [again, loaded()].concat()),
        log(ClientKind::Rest, 7, loaded()),
    ];
    assert_eq!(found(stored(), &logs), []);
    assert_eq!(with_rows(|_| {}), []);
}

#[test]
fn acknowledged_edit_that_is_not_stored_is_lost() {
    let undone = with_rows(|stored| stored.rows[0].content = content(1, 1));
    assert!(undone.contains(&(Violation::Lost, 1)), "{undone:?}");
    let back = with_rows(|stored| stored.rows[1].content = content(2, 0));
    assert!(back.contains(&(Violation::Lost, 1)), "{back:?}");
    let elsewhere = vec![rewritten(1, MessageText::Revision(key(1), 1), Some(4))];
    let logs = [
        log(ClientKind::GroupAdmin, WRITER, rewrites()),
        log(ClientKind::GroupAdmin, WRITER, elsewhere),
    ];
    assert_eq!(found(stored(), &logs), [(Violation::Lost, 1)]);
}

#[test]
fn unacknowledged_edit_may_be_stored_or_not() {
    let mut rewrites = rewrites();
    rewrites.push(rewriting(3, MessageText::Revision(key(3), 1)));
    let mut more = stored();
    more.rows[2].content = content(3, 1);
    more.changes
        .push(change(9, ChangeKind::Edited, Some(103), WRITER));
    more.seq = 9;
    for stored in [stored(), more] {
        assert_eq!(
            found(
                stored,
                &[log(ClientKind::GroupAdmin, WRITER, rewrites.clone())]
            ),
            []
        );
    }
}

#[test]
fn version_that_was_not_sent_or_has_no_event_is_reported() {
    let other = [(Violation::Other, 1)];
    let unsaid = with_rows(|stored| {
        stored.rows[2].content = content(3, 1);
        stored
            .changes
            .push(change(9, ChangeKind::Edited, Some(103), WRITER));
        stored.seq = 9;
    });
    assert_eq!(unsaid, other);
    let silent = with_rows(|stored| stored.rows[2].content = content(3, 1));
    assert_eq!(silent, other);
    let about_nothing = with_rows(|stored| stored.changes[4].message_id = Some(107));
    assert_eq!(about_nothing, [(Violation::Other, 2)]);
}

#[test]
fn seq_is_dense_over_messages_and_changes() {
    let gap = with_rows(|stored| {
        stored.changes.remove(1);
    });
    assert_eq!(gap, [(Violation::Reordered, 1), (Violation::Other, 1)]);
    let twice = with_rows(|stored| stored.changes[3].seq = 7);
    assert_eq!(twice, [(Violation::Reordered, 2)]);
}

#[test]
fn delivered_change_that_is_not_stored_is_reported() {
    let joined = LogEntry::ChangeReceived {
        change: change(4, ChangeKind::Joined, None, GUEST),
        content: None,
    };
    let otherwise = doctored(6, Some(joined));
    assert_eq!(
        otherwise,
        [(Violation::Reordered, 1), (Violation::Missing, 1)]
    );
    let mut all = [entries(), rewrites()].concat();
    all.push(LogEntry::ChangeReceived {
        change: change(9, ChangeKind::Left, None, GUEST),
        content: None,
    });
    let early = found(stored(), &[log(ClientKind::V2, WRITER, all)]);
    assert_eq!(early, [(Violation::Lost, 1)]);
}

#[test]
fn missing_change_is_reported_for_v2_clients() {
    let missed = doctored(8, None);
    assert_eq!(missed, [(Violation::Reordered, 1), (Violation::Missing, 1)]);
    let twice = doctored(8, Some(changed(4, None)));
    assert!(twice.contains(&(Violation::Duplicated, 1)), "{twice:?}");
}

#[test]
fn received_text_that_was_not_sent_or_is_not_stored_is_reported() {
    let newer = doctored(7, Some(changed(5, Some(content(1, 3)))));
    assert_eq!(newer, [(Violation::Lost, 1)]);
    let other = MessageContent {
        version: 3,
        ..content(1, 1)
    };
    assert_eq!(
        doctored(7, Some(changed(5, Some(other)))),
        [(Violation::Lost, 1)]
    );
    let unsaid = MessageContent {
        version: 1,
        ..content(2, 1)
    };
    assert_eq!(
        doctored(4, Some(received(2, 2, unsaid))),
        [(Violation::Other, 1)]
    );
    let anothers = MessageContent {
        version: 2,
        ..content(3, 1)
    };
    let received = changed(3, Some(anothers));
    assert_eq!(doctored(5, Some(received)), [(Violation::Other, 1)]);
}

#[test]
fn client_left_with_an_older_version_is_missing_an_event() {
    // The event arrived with the text of the previous version.
    let old = doctored(7, Some(changed(5, Some(content(1, 1)))));
    assert_eq!(old, [(Violation::Missing, 1)]);
    let mut all = loaded();
    all[0] = received(1, 1, content(1, 1));
    let logs = [
        log(ClientKind::GroupAdmin, WRITER, rewrites()),
        log(ClientKind::Rest, 6, all),
    ];
    assert_eq!(found(stored(), &logs), [(Violation::Missing, 1)]);
}

#[test]
fn v1_socket_may_skip_changes_but_no_message() {
    let live = |received: Vec<LogEntry>| {
        let opened = opened_at(None, Instant::now());
        let entries = [vec![opened], received, loaded()].concat();
        let logs = [
            log(ClientKind::GroupAdmin, WRITER, rewrites()),
            log(ClientKind::V1, 6, entries),
        ];
        found(stored(), &logs)
    };
    let (first, second, third) = (
        received(1, 1, content(1, 0)),
        received(2, 2, content(2, 0)),
        received(8, 3, content(3, 0)),
    );
    assert_eq!(live(vec![first, second, third]), []);
    assert_eq!(live(vec![first, third]), [(Violation::Reordered, 1)]);
    assert_eq!(live(vec![third, second]), [(Violation::Duplicated, 1)]);
}
