//! Doctored logs of edits, deletions, and members who come and go.

use std::time::{Duration, Instant};

use super::tests::{ROOM, event, key, opened, opened_at, sent};
use super::*;
use crate::key::Text;
use crate::log::Kind;

const WRITER: u64 = 5;
const GUEST: u64 = 9;

fn reading(number: u32, edit: u32) -> Reading {
    Reading {
        version: u64::from(edit) + 1,
        text: Text::Draft(key(number), edit),
    }
}

const fn gone(version: u64) -> Reading {
    let text = Text::Gone;
    Reading { version, text }
}

fn change(seq: u64, kind: Kind, message_id: Option<u64>, user_id: u64) -> Change {
    Change {
        seq,
        kind,
        message_id,
        user_id,
    }
}

/// Two messages, of which the first is edited twice, the second deleted, while a guest leaves and
/// comes back; then another message.
fn stored() -> Stored {
    let message = |seq, number, reading| Event {
        seq,
        reading,
        ..event(number)
    };
    Stored {
        seq: 8,
        number: 3,
        rows: vec![
            message(1, 1, reading(1, 2)),
            message(2, 2, gone(2)),
            message(8, 3, reading(3, 0)),
        ],
        changes: vec![
            change(3, Kind::Edited, Some(101), WRITER),
            change(4, Kind::Left, None, GUEST),
            change(5, Kind::Edited, Some(101), WRITER),
            change(6, Kind::Joined, None, GUEST),
            change(7, Kind::Deleted, Some(102), WRITER),
        ],
    }
}

fn heard(seq: u64, number: u64, reading: Reading) -> Entry {
    Entry::Heard(Event {
        seq,
        reading,
        ..event(number)
    })
}

fn changed(seq: u64, reading: Option<Reading>) -> Entry {
    let change = |change: &&Change| change.seq == seq;
    let change = *stored().changes.iter().find(change).unwrap();
    Entry::Changed { change, reading }
}

fn rewriting(number: u32, text: Text) -> Entry {
    let key = key(number);
    Entry::Rewriting { key, text }
}

fn rewritten(number: u32, text: Text, seq: Option<u64>) -> Entry {
    let (key, message_id) = (key(number), 100 + u64::from(number));
    Entry::Rewritten {
        key,
        message_id,
        text,
        seq,
    }
}

/// What the writer did, over REST, beside what its socket told it.
fn deeds() -> Vec<Entry> {
    let draft = |edit| Text::Draft(key(1), edit);
    vec![
        rewriting(1, draft(1)),
        rewritten(1, draft(1), Some(3)),
        rewriting(1, draft(2)),
        rewritten(1, draft(2), Some(5)),
        rewriting(2, Text::Gone),
        rewriting(2, Text::Gone),
        rewritten(2, Text::Gone, None),
    ]
}

fn entries() -> Vec<Entry> {
    vec![
        opened(0),
        sent(1),
        heard(1, 1, reading(1, 0)),
        Entry::Acknowledged {
            key: key(1),
            message_id: 101,
            seq: 1,
            number: 1,
            duplicate: false,
        },
        heard(2, 2, reading(2, 0)),
        changed(3, Some(reading(1, 1))),
        changed(4, None),
        // Read again after a change, an event tells the newest version.
        changed(5, Some(reading(1, 2))),
        changed(6, None),
        changed(7, Some(gone(2))),
        heard(8, 3, reading(3, 0)),
    ]
}

fn log(manner: Manner, user_id: u64, entries: Vec<Entry>) -> Log {
    let mut log = Log::new(1, manner, ROOM, user_id);
    log.entries = entries;
    log
}

fn found(stored: Stored, logs: &[Log]) -> Vec<(Fault, u64)> {
    let findings = check(&BTreeMap::from([(ROOM, stored)]), logs);
    findings.counts.into_iter().collect()
}

/// The honest writer's log with one entry replaced, or left out.
fn doctored(at: usize, entry: Option<Entry>) -> Vec<(Fault, u64)> {
    let mut all = entries();
    all.splice(at..=at, entry);
    all.extend(deeds());
    found(stored(), &[log(Manner::V2, WRITER, all)])
}

/// The honest log of a client that did it, with these rows.
fn with_rows(doctor: impl FnOnce(&mut Stored)) -> Vec<(Fault, u64)> {
    let mut rows = stored();
    doctor(&mut rows);
    found(rows, &[log(Manner::Maker, WRITER, deeds())])
}

