//! Resumes of clients, and resets.

use super::*;
use crate::domain::Seq;
use crate::protocol::{MemberChange, MemberEvent};

#[test]
fn resume_is_served_from_buffer_or_database_and_ends_with_sync() {
    let mut test = TestRoom::with(&[(1, true), (2, true)]);
    test.send(1, "a");
    test.stored(&[11]);
    test.frame(2, &json!({"type": "resume", "since": 10, "epoch": "e"}));
    assert_eq!(test.received(2), frames(&[("message", 11), ("sync", 0)]));
    test.resume(2, 8);
    assert_eq!((test.loads.as_slice(), test.frames.len()), (&[8][..], 0));
    test.advance(1_000);
    test.send(1, "b");
    test.stored(&[12]);
    assert_eq!(
        test.received(2),
        frames(&[]),
        "live events wait for the resume"
    );
    test.loaded(9..=11);
    let rest = [
        ("message", 9),
        ("message", 10),
        ("message", 11),
        ("message", 12),
        ("sync", 0),
    ];
    assert_eq!(test.received(2), frames(&rest));
}

#[test]
fn resume_of_another_epoch_or_of_an_unknown_position_is_reset() {
    let mut test = TestRoom::with(&[(1, true)]);
    test.connect(2, new_connection(2, true));
    test.frame(1, &json!({"type": "resume", "since": 10, "epoch": "older"}));
    assert_eq!(test.frames[0].1["reason"], "epoch_changed");
    test.resume(1, 40);
    assert_eq!(test.loads, [10], "the database decides");
    test.loaded_nothing(10);
    assert_eq!(test.frames[0].1["reason"], "epoch_changed");
}

#[test]
fn resume_of_more_than_300_events_is_reset() {
    let mut test = TestRoom::with(&[]);
    test.connect(1, admitted_at(1, true, 400));
    test.loaded_nothing(400);
    test.resume(1, 99);
    assert_eq!(test.frames[0].1["reason"], "too_old");
    test.resume(1, 100);
    assert_eq!(test.loads, [100], "300 events are permitted");
}

#[test]
fn long_resume_is_sent_in_parts_as_the_client_takes_them() {
    let mut test = TestRoom::with(&[(1, true), (2, true)]);
    test.connect(3, admitted_at(3, true, 10));
    test.resume(3, 0);
    assert_eq!(test.loads, [0]);
    test.loaded_events((1..=10).map(long_event).collect());
    let part = |seqs: std::ops::RangeInclusive<i64>| {
        let seqs: Vec<(&str, i64)> = seqs.map(|seq| ("message", seq)).collect();
        frames(&seqs)
    };
    assert_eq!(test.received(3), part(1..=4), "64 KiB");
    assert_eq!((test.parts.as_slice(), test.loads.len()), (&[3][..], 0));
    // Until the part is taken nothing is read or queued, whatever happens in the Room.
    test.send(1, "a");
    test.stored(&[11]);
    assert_eq!(test.received(2), frames(&[("message", 11)]));
    test.resume(3, 2);
    test.input(Input::Tick);
    assert_eq!((test.received(3), test.loads.len()), (frames(&[]), 0));
    test.drained(3);
    assert_eq!(test.loads, [2]);
    test.loaded_events((3..=8).map(long_event).collect());
    assert_eq!(test.received(3), part(3..=6));
    test.drained(3);
    test.loaded_events((7..=10).map(long_event).collect());
    assert_eq!(test.received(3), part(7..=10));
    test.drained(3);
    assert_eq!(test.received(3), frames(&[("message", 11), ("sync", 0)]));
    assert!(test.parts.is_empty(), "a short end needs no report");
    let (_, sync) = test.frames.last().unwrap();
    assert_eq!((&sync["from"], &sync["count"]), (&json!(2), &json!(9)));
    test.drained(3);
    assert_eq!(test.received(3), frames(&[]));
}

#[test]
fn events_that_v1_does_not_have_do_not_stall_its_resume() {
    let mut test = TestRoom::with(&[(1, true)]);
    test.connect(2, admitted_at(2, false, 5));
    assert_eq!(test.loads, [5]);
    let joined = |seq| {
        Event::Member(MemberEvent {
            seq: Seq(seq),
            user_id: UserId(seq),
            username: "bob".into(),
            change: MemberChange::Added,
            by: UserId(1),
            timestamp: NOON,
        })
    };
    test.loaded_events((6..=8).map(joined).collect());
    assert_eq!(
        (test.received(2), test.loads.as_slice()),
        (frames(&[]), &[8][..])
    );
    test.loaded(9..=10);
    assert_eq!(test.received(2), frames(&[("message", 9), ("message", 10)]));
}

#[test]
fn load_reads_about_one_part() {
    let mut test = TestRoom::with(&[]);
    test.connect(1, admitted_at(1, true, 300));
    test.loaded_nothing(300);
    let limit = |test: &mut TestRoom, input: Input<'_>| {
        let mut effects = test.room.handle(input, test.now).into_iter();
        effects.find_map(|effect| match effect {
            Effect::Load { limit, .. } => Some(limit),
            _ => None,
        })
    };
    let frame = json!({"type": "resume", "since": 0}).to_string();
    let id = ConnectionId(1);
    let resume = Input::Frame { id, text: &frame };
    let first = limit(&mut test, resume);
    assert_eq!(first, Some(103));
    test.loaded_events((1..=103).map(long_event).collect());
    assert_eq!(limit(&mut test, Input::Drained { id }), Some(16));
    test.loaded_events((5..=20).map(event).collect());
    assert_eq!(
        limit(&mut test, Input::Drained { id }).map(|limit| limit > 200),
        Some(true)
    );
}

#[test]
fn resume_beyond_the_byte_budget_is_rejected_with_the_wait() {
    let mut test = TestRoom::with(&[]);
    test.connect(1, admitted_at(1, true, 300));
    test.loaded_nothing(300);
    let mut rounds = 0;
    while test.closed.is_empty() {
        // Below the rate of frames.
        test.advance(110);
        test.resume(1, 296);
        if test.error_code(1) == "throttled" {
            break;
        }
        assert_eq!(test.loads, [296], "not served from memory");
        test.loaded_events((297..=300).map(long_event).collect());
        assert!(test.received(1).contains(&("sync".to_owned(), 0)));
        test.drained(1);
        rounds += 1;
    }
    assert!((400..500).contains(&rounds), "{rounds} resumes of 64 kB");
    let wait = test.frames[0].1["retry_after_ms"].as_i64().unwrap();
    assert!((1..1_000).contains(&wait), "{wait}");
    // Another user has a budget of its own, also while this one waits.
    test.connect(2, admitted_at(2, true, 300));
    test.resume(2, 296);
    assert_eq!(test.loads, [296]);
    test.loaded_events((297..=300).map(long_event).collect());
    test.advance(wait);
    test.resume(1, 296);
    assert_eq!(test.loads, [296]);
}
