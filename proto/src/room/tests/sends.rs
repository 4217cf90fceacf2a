//! Sends: commit before delivery, group commit, throttle, duplicates, REST.

use super::*;
use crate::domain::{ClientMessageId, MessageText};
use crate::protocol::SendCommand;

#[test]
fn message_is_delivered_to_all_connections_after_the_commit() {
    let mut test = TestRoom::with(&[(1, true), (2, false)]);
    test.send(1, "a");
    assert_eq!((test.commits.as_slice(), test.frames.len()), (&[1][..], 0));
    test.stored(&[11]);
    assert_eq!(test.received(1), frames(&[("ack", 11), ("message", 11)]));
    assert_eq!(test.received(2), frames(&[("message", 11)]));
    assert_eq!(test.cached, [11]);
}

#[test]
fn sends_during_a_commit_form_the_next_batch() {
    let mut test = TestRoom::with(&[(1, true), (2, true), (3, true), (4, false)]);
    test.send(1, "a");
    for id in [2, 3] {
        test.send(id, "b");
        assert!(test.commits.is_empty());
    }
    test.stored(&[11]);
    assert_eq!(test.commits, [2]);
    test.stored(&[12, 13]);
    let batch = test.frames.iter().find(|(to, _)| *to == 1).unwrap();
    assert_eq!(batch.1["type"], "batch");
    assert_eq!(
        test.received(4),
        frames(&[("message", 12), ("message", 13)]),
        "v1 receives single events"
    );
}

#[test]
fn with_batching_sends_are_committed_by_flush_only() {
    let mut test = TestRoom::with(&[(1, true), (2, true), (3, true)]);
    test.room.enable_batching(BatchPolicy {
        commit_multiple: 1,
        max_linger_ms: 10,
    });
    for id in [1, 2] {
        test.send(id, "a");
        assert!(test.commits.is_empty());
    }
    assert_eq!(test.room.flush_deadline(test.now), Some(test.now));
    test.flush();
    assert_eq!(test.commits, [2]);
    test.send(3, "a");
    let deadline = test.room.flush_deadline(test.now);
    assert_eq!(deadline, None, "a commit is in flight");
    test.flush();
    assert!(test.commits.is_empty());
    test.stored(&[11, 12]);
    assert!(test.commits.is_empty());
    let deadline = test.room.flush_deadline(test.now);
    assert!(
        deadline > Some(test.now),
        "the senders of the last batch may reply"
    );
    test.input(Input::Shutdown);
    assert!(test.closed.is_empty(), "an accepted send is waiting");
    test.flush();
    assert_eq!(test.commits, [1]);
    test.stored(&[13]);
    assert_eq!(test.closed.len(), 3);
}

#[test]
fn throttle_error_has_the_original_text_and_a_failed_send_is_refunded() {
    let mut test = TestRoom::with(&[(1, false)]);
    test.frame(1, &json!({"message": "one"}));
    test.advance(360);
    test.frame(1, &json!({"message": "two"}));
    let error = &test.frames[0].1;
    assert_eq!(
        error["error"],
        "You are sending messages too fast. Please wait a moment."
    );
    assert_eq!(
        (&error["retry_after_ms"], error.get("type")),
        (&json!(640), None)
    );
    test.input(Input::Committed(Err(StoreFailed)));
    assert_eq!(test.error_code(1), "unavailable");
    test.frame(1, &json!({"message": "one"}));
    assert_eq!(test.commits, [1], "the failed send is refunded");
}

#[test]
fn duplicate_gets_the_outcome_of_the_original_despite_the_throttle() {
    let mut test = TestRoom::with(&[(1, true), (1, true)]);
    test.send(1, "a");
    test.send(2, "a");
    assert!(test.frames.is_empty() && test.commits.is_empty());
    test.stored(&[11]);
    let acks: Vec<(u64, bool)> = test
        .frames
        .iter()
        .filter(|(_, frame)| frame["type"] == "ack")
        .map(|(to, frame)| (*to, frame["duplicate"].as_bool().unwrap()))
        .collect();
    assert_eq!(acks, [(1, false), (2, true)]);
    test.send(2, "a");
    assert_eq!(test.received(2), frames(&[("ack", 11)]));
    assert!(test.commits.is_empty(), "answered by the dedup window");
}

