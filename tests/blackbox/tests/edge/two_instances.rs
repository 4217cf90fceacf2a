//! Two instances of one conversation's Room, unaware of each other, as during a deploy. `seq` stays
//! dense and every member receives every event.

use colloquy_blackbox::{
    Account, Api, Group, Server, Socket, SocketBuilder, StoredMessage, is_event, retry_after,
};
use serde_json::json;

use crate::without_restarts;

/// How many messages each sender sends.
const MESSAGES_EACH: usize = 12;

/// A socket of this account on this server.
async fn socket(account: &Account, server: &Server, id: u64) -> Socket {
    let path = format!("/ws/chat/{id}/");
    let opening = SocketBuilder::new(server, &path, &account.tokens.access);
    opening.v2().open().await
}

/// The same session on another server.
fn on_server(account: &Account, server: &Server) -> Account {
    let mut account = account.clone();
    account.api = Api::anonymous(server).with_bearer(&account.tokens.access);
    account
}

#[tokio::test]
async fn all_members_receive_events_of_both_instances_in_one_order() {
    let _no_restarts = without_restarts().await;
    let first = Server::under_test();
    let second = Server::second().await.expect("a second server");
    let group = Group::new(&first, 6).await;
    let id = group.id;
    let mut sockets = Vec::new();
    for (index, server) in [&first, &first, &second, &second].into_iter().enumerate() {
        sockets.push(socket(&group.members[index], server, id).await);
    }
    let [writer, listener, second_writer, second_listener] = &mut sockets[..] else {
        unreachable!("four were opened")
    };
    let rest_sender = group.members[4].clone();
    let second_rest_sender = on_server(&group.members[5], &second);
    // Over sockets and REST, on both servers, concurrently.
    tokio::join!(
        send_over_socket(writer),
        send_over_socket(second_writer),
        send_over_rest(&rest_sender, id),
        send_over_rest(&second_rest_sender, id)
    );
    // A Room finds the events of the other one with its own next message.
    for rest_sender in [&rest_sender, &second_rest_sender, &rest_sender] {
        rest_sender.send_retrying(id, "the end").await;
    }
    let stored = StoredMessage::all_from_rest(&rest_sender.history(id).await);
    let seqs: Vec<u64> = stored.iter().map(|sent| sent.seq).collect();
    assert_eq!(seqs, (1..=4 * MESSAGES_EACH as u64 + 3).collect::<Vec<_>>());
    expect_events(listener, &stored).await;
    expect_events(writer, &stored).await;
    // On the second server, up to its own last message.
    expect_events(second_listener, &stored[..stored.len() - 1]).await;
    expect_events(second_writer, &stored[..stored.len() - 1]).await;
}

async fn send_over_socket(socket: &mut Socket) {
    for turn in 0..MESSAGES_EACH {
        let key = socket.send_message(&format!("by socket {turn}")).await;
        loop {
            let response = socket
                .find("a response", |frame| {
                    frame["client_message_id"] == key && !is_event(frame)
                })
                .await;
            if response["type"] == "ack" {
                break;
            }
            assert_eq!(response["code"], "throttled", "{response}");
            tokio::time::sleep(retry_after(&response)).await;
            let text = format!("by socket {turn}");
            let frame = json!({"type": "send", "client_message_id": key, "message": text});
            socket.send(&frame).await;
        }
    }
}

async fn send_over_rest(account: &Account, id: u64) {
    for turn in 0..MESSAGES_EACH {
        account.send_retrying(id, &format!("REST {turn}")).await;
    }
}

/// Expects exactly these messages. The client checks that `seq` is dense.
async fn expect_events(socket: &mut Socket, stored: &[StoredMessage]) {
    for sent in stored {
        let event = socket.find("an event", is_event).await;
        assert_eq!(StoredMessage::from_event(&event), *sent);
    }
}
