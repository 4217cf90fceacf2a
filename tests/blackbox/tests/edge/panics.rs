//! A panic ends one request or drops one Room, which is restored from its sockets; the other Rooms
//! of the instance go on. A client loses at most a response, and repeats the request.

use colloquy_blackbox::{Account, Api, Group, Server, Socket, StoredMessage, eventually, is_event};
use reqwest::Method;

use crate::server_log::ServerLog;
use crate::{FAULTS, without_restarts};

/// The panic message of the fault endpoints.
const PANIC_MESSAGE: &str = "requested by a test";

/// Makes the server panic and waits until it has. The request itself may get no response.
async fn panic(server: &Server, log: &ServerLog, path: &str) {
    let before = log.count(PANIC_MESSAGE);
    let request = Api::anonymous(server).request(Method::POST, path);
    let requesting = tokio::spawn(request.attempt_unchecked());
    eventually("the server panics", async || {
        (log.count(PANIC_MESSAGE) > before).then_some(())
    })
    .await;
    requesting.abort();
}

/// Two conversations with two sockets each, of both versions.
async fn two_rooms(server: &Server) -> [(Group, [Socket; 2]); 2] {
    let mut rooms = Vec::new();
    for _ in 0..2 {
        let group = Group::new(server, 3).await;
        let one = group.members[0].socket(group.id).v2().open().await;
        let two = group.members[1].socket(group.id).open().await;
        rooms.push((group, [one, two]));
    }
    rooms.try_into().unwrap_or_else(|_| unreachable!("two"))
}

#[tokio::test]
async fn panic_in_a_request_affects_no_other_request_or_room() {
    let (_no_restarts, _alone) = (without_restarts().await, FAULTS.lock().await);
    let server = Server::faulty().await.expect("a server that panics");
    let log = ServerLog::of(&server).await;
    let mut rooms = two_rooms(&server).await;
    panic(&server, &log, "/faults/worker/").await;
    // The next request works, and every Room still has its sockets.
    rooms[0].0.members[2].profile().await.expect_status(200);
    for (group, sockets) in &mut rooms {
        group.members[2].send_retrying(group.id, "over REST").await;
        let key = sockets[0].send_message("by socket").await;
        sockets[0].expect_ack(&key).await;
        for socket in sockets {
            let events = socket.expect_events(2).await;
            assert_eq!(events[0]["message"], "over REST");
            assert_eq!(events[1]["message"], "by socket");
        }
    }
    // New requests work too.
    Account::new(&server).await;
}

#[tokio::test]
async fn panic_in_a_room_loses_and_duplicates_no_message() {
    let (_no_restarts, _alone) = (without_restarts().await, FAULTS.lock().await);
    let server = Server::faulty().await.expect("a server that panics");
    let log = ServerLog::of(&server).await;
    let [(group, mut sockets), (other, mut others)] = two_rooms(&server).await;
    let (since, epoch) = (sockets[0].position(), sockets[0].epoch());
    let mut keys = Vec::new();
    for round in 0..5 {
        // In flight when the instance ends: it may or may not be stored.
        keys.push(sockets[0].send_message(&format!("round {round}")).await);
        panic(&server, &log, &format!("/faults/room/{}/", group.id)).await;
        other.members[2]
            .send_retrying(other.id, "in another room")
            .await;
        for socket in &mut others {
            socket.expect_events(1).await;
        }
    }
    for (round, key) in keys.iter().enumerate() {
        let text = format!("round {round}");
        let again = serde_json::json!({"type": "send", "client_message_id": key, "message": text});
        sockets[0].send(&again).await;
        sockets[0].expect_ack(key).await;
    }
    group.members[2].send_retrying(group.id, "the end").await;
    let stored = StoredMessage::all_from_rest(&group.members[2].history(group.id).await);
    assert_eq!(stored.len(), keys.len() + 1, "{stored:?}");
    for socket in &mut sockets {
        let received = socket.expect_events(stored.len()).await;
        let received: Vec<StoredMessage> = received.iter().map(StoredMessage::from_event).collect();
        assert_eq!(received, stored);
    }
    // A resume delivers the same events as live delivery.
    sockets[0].resume(since, &epoch).await;
    let again = sockets[0].expect_events(stored.len()).await;
    let again: Vec<StoredMessage> = again.iter().map(StoredMessage::from_event).collect();
    assert_eq!(again, stored);
}

