//! The checker is fed doctored logs: each broken promise must be found, and counted as what it is.

use std::time::Instant;

use super::*;
use crate::key::Text;

pub(super) const ROOM: Room = Room { server: 0, id: 1 };

pub(super) fn key(number: u32) -> Key {
    Key { client: 1, number }
}

pub(super) fn event(seq: u64) -> Event {
    let key = key(u32::try_from(seq).unwrap());
    Event {
        seq,
        number: seq,
        message_id: 100 + seq,
        sender_id: 5,
        key,
        reading: Reading {
            version: 1,
            text: Text::Draft(key, 0),
        },
    }
}

fn acknowledged(seq: u64, duplicate: bool) -> Entry {
    let event = event(seq);
    Entry::Acknowledged {
        key: event.key,
        message_id: event.message_id,
        seq,
        number: event.number,
        duplicate,
    }
}

pub(super) fn sent(number: u32) -> Entry {
    Entry::sent(key(number))
}

/// A conversation of three messages.
pub(super) fn stored() -> Stored {
    Stored {
        seq: 3,
        number: 3,
        rows: (1..=3).map(event).collect(),
        changes: Vec::new(),
    }
}

pub(super) fn opened(at: u64) -> Entry {
    opened_at(Some(at), Instant::now())
}

/// A socket that was asked for and open at once, with the first login.
pub(super) const fn opened_at(at: Option<u64>, came: Instant) -> Entry {
    Entry::Opened {
        at,
        came,
        asked: came,
        login: 1,
    }
}

/// A client that sends two messages, one of them twice, and misses a while.
fn entries() -> Vec<Entry> {
    vec![
        opened(0),
        sent(1),
        Entry::Heard(event(1)),
        acknowledged(1, false),
        sent(2),
        opened(2),
        Entry::Asked { since: 1 },
        Entry::Heard(event(2)),
        Entry::Synced { from: 1, to: 2 },
        sent(2),
        acknowledged(2, true),
        Entry::Heard(event(3)),
    ]
}

fn found(stored: Stored, entries: Vec<Entry>) -> Vec<(Fault, u64)> {
    let mut log = Log::new(1, Manner::V2, ROOM, 5);
    log.entries = entries;
    let findings = check(&BTreeMap::from([(ROOM, stored)]), &[log]);
    findings.counts.into_iter().collect()
}

/// The honest log with one entry replaced, or left out.
fn doctored(at: usize, entry: Option<Entry>) -> Vec<(Fault, u64)> {
    let mut all = entries();
    all.splice(at..=at, entry);
    found(stored(), all)
}

#[test]
fn an_honest_log_has_no_findings() {
    assert_eq!(found(stored(), entries()), []);
}

#[test]
fn an_acknowledged_message_that_is_not_stored_is_lost() {
    let mut gone = stored();
    gone.rows.pop();
    (gone.seq, gone.number) = (2, 2);
    let mut all = entries();
    all.pop();
    all.extend([sent(3), acknowledged(3, false)]);
    assert_eq!(found(gone.clone(), all), [(Fault::Lost, 1)]);
    // So is one that was only delivered: it was told before it was stored.
    assert_eq!(found(gone, entries()), [(Fault::Lost, 1)]);
}

#[test]
fn an_acknowledgement_that_names_another_place_is_a_loss() {
    let Entry::Acknowledged {
        key,
        seq,
        number,
        duplicate,
        ..
    } = acknowledged(1, false)
    else {
        unreachable!()
    };
    let wrong = Entry::Acknowledged {
        key,
        message_id: 7,
        seq,
        number,
        duplicate,
    };
    assert_eq!(doctored(3, Some(wrong)), [(Fault::Lost, 1)]);
}

#[test]
fn what_is_stored_twice_is_duplicated() {
    let mut twice = stored();
    twice.rows.push(Event {
        key: key(1),
        ..event(4)
    });
    (twice.seq, twice.number) = (4, 4);
    let mut all = entries();
    all.push(Entry::Heard(Event {
        key: key(1),
        ..event(4)
    }));
    let found = found(twice, all);
    assert!(found.contains(&(Fault::Duplicated, 1)), "{found:?}");
}

#[test]
fn what_is_delivered_twice_or_made_twice_is_duplicated() {
    let mut again = entries();
    again.push(Entry::Heard(event(3)));
    assert_eq!(found(stored(), again), [(Fault::Duplicated, 1)]);
    let mut made = entries();
    made.extend([sent(1), acknowledged(1, false)]);
    assert_eq!(found(stored(), made), [(Fault::Duplicated, 1)]);
}

#[test]
fn another_order_and_a_gap_are_reordered() {
    let swapped = Event {
        seq: 3,
        number: 3,
        ..event(2)
    };
    let found_swapped = doctored(11, Some(Entry::Heard(swapped)));
    assert_eq!(found_swapped, [(Fault::Reordered, 1), (Fault::Missing, 1)]);
    // Without the resume's event: a gap in what came, and the answer says more than there was.
    let gap = doctored(7, None);
    assert_eq!(gap, [(Fault::Reordered, 1), (Fault::Missing, 1)]);
    let mut live = entries();
    live.truncate(4);
    live.push(Entry::Heard(event(3)));
    live.push(Entry::Loaded(event(2)));
    assert_eq!(found(stored(), live), [(Fault::Reordered, 1)]);
}

#[test]
fn what_never_came_is_missing_and_what_was_loaded_is_not() {
    assert_eq!(doctored(11, None), [(Fault::Missing, 1)]);
    assert_eq!(doctored(11, Some(Entry::Loaded(event(3)))), []);
    let mut reset = entries();
    reset.truncate(5);
    reset.extend([opened(3), Entry::Asked { since: 1 }]);
    reset.push(Entry::Reset { to: 3 });
    reset.extend([Entry::Loaded(event(2)), Entry::Loaded(event(3))]);
    assert_eq!(found(stored(), reset), []);
}

#[test]
fn rows_that_are_not_dense_are_found() {
    let mut gap = stored();
    gap.rows.remove(1);
    let found = found(gap, vec![Entry::Loaded(event(1))]);
    assert!(found.contains(&(Fault::Reordered, 1)), "{found:?}");
    assert!(found.contains(&(Fault::Other, 1)), "{found:?}");
}

#[test]
fn a_repeat_of_what_was_sent_once_is_told() {
    assert_eq!(doctored(9, None), [(Fault::Other, 1)]);
}

#[test]
fn what_a_client_must_not_be_told_is_told() {
    let mut log = Log::new(1, Manner::V2, ROOM, 5);
    log.entries = entries();
    log.closed(4000, "restarting");
    log.closed(4403, "not a member");
    log.refused("throttled", true);
    log.refused("unavailable", true);
    log.refused("conflict", false);
    log.refused("internal", true);
    let findings = check(&BTreeMap::from([(ROOM, stored())]), &[log]);
    assert_eq!(findings.count(Fault::Other), 3, "{findings:?}");
}

#[test]
fn counts_what_was_sent_and_acknowledged() {
    let mut log = Log::new(1, Manner::V2, ROOM, 5);
    log.entries = entries();
    assert_eq!(tally(&log), (2, 3, 2));
    log.manner = Manner::V1;
    log.entries = vec![
        sent(1),
        sent(2),
        Entry::Heard(event(1)),
        Entry::Heard(event(3)),
    ];
    assert_eq!(tally(&log), (2, 2, 1));
}