fn loaded() -> Vec<Entry> {
    let rows = stored().rows;
    rows.into_iter().map(Entry::Loaded).collect()
}

#[test]
fn honest_logs_of_changes_have_no_findings() {
    let again = vec![
        opened(8),
        Entry::Asked { since: 6 },
        changed(7, Some(gone(2))),
        heard(8, 3, reading(3, 0)),
        Entry::Synced { from: 6, to: 8 },
        Entry::Reset { to: 6 },
    ];
    let logs = [
        log(Manner::V2, WRITER, [entries(), deeds()].concat()),
        log(Manner::V2, 6, [again, loaded()].concat()),
        log(Manner::Rest, 7, loaded()),
    ];
    assert_eq!(found(stored(), &logs), []);
    assert_eq!(with_rows(|_| {}), []);
}

#[test]
fn an_acknowledged_edit_that_is_not_stored_is_lost() {
    let undone = with_rows(|stored| stored.rows[0].reading = reading(1, 1));
    assert!(undone.contains(&(Fault::Lost, 1)), "{undone:?}");
    let back = with_rows(|stored| stored.rows[1].reading = reading(2, 0));
    assert!(back.contains(&(Fault::Lost, 1)), "{back:?}");
    let elsewhere = vec![rewritten(1, Text::Draft(key(1), 1), Some(4))];
    let logs = [
        log(Manner::Maker, WRITER, deeds()),
        log(Manner::Maker, WRITER, elsewhere),
    ];
    assert_eq!(found(stored(), &logs), [(Fault::Lost, 1)]);
}

#[test]
fn an_edit_that_was_not_acknowledged_may_be_stored_or_not() {
    let mut deeds = deeds();
    deeds.push(rewriting(3, Text::Draft(key(3), 1)));
    let mut more = stored();
    more.rows[2].reading = reading(3, 1);
    more.changes
        .push(change(9, Kind::Edited, Some(103), WRITER));
    more.seq = 9;
    for stored in [stored(), more] {
        assert_eq!(
            found(stored, &[log(Manner::Maker, WRITER, deeds.clone())]),
            []
        );
    }
}

#[test]
fn a_version_that_nobody_sent_or_that_has_no_event_is_told() {
    let other = [(Fault::Other, 1)];
    let unsaid = with_rows(|stored| {
        stored.rows[2].reading = reading(3, 1);
        stored
            .changes
            .push(change(9, Kind::Edited, Some(103), WRITER));
        stored.seq = 9;
    });
    assert_eq!(unsaid, other);
    let silent = with_rows(|stored| stored.rows[2].reading = reading(3, 1));
    assert_eq!(silent, other);
    let about_nothing = with_rows(|stored| stored.changes[4].message_id = Some(107));
    assert_eq!(about_nothing, [(Fault::Other, 2)]);
}

#[test]
fn seq_is_dense_over_messages_and_changes_together() {
    let gap = with_rows(|stored| {
        stored.changes.remove(1);
    });
    assert_eq!(gap, [(Fault::Reordered, 1), (Fault::Other, 1)]);
    let twice = with_rows(|stored| stored.changes[3].seq = 7);
    assert_eq!(twice, [(Fault::Reordered, 2)]);
}

#[test]
fn a_change_that_is_told_and_not_stored_so_is_noticed() {
    let joined = Entry::Changed {
        change: change(4, Kind::Joined, None, GUEST),
        reading: None,
    };
    let otherwise = doctored(6, Some(joined));
    assert_eq!(otherwise, [(Fault::Reordered, 1), (Fault::Missing, 1)]);
    let mut all = [entries(), deeds()].concat();
    all.push(Entry::Changed {
        change: change(9, Kind::Left, None, GUEST),
        reading: None,
    });
    let early = found(stored(), &[log(Manner::V2, WRITER, all)]);
    assert_eq!(early, [(Fault::Lost, 1)]);
}

#[test]
fn a_change_that_never_came_is_missing_to_v2_alone() {
    let missed = doctored(8, None);
    assert_eq!(missed, [(Fault::Reordered, 1), (Fault::Missing, 1)]);
    let twice = doctored(8, Some(changed(4, None)));
    assert!(twice.contains(&(Fault::Duplicated, 1)), "{twice:?}");
}

