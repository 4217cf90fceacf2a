//! Removed and readmitted members: what they receive, and when their sockets close.

use super::changes::member;
use super::*;
use crate::protocol::{MemberChange, StoredEvent};

fn removed(seq: i64, user: i64) -> Event {
    member(seq, user, MemberChange::Removed)
}

fn added(seq: i64, user: i64) -> Event {
    member(seq, user, MemberChange::Added)
}

impl TestRoom {
    /// Connects a socket that was authorized at this position.
    fn connect_admitted(&mut self, id: u64, user: i64, admitted: i64, last_removal_seq: i64) {
        let mut connection = admitted_at(user, true, admitted);
        connection.admission.last_removal_seq = Seq(last_removal_seq);
        self.connect(id, connection);
    }
}

#[test]
fn removed_member_receives_the_events_before_the_removal_only() {
    let mut test = TestRoom::with(&[(1, true), (2, true), (2, false), (3, true)]);
    test.change_stored(event(13));
    test.loaded_events(vec![event(11), removed(12, 2), event(13)]);
    assert_eq!(test.closed, [(2, 4403), (3, 4403)]);
    assert_eq!(test.received(2), frames(&[("message", 11)]));
    assert_eq!(test.received(3), frames(&[("message", 11)]));
    let all = frames(&[("message", 11), ("member", 12), ("message", 13)]);
    assert_eq!(test.received(1), all);
    assert_eq!(test.received(4), all);
}

#[test]
fn socket_authorized_before_the_removal_is_refused_after_it() {
    let mut test = TestRoom::with(&[(1, true)]);
    test.change_stored(removed(11, 2));
    test.connect_admitted(2, 2, 10, 0);
    assert_eq!(test.closed, [(2, 4403)]);
    assert!(test.frames.is_empty());
    test.connect_admitted(3, 3, 10, 0);
    assert!(test.closed.is_empty(), "another member");
    test.change_stored(added(12, 2));
    test.connect_admitted(4, 2, 12, 11);
    assert!(test.closed.is_empty(), "a member again");
}

#[test]
fn socket_authorized_before_the_known_removals_must_reconnect() {
    let mut test = TestRoom::with(&[]);
    test.connect_admitted(1, 1, 10, 8);
    test.loaded_nothing(10);
    test.connect_admitted(2, 2, 8, 0);
    assert!(test.closed.is_empty(), "no removal since 8");
    test.connect_admitted(3, 3, 7, 0);
    assert_eq!(test.closed, [(3, 4000)]);
}

#[test]
fn readmitted_member_stays_connected_after_late_removal_event() {
    let mut test = TestRoom::with(&[(1, true)]);
    let mut snapshots = Vec::new();
    // Removed at 11 and added at 12; the Room has received neither event.
    test.connect_admitted(2, 2, 12, 11);
    assert_eq!(test.loads, [10]);
    snapshots.extend(test.room.take_dirty_snapshots(test.now));
    let saved = serde_json::to_string(&snapshots).unwrap();
    test.room = Room::restore(
        ConversationId(7),
        1_000,
        serde_json::from_str::<Vec<Snapshot>>(&saved).unwrap(),
    );
    test.input(Input::Tick);
    assert_eq!(test.loads, [10]);
    test.loaded_events(vec![removed(11, 2), added(12, 2)]);
    assert!(test.closed.is_empty());
    assert_eq!(test.received(1), frames(&[("member", 11), ("member", 12)]));
}

#[test]
fn readmitted_member_stays_connected_after_a_reset() {
    let mut test = TestRoom::with(&[]);
    test.connect_admitted(1, 1, 400, 0);
    test.loaded_nothing(400);
    // Removed at 401 and added at 402; the Room has received neither event.
    test.connect_admitted(2, 2, 402, 401);
    test.resume(2, 0);
    assert_eq!(test.frames[0].1["reason"], "too_old");
    test.loaded_events(vec![removed(401, 2), added(402, 2)]);
    assert!(test.closed.is_empty());
    assert_eq!(
        test.received(2),
        frames(&[("member", 401), ("member", 402)])
    );
}

#[test]
fn member_removed_in_a_restored_history_is_closed() {
    let mut test = TestRoom::with(&[(1, true), (2, true)]);
    test.send(1, "a");
    let (epoch, event) = (Epoch("f".into()), removed(5, 2));
    let mut restored = batch(vec![AppendOutcome::Stored(stored(4))]);
    restored.epoch = epoch.clone();
    test.input(Input::Committed(Ok(restored)));
    test.input(Input::ChangeStored(Some(StoredEvent { epoch, event })));
    assert_eq!(test.closed, [(2, 4403)]);
}
