//! A Room that was put away and comes back: nobody notices.

use colloquy_tests::{Account, Group, Server, Socket, is_event, wait_of};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::journal::{ATTEMPTS, Journal};
use crate::{undisturbed, watched};

const PING: &str = r#"{"type":"ping"}"#;

/// Sends in the manner of the socket's version; heard on all sockets, whose event is returned.
async fn say(sockets: &mut [Socket], sender: usize, text: &str) -> Vec<Value> {
    if sockets[sender].is_v2() {
        let key = sockets[sender].say(text).await;
        sockets[sender].ack(&key).await;
    } else {
        sockets[sender].send(&json!({"message": text})).await;
    }
    let heard = sockets.iter_mut().map(async |socket| {
        let event = socket.events(1).await.remove(0);
        assert_eq!(event["message"], text);
        event
    });
    join_all(heard).await
}

/// Four people, half of them with clients of the first version.
async fn gathered(group: &Group) -> Vec<Socket> {
    let opening = group
        .members
        .iter()
        .enumerate()
        .map(async |(index, member)| {
            let socket = member.socket(group.id);
            if index % 2 == 0 {
                socket.v2().open().await
            } else {
                socket.open().await
            }
        });
    join_all(opening).await
}

#[tokio::test]
async fn a_message_wakes_it_as_it_was() {
    let _undisturbed = undisturbed().await;
    let server = Server::long_throttle()
        .await
        .expect("a server with a long throttle");
    let journal = Journal::of(&server).await;
    let group = Group::of(&server, 2 + ATTEMPTS).await;
    let mut sockets = gathered(&group).await;
    let (start, epoch) = (sockets[0].position(), sockets[0].epoch());
    let key = sockets[0].say("before").await;
    let first = sockets[0].ack(&key).await;
    say_heard(&mut sockets, "before").await;
    let mut said = 1;
    for sender in 1..=ATTEMPTS {
        let (before, _) = journal.wakes(group.id).await;
        Journal::idle().await;
        // v1 and v2 take turns; `seq` is checked of every event by the client.
        said += 1;
        for event in say(&mut sockets, sender, "after").await {
            assert_eq!(event["seq"], said, "{event}");
        }
        let (after, connections) = journal.wakes(group.id).await;
        if after == before {
            continue;
        }
        assert_eq!((after - before, connections), (1, sockets.len() as u64));
        still_throttled(&mut sockets, &group.members[0]).await;
        known_repeat(&mut sockets[0], &key, &first).await;
        sockets[0].resume(start, &epoch).await;
        let missed = sockets[0].events(usize::try_from(said).unwrap()).await;
        assert_eq!(missed[0]["message_id"], first["message_id"]);
        assert_eq!(sockets[0].resumed().await["type"], "sync");
        return;
    }
    panic!("the Room never slept");
}

async fn say_heard(sockets: &mut [Socket], text: &str) {
    for socket in sockets {
        assert_eq!(socket.events(1).await[0]["message"], text);
    }
}

/// Who sent before the Room slept is held to the throttle after it, by either way.
async fn still_throttled(sockets: &mut [Socket], sender: &Account) {
    sockets[0].say("too soon").await;
    let error = sockets[0].error().await;
    assert_eq!(error["code"], "throttled", "{error}");
    assert!(wait_of(&error).as_secs() < 120 - 10, "{error}");
    let id = sockets[0].hello()["conversation_id"]
        .as_u64()
        .expect("an id");
    let answer = sender.send(id, "another-one", "too soon").await;
    answer.refused(429, "throttled");
}

async fn known_repeat(socket: &mut Socket, key: &str, first: &Value) {
    let frame = json!({"type": "send", "client_message_id": key, "message": "before"});
    socket.send(&frame).await;
    let again = socket.ack(key).await;
    assert_eq!(
        (&again["message_id"], &again["duplicate"]),
        (&first["message_id"], &json!(true))
    );
}

#[tokio::test]
async fn a_send_over_rest_wakes_it_for_all_sockets() {
    let (_undisturbed, server, journal) = watched().await;
    let group = Group::of(&server, 4).await;
    let mut sockets = gathered(&group).await;
    for _ in 0..ATTEMPTS {
        let (before, _) = journal.wakes(group.id).await;
        Journal::idle().await;
        let made = group.members[3].say(group.id, "by post").await;
        for socket in &mut sockets {
            assert_eq!(socket.events(1).await[0]["message_id"], made["id"]);
        }
        if journal.wakes(group.id).await == (before + 1, 4) {
            return;
        }
    }
    panic!("the Room never slept");
}

#[tokio::test]
async fn a_ping_is_answered_without_waking_it() {
    let (_undisturbed, server, journal) = watched().await;
    let group = Group::of(&server, 4).await;
    let mut sockets = gathered(&group).await;
    for _ in 0..ATTEMPTS {
        let before = journal.wakes(group.id).await;
        Journal::idle().await;
        for socket in &mut sockets {
            socket.send_text(PING).await;
            assert_eq!(socket.next().await, json!({"type": "pong"}));
        }
        assert_eq!(journal.wakes(group.id).await, before, "a ping woke it");
        // That it did sleep shows in what a message does.
        group.members[0].say(group.id, "good morning").await;
        for socket in &mut sockets {
            socket.find("the message", is_event).await;
        }
        if journal.wakes(group.id).await == (before.0 + 1, 4) {
            return;
        }
    }
    panic!("the Room never slept");
}

#[tokio::test]
async fn a_logout_reaches_sleeping_rooms_and_wakes_no_other() {
    let (_undisturbed, server, journal) = watched().await;
    let laptop = Account::new(&server).await;
    let other = Account::new(&server).await;
    let mut rooms = Vec::new();
    for _ in 0..3 {
        rooms.push(Group::among(vec![other.clone(), laptop.clone()]).await);
    }
    let mut spared = laptop.socket(rooms[2].id).v2().open().await;
    let mut there = other.socket(rooms[0].id).v2().open().await;
    for attempt in 1..=ATTEMPTS {
        let phone = laptop.log_in().await;
        let mut one = phone.socket(rooms[0].id).v2().open().await;
        let mut two = phone.socket(rooms[1].id).open().await;
        let before = all_wakes(&journal, &rooms).await;
        Journal::idle().await;
        phone.log_out().await.expect(205);
        for close in [one.closed().await, two.closed().await] {
            assert_eq!(close.code, 4401, "{close:?}");
        }
        let after = all_wakes(&journal, &rooms).await;
        assert_eq!(after[2], before[2], "a Room it was not in woke");
        if after[0] == before[0] + 1 && after[1] == before[1] + 1 {
            // The one left alone did sleep, and whoever was not meant is still connected.
            other.say(rooms[2].id, "still there?").await;
            spared.expect_message("still there?").await;
            assert!(journal.wakes(rooms[2].id).await.0 > before[2]);
            other.say(rooms[0].id, "gone").await;
            there.expect_message("gone").await;
            return;
        }
        assert!(attempt < ATTEMPTS, "the Rooms never slept");
    }
}

async fn all_wakes(journal: &Journal, rooms: &[Group]) -> Vec<usize> {
    let mut all = Vec::new();
    for room in rooms {
        all.push(journal.wakes(room.id).await.0);
    }
    all
}
