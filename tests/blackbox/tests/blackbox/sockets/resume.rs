//! Coming back: everything missed arrives, or the server says that it cannot; never a part.

use colloquy_blackbox::{Group, Received, Server, Socket, StoredMessage, TIMEOUT, random_below};
use serde_json::{Value, json};
use tokio::sync::watch;

/// The most missed events that one resume delivers.
const MOST: usize = 300;

/// How many a reader with a bad line has to catch; in each part it is lost once at least.
const ALL: usize = 80;
const PARTS: usize = 4;

fn sent(events: &[Value]) -> Vec<StoredMessage> {
    events.iter().map(StoredMessage::from_event).collect()
}

async fn open(group: &Group, member: usize) -> Socket {
    group.members[member].socket(group.id).v2().open().await
}

#[tokio::test]
async fn what_was_missed_arrives_from_any_position() {
    let group = Group::new(&Server::under_test(), 8).await;
    let all = group.send_many(8).await;
    for since in 0..=8 {
        let mut socket = open(&group, 1).await;
        let epoch = socket.epoch();
        socket.resume(since, &epoch).await;
        let missed = 8 - usize::try_from(since).unwrap();
        let events = socket.expect_events(missed).await;
        assert_eq!(sent(&events), all[8 - missed..], "since {since}");
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
async fn a_resumed_event_is_the_event_as_it_was_live() {
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
async fn live_delivery_goes_on_after_a_sync() {
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
async fn a_position_ahead_or_another_epoch_is_reset() {
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
        // Live delivery goes on after the position of the reset, which the socket itself checks.
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
async fn three_hundred_missed_are_delivered_and_one_more_is_too_old() {
    let server = Server::for_volume().await;
    let group = Group::new(&server, server.sender_count()).await;
    let all = group.send_many(MOST + 1).await;
    let mut socket = open(&group, 0).await;
    let epoch = socket.epoch();
    socket.resume(1, &epoch).await;
    let events = socket.expect_events(MOST).await;
    assert_eq!(sent(&events), all[1..]);
    assert_eq!(socket.expect_frame("sync").await["count"], MOST);
    socket.resume(0, &epoch).await;
    let reset = socket.expect_frame("reset").await;
    assert_eq!(reset["reason"], "too_old");
    assert_eq!(reset["seq"], MOST + 1);
    // Not a part of it came before.
    assert!(socket.received().is_empty(), "{:?}", socket.received());
    // The way back is the history, and live delivery after the position of the reset.
    assert_eq!(
        StoredMessage::all_from_rest(&group.members[0].history(group.id).await),
        all
    );
    group.members[1].send_retrying(group.id, "live").await;
    let live = socket.expect_message("live").await;
    assert_eq!(live["seq"], MOST + 2);
}

#[tokio::test]
async fn three_hundred_of_the_longest_messages_are_delivered() {
    // Four bytes a letter: about five megabytes for one resume, and the client reads all along.
    let server = Server::for_volume().await;
    let group = Group::new(&server, server.sender_count()).await;
    let all = group.send_many_with(MOST, |_| "🐘".repeat(4_000)).await;
    let mut socket = open(&group, 0).await;
    let epoch = socket.epoch();
    socket.resume(0, &epoch).await;
    let events = socket.expect_events(MOST).await;
    assert!(sent(&events) == all, "not the messages that were sent");
    assert_eq!(socket.expect_frame("sync").await["count"], MOST);
}

#[tokio::test]
async fn a_reader_who_keeps_losing_the_line_misses_nothing() {
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
    let telling = async {
        let mut told = Vec::new();
        for _ in 0..PARTS {
            // A reader that is slower than the senders would have all the rest at its first return.
            let caught_up = reached.wait_for(|received| *received == told.len()).await;
            drop(caught_up.expect("the reader is there"));
            told.extend(senders.send_many(ALL / PARTS).await);
        }
        told
    };
    let reading = async {
        let mut received: Vec<StoredMessage> = Vec::new();
        let mut losses = 0;
        while received.len() < ALL {
            let until = received.len() + 1 + random_below(12);
            while received.len() < until.min(ALL) {
                let event = socket.expect_events(1).await;
                received.extend(sent(&event));
                progress.send_replace(received.len());
            }
            // The position is what was read, not what the lost socket may have had in hand.
            socket.drop_connection();
            losses += 1;
            socket = reader.socket(group.id).v2().open().await;
            let since = received.last().map_or(0, |last| last.seq);
            socket.resume(since, &epoch).await;
            read_resumed(&mut socket, since, &mut received).await;
            progress.send_replace(received.len());
        }
        (received, losses)
    };
    let (told, (received, losses)) = tokio::join!(telling, reading);
    assert_eq!(received, told, "with the line lost {losses} times");
    assert!(losses >= PARTS, "{losses}");
}

/// Takes what a resume brings, leaving out live events that came before its first answer.
async fn read_resumed(socket: &mut Socket, since: u64, received: &mut Vec<StoredMessage>) {
    let mut seen: Vec<StoredMessage> = Vec::new();
    loop {
        match socket.receive(TIMEOUT).await {
            Received::Frame(frame) if frame["type"] == "message" => {
                seen.push(StoredMessage::from_event(&frame))
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
async fn resuming_under_load_is_dense() {
    // Positions are checked on every frame a socket receives; here resumes and live events race.
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
        // Whatever raced, the last event is the last.
        while socket.position() < 60 {
            socket.expect_events(1).await;
        }
    };
    let (_, ()) = tokio::join!(group.send_many(60), resuming);
}
