//! What is stored beside a Room: told in its order, to whom it concerns, and to nobody whose
//! membership has ended.

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

fn deleted(seq: i64, message: i64) -> Event {
    Event::Deleted(DeletedEvent {
        seq: Seq(seq),
        message_id: MessageId(message),
        version: 2,
        user_id: UserId(9),
        timestamp: NOON,
    })
}

fn member(seq: i64, user: i64, change: MemberChange) -> Event {
    Event::Member(MemberEvent {
        seq: Seq(seq),
        user_id: UserId(user),
        username: "ann".into(),
        change,
        by: UserId(9),
        timestamp: NOON,
    })
}

fn left(seq: i64, user: i64) -> Event {
    member(seq, user, MemberChange::Removed)
}

impl Stage {
    fn changed(&mut self, event: Event) {
        let epoch = Epoch("e".into());
        self.input(Input::ChangeStored(Some(StoredEvent { epoch, event })));
    }

    fn reads(&mut self, events: Vec<Event>) {
        let seq = events.last().map_or(0, |event| event.seq().0);
        let position = position(seq);
        self.input(Input::Loaded(Ok(Some(EventPage { events, position }))));
    }

    /// Somebody comes by an entry that was granted at `granted`.
    fn comes(&mut self, id: u64, user: i64, granted: i64, last_removal_seq: i64) {
        let mut connection = joined_at(user, true, granted);
        connection.admission.last_removal_seq = Seq(last_removal_seq);
        let id = ConnectionId(id);
        self.input(Input::Connect { id, connection });
    }
}

#[test]
fn a_change_that_is_next_in_line_is_told_at_once_to_those_who_know_such_frames() {
    let mut stage = Stage::with(&[(1, true), (2, false)]);
    stage.changed(edited(11));
    assert_eq!(stage.seen(1), seen(&[("message.edited", 11)]));
    assert_eq!(stage.frames.len(), 1, "a v1 socket gets messages alone");
    assert_eq!(stage.recorded, [11]);
    assert!(stage.loads.is_empty());
    // It counts all the same.
    stage.send(1, "a");
    stage.stored(&[12]);
    assert_eq!(stage.seen(2), seen(&[("message", 12)]));
    assert!(stage.loads.is_empty());
    // Told twice, it is told once.
    stage.changed(edited(11));
    assert!(stage.frames.is_empty() && stage.loads.is_empty());
}

#[test]
fn a_change_beyond_what_the_room_knows_makes_it_read_what_is_between() {
    let mut stage = Stage::with(&[(1, true), (2, false)]);
    stage.changed(edited(12));
    assert!(stage.frames.is_empty());
    assert_eq!(stage.loads, [10]);
    stage.reads(vec![event(11), edited(12)]);
    assert_eq!(stage.frames[0].1["seq"], 11, "v1: {:?}", stage.frames);
    assert_eq!(stage.frames.len(), 2, "one frame each");
    assert_eq!(stage.recorded, [11, 12]);
}

#[test]
fn a_change_nobody_tells_of_is_looked_for() {
    let mut stage = Stage::with(&[(1, true)]);
    stage.input(Input::ChangeStored(None));
    assert_eq!(stage.loads, [10]);
    stage.nothing_new(10);
    // The database may still be at it.
    stage.later(500);
    stage.input(Input::Tick);
    assert_eq!(stage.loads, [10]);
    stage.reads(vec![edited(11)]);
    assert_eq!(stage.seen(1), seen(&[("message.edited", 11)]));
}

#[test]
fn who_resumes_later_is_not_told_what_a_deleted_message_said() {
    let mut stage = Stage::with(&[(1, true)]);
    stage.changed(event(11));
    stage.changed(event(12));
    stage.changed(deleted(13, 111));
    stage.say(1, &json!({"type": "resume", "since": 10}));
    assert_eq!(stage.loads, [10], "the database knows it without its text");
    stage.reads(vec![event(11), event(12), deleted(13, 111)]);
    stage.say(1, &json!({"type": "resume", "since": 11}));
    let all = seen(&[("message", 12), ("message.deleted", 13), ("sync", 0)]);
    assert_eq!(stage.seen(1), all);
    assert!(stage.loads.is_empty(), "the rest is known here");
}