#[test]
fn a_text_that_nobody_sent_or_that_is_not_stored_is_noticed() {
    let newer = doctored(7, Some(changed(5, Some(reading(1, 3)))));
    assert_eq!(newer, [(Fault::Lost, 1)]);
    let other = Reading {
        version: 3,
        ..reading(1, 1)
    };
    assert_eq!(
        doctored(7, Some(changed(5, Some(other)))),
        [(Fault::Lost, 1)]
    );
    let unsaid = Reading {
        version: 1,
        ..reading(2, 1)
    };
    assert_eq!(doctored(4, Some(heard(2, 2, unsaid))), [(Fault::Other, 1)]);
    let anothers = Reading {
        version: 2,
        ..reading(3, 1)
    };
    let told = changed(3, Some(anothers));
    assert_eq!(doctored(5, Some(told)), [(Fault::Other, 1)]);
}

#[test]
fn who_ends_with_an_older_version_misses_something() {
    // The event came, with the text of before it.
    let old = doctored(7, Some(changed(5, Some(reading(1, 1)))));
    assert_eq!(old, [(Fault::Missing, 1)]);
    let mut all = loaded();
    all[0] = heard(1, 1, reading(1, 1));
    let logs = [
        log(Manner::Maker, WRITER, deeds()),
        log(Manner::Rest, 6, all),
    ];
    assert_eq!(found(stored(), &logs), [(Fault::Missing, 1)]);
}

#[test]
fn a_v1_socket_may_pass_over_changes_and_no_message() {
    let live = |heard: Vec<Entry>| {
        let opened = opened_at(None, Instant::now());
        let entries = [vec![opened], heard, loaded()].concat();
        let logs = [
            log(Manner::Maker, WRITER, deeds()),
            log(Manner::V1, 6, entries),
        ];
        found(stored(), &logs)
    };
    let (first, second, third) = (
        heard(1, 1, reading(1, 0)),
        heard(2, 2, reading(2, 0)),
        heard(8, 3, reading(3, 0)),
    );
    assert_eq!(live(vec![first, second, third]), []);
    assert_eq!(live(vec![first, third]), [(Fault::Reordered, 1)]);
    assert_eq!(live(vec![third, second]), [(Fault::Duplicated, 1)]);
}

/// A guest's socket, open for a second, that is not closed when it leaves.
fn guest(manner: Manner, at: Option<u64>, admission: Option<Duration>) -> Vec<(Fault, u64)> {
    let start = Instant::now();
    let came = start + Duration::from_secs(1);
    let mut all = entries();
    all.retain(|entry| matches!(entry, Entry::Heard(_) | Entry::Changed { .. }));
    if manner == Manner::V1 {
        all.retain(|entry| matches!(entry, Entry::Heard(_)));
    }
    all.insert(0, opened_at(at, came));
    let maker = admission.map(|after| Entry::Admitting {
        user_id: GUEST,
        sent: start + after,
    });
    let logs = [
        log(Manner::Maker, WRITER, deeds()),
        log(manner, GUEST, [all, loaded()].concat()),
        log(Manner::Maker, WRITER, maker.into_iter().collect()),
    ];
    found(stored(), &logs)
}

#[test]
fn a_removed_member_who_hears_on_is_noticed() {
    // Its own departure and the four events after it.
    let hears_on = [(Fault::Overheard, 5)];
    assert_eq!(guest(Manner::V2, Some(0), None), hears_on);
    let (before, later) = (Duration::ZERO, Duration::from_secs(2));
    assert_eq!(guest(Manner::V2, Some(0), Some(later)), hears_on);
    assert_eq!(guest(Manner::V1, None, None), [(Fault::Overheard, 1)]);
    // It may have been let in after it had come back, by a Room that had heard of neither.
    assert_eq!(guest(Manner::V2, Some(0), Some(before)), []);
}

#[test]
fn a_removal_that_was_acknowledged_and_is_not_stored_is_lost() {
    let removed = |user_id| vec![Entry::Removed { user_id }];
    let found = |user_id| {
        found(
            stored(),
            &[
                log(Manner::Maker, WRITER, deeds()),
                log(Manner::Maker, WRITER, removed(user_id)),
            ],
        )
    };
    assert_eq!(found(GUEST), []);
    assert_eq!(found(6), [(Fault::Lost, 1)]);
}

#[test]
fn who_was_never_removed_must_not_be_told_so() {
    let told = |user_id| {
        let mut log = log(Manner::Rest, user_id, loaded());
        log.closed(4403, "not a member");
        log.refused("not_member", false);
        found(stored(), &[log, self::log(Manner::Maker, WRITER, deeds())])
    };
    assert_eq!(told(GUEST), []);
    assert_eq!(told(6), [(Fault::Other, 1)]);
}
