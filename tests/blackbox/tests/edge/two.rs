//! Two servers on one conversation, neither of which knows of the other: what a deploy does to a
//! Room for a while. `seq` stays dense and everybody hears everything.

use colloquy_tests::{Account, Api, Group, Opening, Sent, Server, Socket, is_event, wait_of};
use serde_json::json;

use crate::undisturbed;

/// What each of the writers sends.
const EACH: usize = 12;

/// A socket of this account on that server.
async fn socket(account: &Account, server: &Server, id: u64) -> Socket {
    let path = format!("/ws/chat/{id}/");
    let opening = Opening::new(server, &path, &account.tokens.access);
    opening.v2().open().await
}

/// The same login by way of another server.
fn by_way_of(account: &Account, server: &Server) -> Account {
    let mut account = account.clone();
    account.api = Api::anonymous(server).with_bearer(&account.tokens.access);
    account
}

#[tokio::test]
async fn both_write_and_everybody_hears_all_of_it_in_one_order() {
    let _undisturbed = undisturbed().await;
    let first = Server::under_test();
    let second = Server::second().await.expect("a second server");
    let group = Group::of(&first, 6).await;
    let id = group.id;
    let mut sockets = Vec::new();
    for (index, server) in [&first, &first, &second, &second].into_iter().enumerate() {
        sockets.push(socket(&group.members[index], server, id).await);
    }
    let [writer, listener, second_writer, second_listener] = &mut sockets[..] else {
        unreachable!("four were opened")
    };
    let poster = group.members[4].clone();
    let second_poster = by_way_of(&group.members[5], &second);
    // By sockets and over REST, on both, at once.
    tokio::join!(
        pour(writer),
        pour(second_writer),
        post(&poster, id),
        post(&second_poster, id)
    );
    // What the other has written is heard with the next message of one's own Room.
    for poster in [&poster, &second_poster, &poster] {
        poster.say(id, "the end").await;
    }
    let kept = Sent::all_of(&poster.history(id).await);
    let seqs: Vec<u64> = kept.iter().map(|sent| sent.seq).collect();
    assert_eq!(seqs, (1..=4 * EACH as u64 + 3).collect::<Vec<_>>());
    heard(listener, &kept).await;
    heard(writer, &kept).await;
    // There, up to its own last.
    heard(second_listener, &kept[..kept.len() - 1]).await;
    heard(second_writer, &kept[..kept.len() - 1]).await;
}

async fn pour(socket: &mut Socket) {
    for turn in 0..EACH {
        let key = socket.say(&format!("by socket {turn}")).await;
        loop {
            let answer = socket
                .find("an answer", |frame| {
                    frame["client_message_id"] == key && !is_event(frame)
                })
                .await;
            if answer["type"] == "ack" {
                break;
            }
            assert_eq!(answer["code"], "throttled", "{answer}");
            tokio::time::sleep(wait_of(&answer)).await;
            let text = format!("by socket {turn}");
            let frame = json!({"type": "send", "client_message_id": key, "message": text});
            socket.send(&frame).await;
        }
    }
}

async fn post(account: &Account, id: u64) {
    for turn in 0..EACH {
        account.say(id, &format!("by post {turn}")).await;
    }
}

/// From its first event on, all of it; that the order is dense the client checks itself.
async fn heard(socket: &mut Socket, kept: &[Sent]) {
    for sent in kept {
        let event = socket.find("an event", is_event).await;
        assert_eq!(Sent::of_event(&event), *sent);
    }
}
