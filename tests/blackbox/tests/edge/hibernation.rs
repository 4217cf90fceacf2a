//! A Room that hibernates and is restored, unnoticed by its clients.

use colloquy_blackbox::{Account, Group, Server, Socket, is_event, retry_after};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::server_log::{ATTEMPTS, ServerLog};
use crate::{server_and_log, without_restarts};

const PING: &str = r#"{"type":"ping"}"#;

/// Sends in the socket's version. Returns the event that each socket receives.
async fn send_and_expect(sockets: &mut [Socket], sender: usize, text: &str) -> Vec<Value> {
    if sockets[sender].is_v2() {
        let key = sockets[sender].send_message(text).await;
        sockets[sender].expect_ack(&key).await;
    } else {
        sockets[sender].send(&json!({"message": text})).await;
    }
    let received = sockets.iter_mut().map(async |socket| {
        let event = socket.expect_events(1).await.remove(0);
        assert_eq!(event["message"], text);
        event
    });
    join_all(received).await
}

/// A socket of each member, v2 and v1 in turn.
async fn open_all(group: &Group) -> Vec<Socket> {
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
async fn message_restores_the_room_in_its_former_state() {
    let _no_restarts = without_restarts().await;
    let server = Server::long_throttle()
        .await
        .expect("a server with a long throttle period");
    let log = ServerLog::of(&server).await;
    let group = Group::new(&server, 2 + ATTEMPTS).await;
    let mut sockets = open_all(&group).await;
    let (start, epoch) = (sockets[0].position(), sockets[0].epoch());
    let key = sockets[0].send_message("before").await;
    let first = sockets[0].expect_ack(&key).await;
    expect_on_all(&mut sockets, "before").await;
    let mut sent = 1;
    for sender in 1..=ATTEMPTS {
        let (before, _) = log.restores(group.id).await;
        ServerLog::wait_until_idle().await;
        // v1 and v2 alternate. The client checks `seq` of every event.
        sent += 1;
        for event in send_and_expect(&mut sockets, sender, "after").await {
            assert_eq!(event["seq"], sent, "{event}");
        }
        let (after, connections) = log.restores(group.id).await;
        if after == before {
            continue;
        }
        assert_eq!((after - before, connections), (1, sockets.len() as u64));
        check_still_throttled(&mut sockets, &group.members[0]).await;
        check_duplicate_is_known(&mut sockets[0], &key, &first).await;
        sockets[0].resume(start, &epoch).await;
        let missed = sockets[0]
            .expect_events(usize::try_from(sent).unwrap())
            .await;
        assert_eq!(missed[0]["message_id"], first["message_id"]);
        assert_eq!(sockets[0].expect_resumed().await["type"], "sync");
        return;
    }
    panic!("the Room never hibernated");
}

async fn expect_on_all(sockets: &mut [Socket], text: &str) {
    for socket in sockets {
        assert_eq!(socket.expect_events(1).await[0]["message"], text);
    }
}

/// A sender is still throttled after hibernation, over sockets and REST.
async fn check_still_throttled(sockets: &mut [Socket], sender: &Account) {
    sockets[0].send_message("too soon").await;
    let error = sockets[0].expect_error().await;
    assert_eq!(error["code"], "throttled", "{error}");
    assert!(retry_after(&error).as_secs() < 120 - 10, "{error}");
    let id = sockets[0].hello()["conversation_id"]
        .as_u64()
        .expect("an id");
    let response = sender.send(id, "another-one", "too soon").await;
    response.expect_error(429, "throttled");
}

async fn check_duplicate_is_known(socket: &mut Socket, key: &str, first: &Value) {
    let frame = json!({"type": "send", "client_message_id": key, "message": "before"});
    socket.send(&frame).await;
    let again = socket.expect_ack(key).await;
    assert_eq!(
        (&again["message_id"], &again["duplicate"]),
        (&first["message_id"], &json!(true))
    );
}

#[tokio::test]
async fn send_over_rest_restores_the_room_for_all_sockets() {
    let (_no_restarts, server, log) = server_and_log().await;
    let group = Group::new(&server, 4).await;
    let mut sockets = open_all(&group).await;
    for _ in 0..ATTEMPTS {
        let (before, _) = log.restores(group.id).await;
        ServerLog::wait_until_idle().await;
        let made = group.members[3].send_retrying(group.id, "over REST").await;
        for socket in &mut sockets {
            assert_eq!(socket.expect_events(1).await[0]["message_id"], made["id"]);
        }
        if log.restores(group.id).await == (before + 1, 4) {
            return;
        }
    }
    panic!("the Room never hibernated");
}

#[tokio::test]
async fn ping_is_answered_without_restoring_the_room() {
    let (_no_restarts, server, log) = server_and_log().await;
    let group = Group::new(&server, 4).await;
    let mut sockets = open_all(&group).await;
    for _ in 0..ATTEMPTS {
        let before = log.restores(group.id).await;
        ServerLog::wait_until_idle().await;
        for socket in &mut sockets {
            socket.send_text(PING).await;
            assert_eq!(socket.next().await, json!({"type": "pong"}));
        }
        assert_eq!(
            log.restores(group.id).await,
            before,
            "a ping restored the Room"
        );
        // A message shows whether the Room hibernated.
        group.members[0]
            .send_retrying(group.id, "good morning")
            .await;
        for socket in &mut sockets {
            socket.find("the message", is_event).await;
        }
        if log.restores(group.id).await == (before.0 + 1, 4) {
            return;
        }
    }
    panic!("the Room never hibernated");
}

#[tokio::test]
async fn logout_reaches_hibernating_rooms_and_restores_no_others() {
    let (_no_restarts, server, log) = server_and_log().await;
    let laptop = Account::new(&server).await;
    let other = Account::new(&server).await;
    let mut rooms = Vec::new();
    for _ in 0..3 {
        rooms.push(Group::with_members(vec![other.clone(), laptop.clone()]).await);
    }
    let mut unaffected = laptop.socket(rooms[2].id).v2().open().await;
    let mut other_socket = other.socket(rooms[0].id).v2().open().await;
    for attempt in 1..=ATTEMPTS {
        let phone = laptop.log_in().await;
        let mut one = phone.socket(rooms[0].id).v2().open().await;
        let mut two = phone.socket(rooms[1].id).open().await;
        let before = restores_of_all(&log, &rooms).await;
        ServerLog::wait_until_idle().await;
        phone.log_out().await.expect_status(205);
        for close in [one.expect_close().await, two.expect_close().await] {
            assert_eq!(close.code, 4401, "{close:?}");
        }
        let after = restores_of_all(&log, &rooms).await;
        assert_eq!(
            after[2], before[2],
            "a Room without the session was restored"
        );
        if after[0] == before[0] + 1 && after[1] == before[1] + 1 {
            // That Room did hibernate, and the other session is still connected to it.
            other.send_retrying(rooms[2].id, "still there?").await;
            unaffected.expect_message("still there?").await;
            assert!(log.restores(rooms[2].id).await.0 > before[2]);
            other.send_retrying(rooms[0].id, "gone").await;
            other_socket.expect_message("gone").await;
            return;
        }
        assert!(attempt < ATTEMPTS, "the Rooms never hibernated");
    }
}

async fn restores_of_all(log: &ServerLog, rooms: &[Group]) -> Vec<usize> {
    let mut all = Vec::new();
    for room in rooms {
        all.push(log.restores(room.id).await.0);
    }
    all
}
