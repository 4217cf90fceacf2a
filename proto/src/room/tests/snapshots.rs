//! Hibernation: a restored Room behaves like one that was never evicted.

use super::*;

impl TestRoom {
    /// Writes the dirty snapshots as a host does: the newest of each open connection.
    fn save(&mut self, saved: &mut Vec<Snapshot>) {
        for snapshot in self.room.take_dirty_snapshots(self.now) {
            saved.retain(|old| old.connection_id() != snapshot.connection_id());
            saved.push(snapshot);
        }
        let room = &self.room;
        saved.retain(|old| room.connections.get(old.connection_id()).is_some());
    }

    /// Replaces the Room by the one restored from these snapshots, by way of their JSON.
    fn restore(&mut self, saved: &[Snapshot]) {
        let written: Vec<String> = saved
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

    fn hibernate(&mut self, saved: &mut Vec<Snapshot>) {
        self.save(saved);
        self.restore(saved);
    }
}

#[test]
fn connections_versions_and_head_survive() {
    let mut test = TestRoom::with(&[(1, true), (2, false), (3, true)]);
    let mut saved = Vec::new();
    test.save(&mut saved);
    test.send(3, "a");
    test.stored(&[11]);
    test.save(&mut saved);
    // Only the snapshots of the checkpoint connection and of the sender contain 11.
    test.hibernate(&mut saved);
    assert_eq!(test.room.connection_count(), 3);
    test.advance(1_000);
    test.send(1, "b");
    test.stored(&[12]);
    assert_eq!(test.loads, [0_i64; 0]);
    for id in [1, 2, 3] {
        let seqs: Vec<i64> = test.received(id).iter().map(|(_, seq)| *seq).collect();
        assert_eq!(seqs.last(), Some(&12), "connection {id}");
    }
    assert_eq!(test.received(2), frames(&[("message", 12)]));
}

#[test]
fn throttle_and_dedup_window_survive() {
    let mut test = TestRoom::with(&[(1, true), (2, true), (1, true)]);
    let mut saved = Vec::new();
    test.send(1, "a");
    test.stored(&[11]);
    test.advance(300);
    test.hibernate(&mut saved);
    test.send(3, "b");
    test.committed(vec![AppendOutcome::NotADuplicate]);
    assert_eq!(
        test.error_code(3),
        "throttled",
        "by the other socket's send"
    );
    assert_eq!(test.frames[0].1["retry_after_ms"], 700);
    test.send(1, "a");
    assert_eq!(test.received(1), frames(&[("ack", 11)]));
    assert_eq!(test.frames[0].1["duplicate"], true);
    assert!(test.commits.is_empty());
}

#[test]
fn refund_of_a_failed_send_survives() {
    let mut test = TestRoom::with(&[(1, true), (1, true), (1, false)]);
    let mut saved = Vec::new();
    test.send(1, "a");
    // Another socket of the user is saved with the running throttle period.
    test.frame(2, &json!({"type": "nothing"}));
    test.save(&mut saved);
    test.input(Input::Committed(Err(StoreFailed)));
    test.hibernate(&mut saved);
    test.frame(3, &json!({"message": "b"}));
    assert!(test.frames.is_empty());
    assert_eq!(test.commits, [1]);
}

#[test]
fn head_survives_the_close_of_the_checkpoint_connection() {
    let mut test = TestRoom::with(&[(1, true), (2, true), (3, true)]);
    let mut saved = Vec::new();
    test.send(1, "a");
    test.stored(&[11]);
    test.save(&mut saved);
    test.input(Input::Disconnect {
        id: ConnectionId(1),
    });
    test.hibernate(&mut saved);
    test.send(3, "b");
    test.stored(&[12]);
    assert_eq!(test.received(2), frames(&[("message", 12)]));
    assert!(test.loads.is_empty(), "nothing is missing");
}

#[test]
fn gap_is_detected_after_the_restore() {
    let mut test = TestRoom::with(&[(1, true), (2, false)]);
    let mut saved = Vec::new();
    test.hibernate(&mut saved);
    test.send(1, "a");
    test.stored(&[12]);
    assert_eq!(test.loads, [10]);
    test.loaded(11..=12);
    assert_eq!(
        test.received(2),
        frames(&[("message", 11), ("message", 12)])
    );
}

#[test]
fn pending_resume_continues_after_the_restore() {
    let mut test = TestRoom::with(&[(1, true), (2, true)]);
    let mut saved = Vec::new();
    test.frame(1, &json!({"type": "resume", "since": 8, "epoch": "e"}));
    assert_eq!(test.loads, [8]);
    test.hibernate(&mut saved);
    assert_eq!(test.room.next_wakeup(test.now), Some(Timestamp(0)));
    test.input(Input::Tick);
    assert_eq!(test.loads, [8]);
    test.loaded(9..=10);
    assert_eq!(
        test.received(1),
        frames(&[("message", 9), ("message", 10), ("sync", 0)])
    );
    assert!(test.received(2).is_empty());
}

#[test]
fn token_deadlines_survive() {
    let mut test = TestRoom::with(&[(1, true), (2, false)]);
    let mut saved = Vec::new();
    test.hibernate(&mut saved);
    test.advance(HOUR - 60_000);
    test.input(Input::Tick);
    assert_eq!(test.received(1), frames(&[("auth.expiring", 0)]));
    test.hibernate(&mut saved);
    test.input(Input::Tick);
    assert!(test.frames.is_empty(), "already announced");
    test.advance(60_000);
    test.input(Input::Tick);
    assert_eq!(test.closed, [(1, 4200), (2, 4200)]);
}

#[test]
fn planned_rechecks_survive() {
    let mut test = TestRoom::with(&[(1, true), (2, true)]);
    let mut saved = Vec::new();
    test.send(2, "a");
    test.input(Input::Committed(Err(StoreFailed)));
    test.hibernate(&mut saved);
    test.advance(500);
    test.input(Input::Tick);
    assert_eq!(test.loads, [10]);
    // Nothing yet, but the database may still execute the commit.
    test.loaded_nothing(10);
    test.hibernate(&mut saved);
    test.advance(1_500);
    test.input(Input::Tick);
    assert_eq!(test.loads, [10]);
    test.loaded(11..=11);
    assert_eq!(test.received(1), frames(&[("message", 11)]));
}

#[test]
fn clock_set_back_during_hibernation_extends_no_pause() {
    let mut test = TestRoom::with(&[(1, true)]);
    let mut saved = Vec::new();
    test.send(1, "a");
    test.input(Input::Committed(Err(StoreFailed)));
    test.hibernate(&mut saved);
    test.advance(-600_000);
    test.input(Input::Tick);
    let next = test.room.next_wakeup(test.now).unwrap();
    assert!(next.millis_since(test.now) <= 500, "{next}");
}

#[test]
fn missing_events_are_loaded_after_the_restore() {
    let mut test = TestRoom::with(&[(1, true), (2, true)]);
    let mut saved = Vec::new();
    test.send(2, "a");
    test.stored(&[12]);
    assert_eq!(test.loads, [10], "another Room wrote 11");
    test.input(Input::Loaded(Err(StoreFailed)));
    test.hibernate(&mut saved);
    test.input(Input::Tick);
    assert_eq!(test.loads, [10]);
    test.loaded(11..=12);
    assert_eq!(
        test.received(1),
        frames(&[("message", 11), ("message", 12)])
    );
}

#[test]
fn upgrade_to_v2_survives() {
    let mut test = TestRoom::with(&[(1, false)]);
    let mut saved = Vec::new();
    test.save(&mut saved);
    test.frame(1, &json!({"type": "ping "}));
    test.hibernate(&mut saved);
    test.frame(1, &json!({"message": "hi"}));
    assert_eq!(test.error_code(1), "malformed");
}

#[test]
fn snapshot_of_maximum_length_fits_into_2_kb() {
    let mut test = TestRoom::with(&[(i64::MAX, true)]);
    let mut saved = Vec::new();
    for round in 0..10 {
        test.send(1, &format!("{round:064}"));
        let mut stored = stored(11 + round);
        stored.sender = "\u{10348}".repeat(150).into();
        stored.message_id = MessageId(i64::MAX - round);
        test.committed(vec![AppendOutcome::Stored(stored)]);
        test.advance(1_000);
    }
    test.hibernate(&mut saved);
    assert_eq!(saved.len(), 1);
}

#[test]
fn broadcast_changes_the_snapshots_of_checkpoint_and_sender_only() {
    let members: Vec<(i64, bool)> = (1..=50).map(|user| (user, user % 2 == 0)).collect();
    let mut test = TestRoom::with(&members);
    drop(test.room.take_dirty_snapshots(test.now));
    test.send(20, "a");
    test.stored(&[11]);
    let dirty = test.room.take_dirty_snapshots(test.now);
    let ids: Vec<u64> = dirty.iter().map(|one| one.connection_id().0).collect();
    assert_eq!(ids, [1, 20]);
}

#[test]
fn persisted_json_is_stable() {
    let full = r#"{"c":1,"u":2,"s":"s2","x":4600000,"v2":true,"n":true,"l":1000000,"r":[8,false,3,11],"m":12,"h":["e",11,9],"o":[1000500],"t":1000000,"w":"ann","k":[["a",111,11,9,1000000]]}"#;
    let minimal = r#"{"c":1,"u":2,"s":"s2","x":4600000}"#;
    for text in [full, minimal] {
        let snapshot: Snapshot = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&snapshot).unwrap(), text);
    }
}
