//! Resumes of clients, and resets.

use super::*;

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