#[test]
fn whose_membership_ends_hears_what_was_before_and_nothing_from_there_on() {
    let mut stage = Stage::with(&[(1, true), (2, true), (2, false), (3, true)]);
    stage.changed(event(13));
    stage.reads(vec![event(11), left(12, 2), event(13)]);
    assert_eq!(stage.closed, [(2, 4403), (3, 4403)]);
    assert_eq!(stage.seen(2), seen(&[("message", 11)]));
    assert_eq!(stage.seen(3), seen(&[("message", 11)]));
    let all = seen(&[("message", 11), ("member", 12), ("message", 13)]);
    assert_eq!(stage.seen(1), all);
    assert_eq!(stage.seen(4), all);
}

#[test]
fn an_entry_granted_before_a_departure_lets_nobody_in_after_it() {
    let mut stage = Stage::with(&[(1, true)]);
    stage.changed(left(11, 2));
    stage.comes(2, 2, 10, 0);
    assert_eq!(stage.closed, [(2, 4403)]);
    assert!(stage.frames.is_empty());
    stage.comes(3, 3, 10, 0);
    assert!(stage.closed.is_empty(), "another member");
    stage.changed(member(12, 2, MemberChange::Added));
    stage.comes(4, 2, 12, 11);
    assert!(stage.closed.is_empty(), "a member again");
}

#[test]
fn an_entry_older_than_what_the_room_can_tell_is_granted_anew() {
    let mut stage = Stage::with(&[]);
    stage.comes(1, 1, 10, 8);
    stage.nothing_new(10);
    stage.comes(2, 2, 8, 0);
    assert!(stage.closed.is_empty(), "nobody has left since");
    stage.comes(3, 3, 7, 0);
    assert_eq!(stage.closed, [(3, 4000)]);
}

#[test]
fn who_came_back_stays_when_the_room_hears_late_of_the_departure() {
    let mut stage = Stage::with(&[(1, true)]);
    let mut kept = Vec::new();
    // Left at 11 and back at 12, of which this Room has heard nothing.
    stage.comes(2, 2, 12, 11);
    assert_eq!(stage.loads, [10]);
    kept.extend(stage.room.take_dirty_snapshots(stage.now));
    let text = serde_json::to_string(&kept).unwrap();
    stage.room = Room::restore(
        ConversationId(7),
        1_000,
        serde_json::from_str::<Vec<Snapshot>>(&text).unwrap(),
    );
    stage.input(Input::Tick);
    assert_eq!(stage.loads, [10]);
    stage.reads(vec![left(11, 2), member(12, 2, MemberChange::Added)]);
    assert!(stage.closed.is_empty());
    assert_eq!(stage.seen(1), seen(&[("member", 11), ("member", 12)]));
}

#[test]
fn who_came_back_and_was_too_far_behind_stays_too() {
    let mut stage = Stage::with(&[]);
    stage.comes(1, 1, 400, 0);
    stage.nothing_new(400);
    // Left at 401 and back at 402, of which this Room has heard nothing.
    stage.comes(2, 2, 402, 401);
    stage.say(2, &json!({"type": "resume", "since": 0}));
    assert_eq!(stage.frames[0].1["reason"], "too_old");
    stage.reads(vec![left(401, 2), member(402, 2, MemberChange::Added)]);
    assert!(stage.closed.is_empty());
    assert_eq!(stage.seen(2), seen(&[("member", 401), ("member", 402)]));
}

#[test]
fn who_leaves_a_restored_history_is_closed_wherever_it_stood_before() {
    let mut stage = Stage::with(&[(1, true), (2, true)]);
    stage.send(1, "a");
    let (epoch, event) = (Epoch("f".into()), left(5, 2));
    let mut restored = batch(vec![AppendOutcome::Stored(stored(4))]);
    restored.epoch = epoch.clone();
    stage.input(Input::Committed(Ok(restored)));
    stage.input(Input::ChangeStored(Some(StoredEvent { epoch, event })));
    assert_eq!(stage.closed, [(2, 4403)]);
}
