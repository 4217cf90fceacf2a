//! One order: every socket, REST and a resume return the same messages in the same order, however
//! many clients send concurrently.

use std::collections::HashMap;

use colloquy_blackbox::{
    Group, Server, Socket, StoredMessage, random_below, report_skipped, unique,
};
use futures_util::future::join_all;
use serde_json::{Value, json};

/// How many messages each of two unthrottled senders sends.
const MESSAGES_EACH: usize = 1_000;

/// The most commands in one frame.
const COMMANDS_PER_FRAME: usize = 20;

/// The most events that one resume delivers.
const MAX_RESUMED: usize = 300;

fn sent(events: &[Value]) -> Vec<StoredMessage> {
    events.iter().map(StoredMessage::from_event).collect()
}

/// Sends `count` messages in full frames, each frame after the acknowledgements of the one before.
/// Returns the acknowledgements and the events received.
async fn send_all(
    mut socket: Socket,
    count: usize,
    received: usize,
) -> (Vec<Value>, Vec<StoredMessage>) {
    let mut acks = Vec::new();
    for start in (0..count).step_by(COMMANDS_PER_FRAME) {
        let mut keys: Vec<String> = (start..count.min(start + COMMANDS_PER_FRAME))
            .map(|turn| unique(&format!("{turn}")))
            .collect();
        let commands: Vec<Value> = keys
            .iter()
            .map(|key| json!({"type": "send", "client_message_id": key, "message": key}))
            .collect();
        socket.send(&json!(commands)).await;
        // Acknowledgements arrive in the order of sending.
        for key in keys.drain(..) {
            acks.push(socket.expect_ack(&key).await);
        }
    }
    let events = socket.expect_events(received).await;
    (acks, sent(&events))
}

#[tokio::test]
async fn all_sockets_receive_two_thousand_messages_in_one_order() {
    let Some(server) = Server::unthrottled().await else {
        report_skipped(
            "two thousand messages of two senders",
            "the host offers no unthrottled server (many senders of few messages run instead)",
        );
        return;
    };
    let group = Group::new(&server, 4).await;
    // All sockets are open before the first message.
    let one = group.members[0].socket(group.id).v2().open().await;
    let two = group.members[1].socket(group.id).v2().open().await;
    let mut v2 = group.members[2].socket(group.id).v2().open().await;
    let mut v1 = group.members[3].socket(group.id).open().await;
    let (one, two, by_v2, by_v1) = tokio::join!(
        send_all(one, MESSAGES_EACH, 2 * MESSAGES_EACH),
        send_all(two, MESSAGES_EACH, 2 * MESSAGES_EACH),
        v2.expect_events(2 * MESSAGES_EACH),
        v1.expect_events(2 * MESSAGES_EACH),
    );
    let order = sent(&by_v2);
    check_dense(&order, 2 * MESSAGES_EACH);
    assert_eq!(sent(&by_v1), order, "on a v1 socket");
    for (acks, received) in [one, two] {
        assert_eq!(received, order, "on a sender's socket");
        check_acks(&acks, &order);
    }
    check_rest_and_resume(&group, &order).await;
}

#[tokio::test]
async fn messages_of_many_concurrent_senders_have_one_order() {
    const SENDERS: usize = 20;
    const EACH: usize = 3;
    let group = Group::new(&Server::under_test(), SENDERS).await;
    let mut sockets: Vec<Socket> = Vec::new();
    for (turn, member) in group.members.iter().enumerate() {
        let opening = member.socket(group.id);
        let opening = if turn % 4 == 0 { opening } else { opening.v2() };
        sockets.push(opening.open().await);
    }
    let listening = sockets
        .iter_mut()
        .map(|socket| socket.expect_events(SENDERS * EACH));
    let (stored, received) = tokio::join!(group.send_many(SENDERS * EACH), join_all(listening));
    check_dense(&stored, SENDERS * EACH);
    for events in received {
        assert_eq!(sent(&events), stored);
    }
    check_rest_and_resume(&group, &stored).await;
}

/// `seq` and `number` are dense from 1 and each message occurs once.
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
    assert_eq!(texts.len(), count, "a message was stored twice");
}

/// Every acknowledgement has the position at which the message was delivered, and the messages of
/// one sender keep the order of sending.
fn check_acks(acks: &[Value], order: &[StoredMessage]) {
    let mut last = 0;
    for ack in acks {
        assert_eq!(ack["duplicate"], false);
        let seq = ack["seq"].as_u64().expect("a seq");
        assert!(seq > last, "seq {seq} after {last}");
        last = seq;
        let delivered = &order[usize::try_from(seq).unwrap() - 1];
        assert_eq!(ack["message_id"], delivered.message_id);
        assert_eq!(ack["client_message_id"], delivered.text);
    }
}

async fn check_rest_and_resume(group: &Group, order: &[StoredMessage]) {
    let reader = &group.members[random_below(group.members.len())];
    let history = reader.history(group.id).await;
    assert_eq!(StoredMessage::all_from_rest(&history), order, "over REST");
    let missed = order.len().min(MAX_RESUMED);
    let since = order.len() - missed;
    let mut socket = reader.socket(group.id).v2().open().await;
    let epoch = socket.epoch();
    socket.resume(u64::try_from(since).unwrap(), &epoch).await;
    let resumed = socket.expect_events(missed).await;
    assert_eq!(sent(&resumed), order[since..], "after a resume");
    assert_eq!(socket.expect_resumed().await["count"], missed);
}

#[tokio::test]
async fn timestamps_never_decrease() {
    let group = Group::new(&Server::under_test(), 12).await;
    group.send_many(24).await;
    let history = group.members[0].history(group.id).await;
    let times: Vec<_> = history
        .iter()
        .map(|message| colloquy_blackbox::timestamp(&message["timestamp"]))
        .collect();
    assert!(times.is_sorted(), "{times:?}");
}
