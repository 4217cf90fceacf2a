//! Resume: every missed event arrives, or the server sends `reset`; never a part.

use colloquy_blackbox::{Group, Received, Server, Socket, StoredMessage, TIMEOUT, random_below};
use serde_json::{Value, json};
use tokio::sync::watch;

/// The most events that one resume delivers.
const MAX_EVENTS: usize = 300;

/// How many messages a client with a bad connection receives, sent in parts. The client reconnects
/// at least once in each part.
const MESSAGES: usize = 80;
const PARTS: usize = 4;

fn stored(events: &[Value]) -> Vec<StoredMessage> {
    events.iter().map(StoredMessage::from_event).collect()
}

async fn open(group: &Group, member: usize) -> Socket {
    group.members[member].socket(group.id).v2().open().await
}

#[tokio::test]
async fn resume_delivers_missed_events_from_any_position() {
    let group = Group::new(&Server::under_test(), 8).await;
    let all = group.send_many(8).await;
    for since in 0..=8 {
        let mut socket = open(&group, 1).await;
        let epoch = socket.epoch();
        socket.resume(since, &epoch).await;
        let missed = 8 - usize::try_from(since).unwrap();
        let events = socket.expect_events(missed).await;
        assert_eq!(stored(&events), all[8 - missed..], "since {since}");
        let sync = socket.expect_frame("sync").await;
        assert_eq!(
            (
                &sync["from"],
                &sync["to"],
                &sync["count"],
                &sync["complete"]
            ),
            (&json!(since), &json!(8), &json!(missed), &json!(true)),
        );
    }
}

#[tokio::test]
async fn resumed_events_equal_live_events() {
    let group = Group::new(&Server::under_test(), 3).await;
    let mut live = open(&group, 0).await;
    group.send_many(3).await;
    let received = live.expect_events(3).await;
    let mut socket = open(&group, 1).await;
    let epoch = socket.epoch();
    socket.resume(0, &epoch).await;
    assert_eq!(socket.expect_events(3).await, received);
}

#[tokio::test]
async fn live_delivery_continues_after_sync() {
    let group = Group::new(&Server::under_test(), 4).await;
    group.send_many(2).await;
    let mut socket = open(&group, 0).await;
    let epoch = socket.epoch();
    for since in [0, 2, 1] {
        socket.resume(since, &epoch).await;
        let sync = socket.expect_resumed().await;
        assert_eq!((&sync["type"], &sync["to"]), (&json!("sync"), &json!(2)));
    }
    socket.expect_events(3).await;
    group.members[2].send_retrying(group.id, "live again").await;
    assert_eq!(socket.expect_message("live again").await["seq"], 3);
}

#[tokio::test]
async fn resume_ahead_of_the_head_or_in_another_epoch_is_reset() {
    let group = Group::new(&Server::under_test(), 4).await;
    group.send_many(2).await;
    let head = open(&group, 0).await;
    let epoch = head.epoch();
    for (since, epoch) in [
        (3, epoch.as_str()),
        (1_000_000, epoch.as_str()),
        (1, "another"),
        (0, "' or 1=1 --"),
    ] {
        let mut socket = open(&group, 1).await;
        socket.resume(since, epoch).await;
        let reset = socket.expect_frame("reset").await;
        assert_eq!(reset["reason"], "epoch_changed", "{since} {epoch:?}");
        assert_eq!(
            (&reset["seq"], &reset["epoch"]),
            (&json!(2), &json!(head.epoch()))
        );
        // The socket checks that live delivery continues after the position of the reset.
    }
    let mut socket = open(&group, 1).await;
    socket.resume(1, "another").await;
    socket.expect_frame("reset").await;
    group.members[3]
        .send_retrying(group.id, "after the reset")
        .await;
    assert_eq!(socket.expect_message("after the reset").await["seq"], 3);
}

#[tokio::test]
async fn resume_delivers_at_most_300_events() {
    let server = Server::for_volume().await;
    let group = Group::new(&server, server.sender_count()).await;
    let all = group.send_many(MAX_EVENTS + 1).await;
    let mut socket = open(&group, 0).await;
    let epoch = socket.epoch();
    socket.resume(1, &epoch).await;
    let events = socket.expect_events(MAX_EVENTS).await;
    assert_eq!(stored(&events), all[1..]);
    assert_eq!(socket.expect_frame("sync").await["count"], MAX_EVENTS);
    socket.resume(0, &epoch).await;
    let reset = socket.expect_frame("reset").await;
    assert_eq!(reset["reason"], "too_old");
    assert_eq!(reset["seq"], MAX_EVENTS + 1);
    // No event was delivered before the reset.
    assert!(socket.received().is_empty(), "{:?}", socket.received());
    // The client recovers with the history, and with live delivery after the position of the reset.
    assert_eq!(
        StoredMessage::all_from_rest(&group.members[0].history(group.id).await),
        all
    );
    group.members[1].send_retrying(group.id, "live").await;
    let live = socket.expect_message("live").await;
    assert_eq!(live["seq"], MAX_EVENTS + 2);
}

