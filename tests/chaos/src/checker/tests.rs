//! Doctored logs: the checker must find each violation and classify it.

use std::time::Instant;

use super::*;
use crate::client_log::{ClientKind, LogEntry, MessageContent};
use crate::message_key::{MessageKey, MessageText};

pub(super) const CONVERSATION: ConversationKey = ConversationKey { server: 0, id: 1 };

pub(super) fn key(number: u32) -> MessageKey {
    MessageKey { client: 1, number }
}

pub(super) fn event(seq: u64) -> MessageEvent {
    let key = key(u32::try_from(seq).unwrap());
    MessageEvent {
        seq,
        number: seq,
        message_id: 100 + seq,
        sender_id: 5,
        key,
        content: MessageContent {
            version: 1,
            text: MessageText::Revision(key, 0),
        },
    }
}

fn acknowledged(seq: u64, duplicate: bool) -> LogEntry {
    let event = event(seq);
    LogEntry::Acknowledged {
        key: event.key,
        message_id: event.message_id,
        seq,
        number: event.number,
        duplicate,
    }
}

pub(super) fn sent(number: u32) -> LogEntry {
    LogEntry::sent(key(number))
}

/// A conversation of three messages.
pub(super) fn stored() -> StoredConversation {
    StoredConversation {
        seq: 3,
        number: 3,
        rows: (1..=3).map(event).collect(),
        changes: Vec::new(),
    }
}

pub(super) fn opened(at: u64) -> LogEntry {
    opened_at(Some(at), Instant::now())
}

/// A socket of the first session that opened at once.
pub(super) const fn opened_at(at: Option<u64>, established_at: Instant) -> LogEntry {
    LogEntry::Opened {
        hello_seq: at,
        established_at,
        requested_at: established_at,
        session: 1,
    }
}

/// A client that sends two messages, one of them twice, and misses one event.
fn entries() -> Vec<LogEntry> {
    vec![
        opened(0),
        sent(1),
        LogEntry::MessageReceived(event(1)),
        acknowledged(1, false),
        sent(2),
        opened(2),
        LogEntry::ResumeSent { since: 1 },
        LogEntry::MessageReceived(event(2)),
        LogEntry::Synced { from: 1, to: 2 },
        sent(2),
        acknowledged(2, true),
        LogEntry::MessageReceived(event(3)),
    ]
}

fn found(stored: StoredConversation, entries: Vec<LogEntry>) -> Vec<(Violation, u64)> {
    let mut log = Log::new(1, ClientKind::V2, CONVERSATION, 5);
    log.entries = entries;
    let findings = check(&BTreeMap::from([(CONVERSATION, stored)]), &[log]);
    findings.counts.into_iter().collect()
}

/// The correct log with one entry replaced or removed.
fn doctored(at: usize, entry: Option<LogEntry>) -> Vec<(Violation, u64)> {
    let mut all = entries();
    all.splice(at..=at, entry);
    found(stored(), all)
}

#[test]
fn correct_log_has_no_findings() {
    assert_eq!(found(stored(), entries()), []);
}

#[test]
fn acknowledged_message_that_is_not_stored_is_lost() {
    let mut truncated = stored();
    truncated.rows.pop();
    (truncated.seq, truncated.number) = (2, 2);
    let mut all = entries();
    all.pop();
    all.extend([sent(3), acknowledged(3, false)]);
    assert_eq!(found(truncated.clone(), all), [(Violation::Lost, 1)]);
    // A message that was only delivered is lost, too: it was delivered before it was stored.
    assert_eq!(found(truncated, entries()), [(Violation::Lost, 1)]);
}

#[test]
fn acknowledgement_with_another_message_id_is_a_loss() {
    let LogEntry::Acknowledged {
        key,
        seq,
        number,
        duplicate,
        ..
    } = acknowledged(1, false)
    else {
        unreachable!()
    };
    let wrong = LogEntry::Acknowledged {
        key,
        message_id: 7,
        seq,
        number,
        duplicate,
    };
    assert_eq!(doctored(3, Some(wrong)), [(Violation::Lost, 1)]);
}

