//! One order for everybody: on every socket, over REST and after a resume the same messages stand
//! in the same places, whoever sent at the same time.

use std::collections::HashMap;

use colloquy_blackbox::{
    Group, Server, Socket, StoredMessage, random_below, report_skipped, unique,
};
use futures_util::future::join_all;
use serde_json::{Value, json};

/// How many each of two senders sends where no throttle stops them.
const MANY: usize = 1_000;

/// As many as one frame may carry.
const FRAME: usize = 20;

/// The newest that one resume delivers.
const RESUME: usize = 300;

fn sent(events: &[Value]) -> Vec<StoredMessage> {
    events.iter().map(StoredMessage::from_event).collect()
}

/// Sends `count` messages in full frames, each frame once the one before is acknowledged; what
/// was acknowledged and what was received meanwhile.
async fn pour(
    mut socket: Socket,
    count: usize,
    received: usize,
) -> (Vec<Value>, Vec<StoredMessage>) {
    let mut acks = Vec::new();
    for start in (0..count).step_by(FRAME) {
        let mut keys: Vec<String> = (start..count.min(start + FRAME))
            .map(|turn| unique(&format!("{turn}")))
            .collect();
        let commands: Vec<Value> = keys
            .iter()
            .map(|key| json!({"type": "send", "client_message_id": key, "message": key}))
            .collect();
        socket.send(&json!(commands)).await;
        // Acknowledged in the order sent.
        for key in keys.drain(..) {
            acks.push(socket.expect_ack(&key).await);
        }
    }
    let events = socket.expect_events(received).await;
    (acks, sent(&events))
}

#[tokio::test]
async fn two_senders_of_a_thousand_each_are_heard_in_one_order() {
    let Some(server) = Server::unthrottled().await else {
        report_skipped(
            "two senders of a thousand messages each",
            "the host offers no server without a throttle (many senders of a few run instead)",
        );
        return;
    };
    let group = Group::new(&server, 4).await;
    // All are there before the first of them speaks.
    let one = group.members[0].socket(group.id).v2().open().await;
    let two = group.members[1].socket(group.id).v2().open().await;
    let mut v2 = group.members[2].socket(group.id).v2().open().await;
    let mut v1 = group.members[3].socket(group.id).open().await;
    let (one, two, by_v2, by_v1) = tokio::join!(
        pour(one, MANY, 2 * MANY),
        pour(two, MANY, 2 * MANY),
        v2.expect_events(2 * MANY),
        v1.expect_events(2 * MANY),
    );
    let order = sent(&by_v2);
    check_dense(&order, 2 * MANY);
    assert_eq!(sent(&by_v1), order, "on a v1 socket");
    for (acks, received) in [one, two] {
        assert_eq!(received, order, "on a sender's socket");
        check_acks(&acks, &order);
    }
    check_rest_and_resume(&group, &order).await;
}

#[tokio::test]
async fn many_senders_at_once_are_heard_in_one_order() {
    const PEOPLE: usize = 20;
    const EACH: usize = 3;
    let group = Group::new(&Server::under_test(), PEOPLE).await;
    let mut sockets: Vec<Socket> = Vec::new();
    for (turn, member) in group.members.iter().enumerate() {
        let opening = member.socket(group.id);
        let opening = if turn % 4 == 0 { opening } else { opening.v2() };
        sockets.push(opening.open().await);
    }
    let listening = sockets
        .iter_mut()
        .map(|socket| socket.expect_events(PEOPLE * EACH));
    let (told, received) = tokio::join!(group.send_many(PEOPLE * EACH), join_all(listening));
    check_dense(&told, PEOPLE * EACH);
    for events in received {
        assert_eq!(sent(&events), told);
    }
    check_rest_and_resume(&group, &told).await;
}

/// `seq` and `number` are dense from 1 and each message is there once.
fn check_dense(order: &[StoredMessage], count: usize) {
    let expected: Vec<u64> = (1..).take(count).collect();
    let seqs: Vec<u64> = order.iter().map(|message| message.seq).collect();
    let numbers: Vec<u64> = order.iter().map(|message| message.number).collect();
    assert_eq!(seqs, expected);
    assert_eq!(numbers, expected);
    let texts: HashMap<(u64, &str), u64> = order
        .iter()
        .map(|message| ((message.sender_id, message.text.as_str()), message.seq))
        .collect();
    assert_eq!(texts.len(), count, "something was stored twice");
}

/// Every acknowledgement names the place where everybody saw the message, and one sender's
/// messages stand in the order in which they were sent.
fn check_acks(acks: &[Value], order: &[StoredMessage]) {
    let mut last = 0;
    for ack in acks {
        assert_eq!(ack["duplicate"], false);
        let seq = ack["seq"].as_u64().expect("a seq");
        assert!(seq > last, "seq {seq} after {last}");
        last = seq;
        let there = &order[usize::try_from(seq).unwrap() - 1];
        assert_eq!(ack["message_id"], there.message_id);
        assert_eq!(ack["client_message_id"], there.text);
    }
}

async fn check_rest_and_resume(group: &Group, order: &[StoredMessage]) {
    let reader = &group.members[random_below(group.members.len())];
    let history = reader.history(group.id).await;
    assert_eq!(StoredMessage::all_from_rest(&history), order, "over REST");
    let missed = order.len().min(RESUME);
    let since = order.len() - missed;
    let mut socket = reader.socket(group.id).v2().open().await;
    let epoch = socket.epoch();
    socket.resume(u64::try_from(since).unwrap(), &epoch).await;
    let resumed = socket.expect_events(missed).await;
    assert_eq!(sent(&resumed), order[since..], "after a resume");
    assert_eq!(socket.expect_resumed().await["count"], missed);
}

#[tokio::test]
async fn times_never_run_backwards() {
    let group = Group::new(&Server::under_test(), 12).await;
    group.send_many(24).await;
    let history = group.members[0].history(group.id).await;
    let times: Vec<_> = history
        .iter()
        .map(|message| colloquy_blackbox::timestamp(&message["timestamp"]))
        .collect();
    assert!(times.is_sorted(), "{times:?}");
}