#[tokio::test]
async fn resume_delivers_300_messages_of_maximum_length() {
    // Four bytes per character: one resume of about five megabytes.
    let server = Server::for_volume().await;
    let group = Group::new(&server, server.sender_count()).await;
    let all = group
        .send_many_with(MAX_EVENTS, |_| "🐘".repeat(4_000))
        .await;
    let mut socket = open(&group, 0).await;
    let epoch = socket.epoch();
    socket.resume(0, &epoch).await;
    let events = socket.expect_events(MAX_EVENTS).await;
    assert!(
        stored(&events) == all,
        "the events differ from the messages sent"
    );
    assert_eq!(socket.expect_frame("sync").await["count"], MAX_EVENTS);
}

#[tokio::test]
async fn client_that_keeps_reconnecting_misses_nothing() {
    let server = Server::for_volume().await;
    let group = Group::new(&server, server.sender_count() + 1).await;
    let (reader, senders) = group.members.split_last().expect("members");
    let senders = Group {
        id: group.id,
        members: senders.to_vec(),
    };
    let mut socket = reader.socket(group.id).v2().open().await;
    let epoch = socket.epoch();
    let (progress, mut reached) = watch::channel(0);
    let sending = async {
        let mut sent = Vec::new();
        for _ in 0..PARTS {
            // If the senders ran ahead, the reader would get all the rest after its first reconnect.
            let caught_up = reached.wait_for(|count| *count == sent.len()).await;
            drop(caught_up.expect("the reader runs"));
            sent.extend(senders.send_many(MESSAGES / PARTS).await);
        }
        sent
    };
    let reading = async {
        let mut received: Vec<StoredMessage> = Vec::new();
        let mut reconnects = 0;
        while received.len() < MESSAGES {
            let until = received.len() + 1 + random_below(12);
            while received.len() < until.min(MESSAGES) {
                let event = socket.expect_events(1).await;
                received.extend(stored(&event));
                progress.send_replace(received.len());
            }
            // The position is what was read, not what the lost connection had buffered.
            socket.drop_connection();
            reconnects += 1;
            socket = reader.socket(group.id).v2().open().await;
            let since = received.last().map_or(0, |last| last.seq);
            socket.resume(since, &epoch).await;
            read_resumed(&mut socket, since, &mut received).await;
            progress.send_replace(received.len());
        }
        (received, reconnects)
    };
    let (all_sent, (received, reconnects)) = tokio::join!(sending, reading);
    assert_eq!(received, all_sent, "after {reconnects} reconnects");
    assert!(reconnects >= PARTS, "{reconnects}");
}

/// Reads the response to a resume. Live events before its first event are dropped.
async fn read_resumed(socket: &mut Socket, since: u64, received: &mut Vec<StoredMessage>) {
    let mut seen: Vec<StoredMessage> = Vec::new();
    loop {
        match socket.receive(TIMEOUT).await {
            Received::Frame(frame) if frame["type"] == "message" => {
                seen.push(StoredMessage::from_event(&frame));
            }
            Received::Frame(frame) if frame["type"] == "sync" => {
                let to = frame["to"].as_u64().expect("a position");
                seen.retain(|event| event.seq > since && event.seq <= to);
                seen.sort();
                seen.dedup();
                received.extend(seen);
                return;
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn resume_under_load_delivers_dense_seq() {
    // The socket checks the position of every frame while resumes and live events race.
    let server = Server::for_volume().await;
    let group = Group::new(&server, server.sender_count()).await;
    let resuming = async {
        let mut socket = open(&group, 0).await;
        let epoch = socket.epoch();
        for _ in 0..20 {
            let head = usize::try_from(socket.position()).unwrap();
            let since = u64::try_from(random_below(head + 1)).unwrap();
            socket.resume(since, &epoch).await;
            assert_eq!(socket.expect_resumed().await["type"], "sync");
        }
        // In the end the client has the last event.
        while socket.position() < 60 {
            socket.expect_events(1).await;
        }
    };
    let (_, ()) = tokio::join!(group.send_many(60), resuming);
}
