//! Events stored outside the Room: edits, deletions, member changes.

use super::*;
use crate::protocol::{DeletedEvent, EditedEvent, MemberChange, MemberEvent, StoredEvent};

fn edited(seq: i64) -> Event {
    Event::Edited(EditedEvent {
        seq: Seq(seq),
        message_id: MessageId(105),
        message: "another".into(),
        version: 2,
        user_id: UserId(9),
        timestamp: NOON,
    })
}

fn deleted(seq: i64, message_id: i64) -> Event {
    Event::Deleted(DeletedEvent {
        seq: Seq(seq),
        message_id: MessageId(message_id),
        version: 2,
        user_id: UserId(9),
        timestamp: NOON,
    })
}

pub(super) fn member(seq: i64, user: i64, change: MemberChange) -> Event {
    Event::Member(MemberEvent {
        seq: Seq(seq),
        user_id: UserId(user),
        username: "ann".into(),
        change,
        by: UserId(9),
        timestamp: NOON,
    })
}

impl TestRoom {
    pub(super) fn change_stored(&mut self, event: Event) {
        let epoch = Epoch("e".into());
        self.input(Input::ChangeStored(Some(StoredEvent { epoch, event })));
    }
}

#[test]
fn next_event_is_delivered_at_once_to_v2_only() {
    let mut test = TestRoom::with(&[(1, true), (2, false)]);
    test.change_stored(edited(11));
    assert_eq!(test.received(1), frames(&[("message.edited", 11)]));
    assert_eq!(test.frames.len(), 1, "v1 receives messages only");
    assert_eq!(test.cached, [11]);
    assert!(test.loads.is_empty());
    // The position of the v1 connection advances, too.
    test.send(1, "a");
    test.stored(&[12]);
    assert_eq!(test.received(2), frames(&[("message", 12)]));
    assert!(test.loads.is_empty());
    // A repeated notification is ignored.
    test.change_stored(edited(11));
    assert!(test.frames.is_empty() && test.loads.is_empty());
}

#[test]
fn event_beyond_the_next_position_causes_a_load() {
    let mut test = TestRoom::with(&[(1, true), (2, false)]);
    test.change_stored(edited(12));
    assert!(test.frames.is_empty());
    assert_eq!(test.loads, [10]);
    test.loaded_events(vec![event(11), edited(12)]);
    assert_eq!(test.frames[0].1["seq"], 11, "v1: {:?}", test.frames);
    assert_eq!(test.frames.len(), 2, "one frame each");
    assert_eq!(test.cached, [11, 12]);
}

#[test]
fn change_without_its_event_is_rechecked() {
    let mut test = TestRoom::with(&[(1, true)]);
    test.input(Input::ChangeStored(None));
    assert_eq!(test.loads, [10]);
    test.loaded_nothing(10);
    // The database may still execute the statement.
    test.advance(500);
    test.input(Input::Tick);
    assert_eq!(test.loads, [10]);
    test.loaded_events(vec![edited(11)]);
    assert_eq!(test.received(1), frames(&[("message.edited", 11)]));
}

#[test]
fn replay_buffer_forgets_the_text_of_a_deleted_message() {
    let mut test = TestRoom::with(&[(1, true)]);
    test.change_stored(event(11));
    test.change_stored(event(12));
    test.change_stored(deleted(13, 111));
    test.resume(1, 10);
    assert_eq!(test.loads, [10], "the database has it without its text");
    test.loaded_events(vec![event(11), event(12), deleted(13, 111)]);
    test.resume(1, 11);
    let all = frames(&[("message", 12), ("message.deleted", 13), ("sync", 0)]);
    assert_eq!(test.received(1), all);
    assert!(test.loads.is_empty(), "the rest is buffered");
}
