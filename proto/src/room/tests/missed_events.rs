//! Events the Room has missed: the gap check, rechecks, retries, a restored database.

use super::*;

#[test]
fn events_of_another_room_are_loaded_before_the_own_ones_are_delivered() {
    let mut test = TestRoom::with(&[(1, true), (2, false)]);
    test.send(1, "a");
    test.stored(&[13]);
    assert_eq!(test.received(1), frames(&[("ack", 13)]));
    assert_eq!(test.loads, [10]);
    test.loaded(11..=13);
    let all = frames(&[("message", 11), ("message", 12), ("message", 13)]);
    assert_eq!((test.received(1), test.received(2)), (all.clone(), all));
}

#[test]
fn events_between_the_authorization_and_the_connection_are_delivered() {
    let mut test = TestRoom::with(&[]);
    test.connect(1, admitted_at(1, true, 10));
    assert_eq!(test.loads, [10], "another Room may have written");
    test.loaded(11..=12);
    assert_eq!(
        test.received(1),
        frames(&[("message", 11), ("message", 12)])
    );
    test.connect(2, admitted_at(1, false, 11));
    assert_eq!(
        test.received(2),
        frames(&[("message", 12)]),
        "v1 cannot resume"
    );
}

#[test]
fn commit_without_a_result_is_rechecked() {
    let mut test = TestRoom::with(&[(1, true)]);
    test.send(1, "a");
    test.input(Input::Committed(Err(StoreFailed)));
    assert_eq!(test.error_code(1), "unavailable");
    test.tick_at_next_wakeup();
    assert_eq!(test.loads, [10]);
    test.loaded(11..=11);
    assert_eq!(test.received(1), frames(&[("message", 11)]));
}

#[test]
fn failed_recheck_is_repeated_until_it_succeeds() {
    let mut test = TestRoom::with(&[(1, true)]);
    test.send(1, "a");
    test.input(Input::Committed(Err(StoreFailed)));
    // The database is unavailable for longer than the last planned recheck.
    for _ in 0..40 {
        test.tick_at_next_wakeup();
        assert_eq!(test.loads, [10]);
        test.input(Input::Loaded(Err(StoreFailed)));
    }
    assert!(test.now > Timestamp(NOON.0 + 15_000));
    test.tick_at_next_wakeup();
    test.loaded(11..=11);
    assert_eq!(test.received(1), frames(&[("message", 11)]));
}

#[test]
fn clock_set_back_extends_no_pause() {
    let mut test = TestRoom::with(&[(1, true)]);
    test.send(1, "a");
    test.input(Input::Committed(Err(StoreFailed)));
    test.advance(500);
    test.input(Input::Tick);
    test.input(Input::Loaded(Err(StoreFailed)));
    test.advance(-600_000);
    test.input(Input::Tick);
    let next = test.room.next_wakeup(test.now).unwrap();
    assert_eq!(
        next.millis_since(test.now),
        500,
        "the pause after a failed load"
    );
    test.advance(500);
    test.input(Input::Tick);
    assert_eq!(test.loads, [10]);
    test.loaded_nothing(10);
    let next = test.room.next_wakeup(test.now).unwrap();
    assert!(next.millis_since(test.now) <= 2_000, "the second recheck");
}

#[test]
fn restored_database_is_detected_by_the_next_commit() {
    let mut test = TestRoom::with(&[(1, true), (2, false)]);
    test.send(1, "a");
    let mut restored = batch(vec![AppendOutcome::Stored(stored(4))]);
    restored.epoch = Epoch("f".into());
    test.input(Input::Committed(Ok(restored)));
    assert_eq!(
        test.received(1),
        frames(&[("reset", 3), ("ack", 4), ("message", 4)])
    );
    assert_eq!(test.closed, [(2, 4000)]);
}