#[tokio::test]
async fn panic_in_a_room_ends_no_other_room() {
    let (_no_restarts, _alone) = (without_restarts().await, FAULTS.lock().await);
    let server = Server::faulty().await.expect("a server that panics");
    let log = ServerLog::of(&server).await;
    let [(group, mut sockets), (other, mut others)] = two_rooms(&server).await;
    // Both Rooms are in memory.
    for (group, sockets) in [(&group, &mut sockets), (&other, &mut others)] {
        group.members[2].send_retrying(group.id, "before").await;
        for socket in sockets {
            socket.expect_events(1).await;
        }
    }
    let before = (
        log.restores(group.id).await.0,
        log.restores(other.id).await.0,
    );
    let sending = async {
        // Every send is answered although another Room of the instance panics.
        for turn in 0..20 {
            let key = others[0].send_message(&format!("turn {turn}")).await;
            others[0].expect_ack(&key).await;
        }
    };
    let panicking = async {
        for _ in 0..2 {
            panic(&server, &log, &format!("/faults/room/{}/", group.id)).await;
            group.members[2].send_retrying(group.id, "after").await;
        }
    };
    tokio::join!(sending, panicking);
    for socket in &mut sockets {
        let received = socket.expect_events(2).await;
        assert_eq!(received[1]["message"], "after");
    }
    for socket in &mut others {
        socket.expect_events(20).await;
    }
    let after = (
        log.restores(group.id).await.0,
        log.restores(other.id).await.0,
    );
    assert_eq!((after.0 - before.0, after.1 - before.1), (2, 0));
}

#[tokio::test]
async fn panic_in_a_job_leaves_no_room_waiting() {
    let (_no_restarts, _alone) = (without_restarts().await, FAULTS.lock().await);
    let server = Server::faulty().await.expect("a server that panics");
    let log = ServerLog::of(&server).await;
    let [(group, mut sockets), _] = two_rooms(&server).await;
    let before = log.count(PANIC_MESSAGE);
    let fault = format!("/faults/commit/{}/", group.id);
    let armed = Api::anonymous(&server).request(Method::POST, &fault);
    armed.attempt_unchecked().await;
    let key = sockets[0].send_message("stored, not answered").await;
    eventually("the commit panics", async || {
        (log.count(PANIC_MESSAGE) > before).then_some(())
    })
    .await;
    // It is stored. The Room waits for no result and commits the next send.
    let frame = serde_json::json!({
        "type": "send", "client_message_id": key, "message": "stored, not answered",
    });
    sockets[0].send(&frame).await;
    let ack = sockets[0].expect_ack(&key).await;
    assert_eq!(ack["duplicate"], true, "{ack}");
    for socket in &mut sockets {
        let event = socket.find("the message", is_event).await;
        assert_eq!(event["message_id"], ack["message_id"]);
    }
}

#[tokio::test]
async fn room_that_panics_whenever_it_is_restored_closes_its_sockets() {
    let (_no_restarts, _alone) = (without_restarts().await, FAULTS.lock().await);
    let server = Server::faulty().await.expect("a server that panics");
    let log = ServerLog::of(&server).await;
    let [(group, mut sockets), (other, mut others)] = two_rooms(&server).await;
    // The first panic drops the Room in memory, the next three restore it and panic.
    for _ in 0..4 {
        panic(&server, &log, &format!("/faults/room/{}/", group.id)).await;
    }
    for socket in &mut sockets {
        assert_eq!(socket.expect_close().await.code, 4000);
    }
    let mut again = group.members[0].socket(group.id).v2().open().await;
    let key = again.send_message("a new room").await;
    again.expect_ack(&key).await;
    other.members[2].send_retrying(other.id, "unaffected").await;
    for socket in &mut others {
        socket.expect_events(1).await;
    }
}
