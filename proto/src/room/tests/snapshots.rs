//! A Room that lost its memory goes on like one that did not.

use super::*;

impl Stage {
    /// What a driver would have written so far: the newest snapshot of each connection that is
    /// still there.
    fn keep(&mut self, kept: &mut Vec<Snapshot>) {
        for snapshot in self.room.take_dirty_snapshots(self.now) {
            kept.retain(|old| old.connection_id() != snapshot.connection_id());
            kept.push(snapshot);
        }
        let room = &self.room;
        kept.retain(|old| room.connections.get(old.connection_id()).is_some());
    }

    /// The Room as it wakes from these, by way of their JSON.
    fn wake(&mut self, kept: &[Snapshot]) {
        let written: Vec<String> = kept
            .iter()
            .map(|snapshot| serde_json::to_string(snapshot).unwrap())
            .collect();
        for text in &written {
            assert!(text.len() <= 2_048, "{} bytes: {text}", text.len());
        }
        let read = written
            .iter()
            .map(|text| serde_json::from_str(text).unwrap());
        self.room = Room::restore(ConversationId(7), 1_000, read);
    }

    fn sleep(&mut self, kept: &mut Vec<Snapshot>) {
        self.keep(kept);
        self.wake(kept);
    }
}

#[test]
fn who_is_there_what_they_speak_and_where_it_stands_survive() {
    let mut stage = Stage::with(&[(1, true), (2, false), (3, true)]);
    let mut kept = Vec::new();
    stage.keep(&mut kept);
    stage.send(3, "a");
    stage.stored(&[11]);
    stage.keep(&mut kept);
    // Only the keeper and the sender know of 11.
    stage.sleep(&mut kept);
    assert_eq!(stage.room.connection_count(), 3);
    stage.later(1_000);
    stage.send(1, "b");
    stage.stored(&[12]);
    assert_eq!(stage.loads, [0_i64; 0]);
    for id in [1, 2, 3] {
        let seqs: Vec<i64> = stage.seen(id).iter().map(|(_, seq)| *seq).collect();
        assert_eq!(seqs.last(), Some(&12), "connection {id}");
    }
    assert_eq!(stage.seen(2), seen(&[("message", 12)]));
}

#[test]
fn the_throttle_and_repeats_are_still_known() {
    let mut stage = Stage::with(&[(1, true), (2, true), (1, true)]);
    let mut kept = Vec::new();
    stage.send(1, "a");
    stage.stored(&[11]);
    stage.later(300);
    stage.sleep(&mut kept);
    stage.send(3, "b");
    stage.input(Input::Committed(Ok(batch(vec![
        AppendOutcome::NotADuplicate,
    ]))));
    assert_eq!(stage.code(3), "throttled", "from the user's other socket");
    assert_eq!(stage.frames[0].1["retry_after_ms"], 700);
    stage.send(1, "a");
    assert_eq!(stage.seen(1), seen(&[("ack", 11)]));
    assert_eq!(stage.frames[0].1["duplicate"], true);
    assert!(stage.commits.is_empty());
}

#[test]
fn what_was_not_stored_costs_no_throttle_after_a_sleep_either() {
    let mut stage = Stage::with(&[(1, true), (1, true), (1, false)]);
    let mut kept = Vec::new();
    stage.send(1, "a");
    // Another socket of the user says something, and is kept with the throttle that runs now.
    stage.say(2, &json!({"type": "nothing"}));
    stage.keep(&mut kept);
    stage.input(Input::Committed(Err(StoreFailed)));
    stage.sleep(&mut kept);
    stage.say(3, &json!({"message": "b"}));
    assert!(stage.frames.is_empty());
    assert_eq!(stage.commits, [1]);
}

#[test]
fn where_it_stands_outlives_its_keeper() {
    let mut stage = Stage::with(&[(1, true), (2, true), (3, true)]);
    let mut kept = Vec::new();
    stage.send(1, "a");
    stage.stored(&[11]);
    stage.keep(&mut kept);
    stage.input(Input::Disconnect {
        id: ConnectionId(1),
    });
    stage.sleep(&mut kept);
    stage.send(3, "b");
    stage.stored(&[12]);
    assert_eq!(stage.seen(2), seen(&[("message", 12)]));
    assert!(stage.loads.is_empty(), "nothing was missed");
}

#[test]
fn what_another_room_wrote_meanwhile_is_still_missed() {
    let mut stage = Stage::with(&[(1, true), (2, false)]);
    let mut kept = Vec::new();
    stage.sleep(&mut kept);
    stage.send(1, "a");
    stage.stored(&[12]);
    assert_eq!(stage.loads, [10]);
    stage.loaded(11..=12);
    assert_eq!(stage.seen(2), seen(&[("message", 11), ("message", 12)]));
}

