//! A panic ends the program with all its Rooms. It must cost nobody more than an answer: who was
//! waiting for one asks again.

use colloquy_tests::{Account, Api, Group, Sent, Server, Socket, eventually};
use reqwest::Method;

use crate::journal::Journal;
use crate::{FAULTS, undisturbed};

/// What the program says when it was asked to panic.
const LAST_WORDS: &str = "as a test asked";

/// Makes the server panic, and returns when it has. The request itself may never be answered.
async fn panic(server: &Server, journal: &Journal, path: &str) {
    let before = journal.count(LAST_WORDS);
    let request = Api::anonymous(server).request(Method::POST, path);
    let asking = tokio::spawn(request.attempt_unchecked());
    eventually("the server panics", async || {
        (journal.count(LAST_WORDS) > before).then_some(())
    })
    .await;
    asking.abort();
}

/// Two conversations with two sockets each, of both versions.
async fn two_rooms(server: &Server) -> [(Group, [Socket; 2]); 2] {
    let mut rooms = Vec::new();
    for _ in 0..2 {
        let group = Group::of(server, 3).await;
        let one = group.members[0].socket(group.id).v2().open().await;
        let two = group.members[1].socket(group.id).open().await;
        rooms.push((group, [one, two]));
    }
    rooms.try_into().unwrap_or_else(|_| unreachable!("two"))
}

#[tokio::test]
async fn a_request_that_panics_takes_nothing_with_it() {
    let (_undisturbed, _alone) = (undisturbed().await, FAULTS.lock().await);
    let server = Server::faulty().await.expect("a server that panics");
    let journal = Journal::of(&server).await;
    let mut rooms = two_rooms(&server).await;
    panic(&server, &journal, "/faults/worker/").await;
    // The next request, and every Room with the sockets it had.
    rooms[0].0.members[2].profile().await.expect(200);
    for (group, sockets) in &mut rooms {
        group.members[2].say(group.id, "by post").await;
        let key = sockets[0].say("by socket").await;
        sockets[0].ack(&key).await;
        for socket in sockets {
            let events = socket.events(2).await;
            assert_eq!(events[0]["message"], "by post");
            assert_eq!(events[1]["message"], "by socket");
        }
    }
    // And a new one.
    Account::new(&server).await;
}

#[tokio::test]
async fn a_room_that_panics_loses_no_message_and_doubles_none() {
    let (_undisturbed, _alone) = (undisturbed().await, FAULTS.lock().await);
    let server = Server::faulty().await.expect("a server that panics");
    let journal = Journal::of(&server).await;
    let [(group, mut sockets), (other, mut others)] = two_rooms(&server).await;
    let (since, epoch) = (sockets[0].position(), sockets[0].epoch());
    let mut keys = Vec::new();
    for round in 0..5 {
        // On its way while the program ends: stored or not, nobody can tell.
        keys.push(sockets[0].say(&format!("round {round}")).await);
        panic(&server, &journal, &format!("/faults/room/{}/", group.id)).await;
        other.members[2].say(other.id, "unconcerned").await;
        for socket in &mut others {
            socket.events(1).await;
        }
    }
    for (round, key) in keys.iter().enumerate() {
        let text = format!("round {round}");
        let again = serde_json::json!({"type": "send", "client_message_id": key, "message": text});
        sockets[0].send(&again).await;
        sockets[0].ack(key).await;
    }
    group.members[2].say(group.id, "the end").await;
    let kept = Sent::all_of(&group.members[2].history(group.id).await);
    assert_eq!(kept.len(), keys.len() + 1, "{kept:?}");
    for socket in &mut sockets {
        let heard = socket.events(kept.len()).await;
        let heard: Vec<Sent> = heard.iter().map(Sent::of_event).collect();
        assert_eq!(heard, kept);
    }
    // What was delivered to those who stayed is what those who resume are given.
    sockets[0].resume(since, &epoch).await;
    let again = sockets[0].events(kept.len()).await;
    let again: Vec<Sent> = again.iter().map(Sent::of_event).collect();
    assert_eq!(again, kept);
}