#[test]
fn message_stored_twice_is_duplicated() {
    let mut twice = stored();
    twice.rows.push(MessageEvent {
        key: key(1),
        ..event(4)
    });
    (twice.seq, twice.number) = (4, 4);
    let mut all = entries();
    all.push(LogEntry::MessageReceived(MessageEvent {
        key: key(1),
        ..event(4)
    }));
    let found = found(twice, all);
    assert!(found.contains(&(Violation::Duplicated, 1)), "{found:?}");
}

#[test]
fn message_delivered_twice_or_acknowledged_as_new_twice_is_duplicated() {
    let mut again = entries();
    again.push(LogEntry::MessageReceived(event(3)));
    assert_eq!(found(stored(), again), [(Violation::Duplicated, 1)]);
    let mut made = entries();
    made.extend([sent(1), acknowledged(1, false)]);
    assert_eq!(found(stored(), made), [(Violation::Duplicated, 1)]);
}

#[test]
fn another_order_and_a_gap_are_reordered() {
    let swapped = MessageEvent {
        seq: 3,
        number: 3,
        ..event(2)
    };
    let found_swapped = doctored(11, Some(LogEntry::MessageReceived(swapped)));
    assert_eq!(
        found_swapped,
        [(Violation::Reordered, 1), (Violation::Missing, 1)]
    );
    // Without the event of the resume: a gap, and a `sync` that states more events than arrived.
    let gap = doctored(7, None);
    assert_eq!(gap, [(Violation::Reordered, 1), (Violation::Missing, 1)]);
    let mut live = entries();
    live.truncate(4);
    live.push(LogEntry::MessageReceived(event(3)));
    live.push(LogEntry::HistoryRead(event(2)));
    assert_eq!(found(stored(), live), [(Violation::Reordered, 1)]);
}

#[test]
fn event_that_never_arrived_is_missing_unless_loaded() {
    assert_eq!(doctored(11, None), [(Violation::Missing, 1)]);
    assert_eq!(doctored(11, Some(LogEntry::HistoryRead(event(3)))), []);
    let mut reset = entries();
    reset.truncate(5);
    reset.extend([opened(3), LogEntry::ResumeSent { since: 1 }]);
    reset.push(LogEntry::Reset { to: 3 });
    reset.extend([
        LogEntry::HistoryRead(event(2)),
        LogEntry::HistoryRead(event(3)),
    ]);
    assert_eq!(found(stored(), reset), []);
}

#[test]
fn rows_that_are_not_dense_are_reported() {
    let mut gap = stored();
    gap.rows.remove(1);
    let found = found(gap, vec![LogEntry::HistoryRead(event(1))]);
    assert!(found.contains(&(Violation::Reordered, 1)), "{found:?}");
    assert!(found.contains(&(Violation::Other, 1)), "{found:?}");
}

#[test]
fn duplicate_acknowledgement_of_a_single_send_is_reported() {
    assert_eq!(doctored(9, None), [(Violation::Other, 1)]);
}

#[test]
fn forbidden_closes_and_errors_are_reported() {
    let mut log = Log::new(1, ClientKind::V2, CONVERSATION, 5);
    log.entries = entries();
    log.closed(4000, "restarting");
    log.closed(4403, "not a member");
    log.refused("throttled", true);
    log.refused("unavailable", true);
    log.refused("conflict", false);
    log.refused("internal", true);
    let findings = check(&BTreeMap::from([(CONVERSATION, stored())]), &[log]);
    assert_eq!(findings.count(Violation::Other), 3, "{findings:?}");
}

#[test]
fn tally_counts_sends_and_acknowledgements() {
    let mut log = Log::new(1, ClientKind::V2, CONVERSATION, 5);
    log.entries = entries();
    assert_eq!(tally(&log), (2, 3, 2));
    log.client_kind = ClientKind::V1;
    log.entries = vec![
        sent(1),
        sent(2),
        LogEntry::MessageReceived(event(1)),
        LogEntry::MessageReceived(event(3)),
    ];
    assert_eq!(tally(&log), (2, 2, 1));
}