#[test]
fn an_unanswered_resume_is_taken_up_again() {
    let mut stage = Stage::with(&[(1, true), (2, true)]);
    let mut kept = Vec::new();
    stage.say(1, &json!({"type": "resume", "since": 8, "epoch": "e"}));
    assert_eq!(stage.loads, [8]);
    stage.sleep(&mut kept);
    assert_eq!(stage.room.next_wakeup(stage.now), Some(Timestamp(0)));
    stage.input(Input::Tick);
    assert_eq!(stage.loads, [8]);
    stage.loaded(9..=10);
    assert_eq!(
        stage.seen(1),
        seen(&[("message", 9), ("message", 10), ("sync", 0)])
    );
    assert!(stage.seen(2).is_empty());
}

#[test]
fn tokens_end_when_they_would_have() {
    let mut stage = Stage::with(&[(1, true), (2, false)]);
    let mut kept = Vec::new();
    stage.sleep(&mut kept);
    stage.later(HOUR - 60_000);
    stage.input(Input::Tick);
    assert_eq!(stage.seen(1), seen(&[("auth.expiring", 0)]));
    stage.sleep(&mut kept);
    stage.input(Input::Tick);
    assert!(stage.frames.is_empty(), "it was announced before");
    stage.later(60_000);
    stage.input(Input::Tick);
    assert_eq!(stage.closed, [(1, 4200), (2, 4200)]);
}

#[test]
fn what_it_was_going_to_look_for_survives() {
    let mut stage = Stage::with(&[(1, true), (2, true)]);
    let mut kept = Vec::new();
    stage.send(2, "a");
    stage.input(Input::Committed(Err(StoreFailed)));
    stage.sleep(&mut kept);
    stage.later(500);
    stage.input(Input::Tick);
    assert_eq!(stage.loads, [10]);
    // Nothing yet, but the database may still be at it.
    stage.nothing_new(10);
    stage.sleep(&mut kept);
    stage.later(1_500);
    stage.input(Input::Tick);
    assert_eq!(stage.loads, [10]);
    stage.loaded(11..=11);
    assert_eq!(stage.seen(1), seen(&[("message", 11)]));
}

#[test]
fn a_clock_that_is_set_back_in_its_sleep_stretches_no_pause() {
    let mut stage = Stage::with(&[(1, true)]);
    let mut kept = Vec::new();
    stage.send(1, "a");
    stage.input(Input::Committed(Err(StoreFailed)));
    stage.sleep(&mut kept);
    stage.later(-600_000);
    stage.input(Input::Tick);
    let next = stage.room.next_wakeup(stage.now).unwrap();
    assert!(next.millis_since(stage.now) <= 500, "{next}");
}

#[test]
fn what_it_knows_of_and_could_not_read_survives() {
    let mut stage = Stage::with(&[(1, true), (2, true)]);
    let mut kept = Vec::new();
    stage.send(2, "a");
    stage.stored(&[12]);
    assert_eq!(stage.loads, [10], "another Room wrote 11");
    stage.input(Input::Loaded(Err(StoreFailed)));
    stage.sleep(&mut kept);
    stage.input(Input::Tick);
    assert_eq!(stage.loads, [10]);
    stage.loaded(11..=12);
    assert_eq!(stage.seen(1), seen(&[("message", 11), ("message", 12)]));
}

#[test]
fn a_v1_socket_that_became_v2_stays_v2() {
    let mut stage = Stage::with(&[(1, false)]);
    let mut kept = Vec::new();
    stage.keep(&mut kept);
    stage.say(1, &json!({"type": "ping "}));
    stage.sleep(&mut kept);
    stage.say(1, &json!({"message": "hi"}));
    assert_eq!(stage.code(1), "malformed");
}

#[test]
fn a_snapshot_is_small_at_its_longest() {
    let mut stage = Stage::with(&[(i64::MAX, true)]);
    let mut kept = Vec::new();
    for round in 0..10 {
        stage.send(1, &format!("{round:064}"));
        let mut stored = stored(11 + round);
        stored.sender = "\u{10348}".repeat(150).into();
        stored.message_id = MessageId(i64::MAX - round);
        stage.input(Input::Committed(Ok(batch(vec![AppendOutcome::Stored(
            stored,
        )]))));
        stage.later(1_000);
    }
    stage.sleep(&mut kept);
    assert_eq!(kept.len(), 1);
}

#[test]
fn a_broadcast_renews_two_snapshots_and_not_one_a_receiver() {
    let members: Vec<(i64, bool)> = (1..=50).map(|user| (user, user % 2 == 0)).collect();
    let mut stage = Stage::with(&members);
    drop(stage.room.take_dirty_snapshots(stage.now));
    stage.send(20, "a");
    stage.stored(&[11]);
    let written = stage.room.take_dirty_snapshots(stage.now);
    let ids: Vec<u64> = written.iter().map(|one| one.connection_id().0).collect();
    assert_eq!(ids, [1, 20]);
}