#[test]
fn throttled_send_is_checked_for_a_duplicate_once_per_period() {
    let mut test = TestRoom::with(&[(1, true)]);
    test.send(1, "new");
    test.stored(&[11]);
    test.send(1, "old");
    assert_eq!((test.commits.as_slice(), test.frames.len()), (&[1][..], 0));
    test.committed(vec![AppendOutcome::Duplicate(stored(3))]);
    assert_eq!(test.received(1), frames(&[("ack", 3)]));
    test.send(1, "newer");
    assert_eq!(test.error_code(1), "throttled", "no second check");
    test.advance(1_000);
    test.send(1, "newest");
    test.stored(&[12]);
    test.advance(400);
    test.send(1, "other");
    assert_eq!(test.commits, [1]);
    test.committed(vec![AppendOutcome::NotADuplicate]);
    assert_eq!(test.frames[0].1["retry_after_ms"], 600);
}

#[test]
fn duplicates_of_one_send_are_bounded() {
    let mut test = TestRoom::with(&[(1, true)]);
    test.send(1, "a");
    let mut rejected = 0;
    for _ in 0..40 {
        test.send(1, "a");
        rejected += test.frames.len();
    }
    assert_eq!((rejected, test.error_code(1)), (8, "overloaded".into()));
    test.stored(&[11]);
    let acks = test
        .received(1)
        .into_iter()
        .filter(|(kind, _)| kind == "ack");
    assert_eq!(acks.count(), 33, "the original and 32 duplicates");
}

#[test]
fn duplicate_of_another_session_is_not_denied_with_the_original() {
    let mut test = TestRoom::with(&[(1, true)]);
    test.send(1, "a");
    test.input(Input::Revoke {
        session_id: &SessionId("s1".into()),
    });
    let mut connection = new_connection(1, true);
    connection.caller.session_id = SessionId("s2".into());
    test.connect(2, connection);
    test.send(2, "a");
    test.committed(vec![AppendOutcome::Denied(Denied::Session)]);
    assert_eq!(test.closed, []);
    assert_eq!(test.error_code(2), "unavailable");
    // The denied send does not count against the throttle.
    test.send(2, "a");
    assert_eq!(test.commits, [1]);
}

#[test]
fn duplicate_of_a_readmitted_member_is_not_denied_with_the_original() {
    let mut test = TestRoom::with(&[(1, true)]);
    test.send(1, "a");
    test.connect(2, new_connection(1, true));
    test.send(2, "a");
    test.committed(vec![AppendOutcome::Denied(Denied::NotMember)]);
    assert_eq!(test.closed, [(1, 4403)]);
    assert_eq!(test.error_code(2), "unavailable");
}

#[test]
fn rest_send_needs_no_connection() {
    let mut test = TestRoom::with(&[]);
    let send = SendCommand {
        client_message_id: Some(ClientMessageId::new("r").unwrap()),
        message: MessageText::new("hi").unwrap(),
        reply_to: None,
        mentions: Vec::new(),
    };
    test.input(Input::Send {
        request_id: RequestId(1),
        user_id: UserId(1),
        session_id: SessionId("s1".into()),
        send,
    });
    assert_eq!(test.commits, [1]);
    test.stored(&[41]);
    assert_eq!(
        test.completed,
        [SendOutcome::Appended(AppendOutcome::Stored(stored(41)))]
    );
    // No connection needs the earlier events; the cache gets the new one.
    assert_eq!((test.cached, test.loads), (vec![41], vec![]));
}
