//! The AsyncAPI description: every frame of it occurs. The sockets check every frame of every test
//! against it.

use std::collections::BTreeSet;

use colloquy_blackbox::{AsyncApi, ERROR_CODES, Group, Server, Socket, report_skipped, unique};
use serde_json::{Value, json};

/// Frames that need more than a host must offer, with the reason.
const EXCEPTIONS: [(&str, &str); 1] = [(
    "ToClient v2 auth.expiring",
    "the host offers no server with short-lived tokens",
)];

#[tokio::test]
async fn every_described_frame_occurs() {
    let server = Server::under_test();
    let mut seen = BTreeSet::new();
    let mut record = |socket: &Socket| seen.extend(socket.seen().iter().cloned());
    let group = Group::new(&server, 2).await;
    let [ada, bob] = group.members.as_slice() else {
        panic!("a group of two");
    };

    let mut v1 = bob.socket(group.id).open().await;
    v1.send(&json!({"type": "ping"})).await;
    v1.find("pong", |frame| frame["type"] == "pong").await;
    v1.send(&json!({"message": ""})).await;
    v1.expect_error().await;
    v1.send(&json!({"message": "from v1"})).await;
    v1.expect_message("from v1").await;
    record(&v1);

    let mut v2 = ada.socket(group.id).v2().open().await;
    exchange_commands(&mut v2).await;
    let message = ada.send_retrying(group.id, "to be changed").await;
    let message_id = message["id"].as_u64().expect("an id");
    ada.edit(group.id, message_id, "changed")
        .await
        .expect_status(200);
    ada.delete(group.id, message_id).await.expect_status(204);
    let eve = colloquy_blackbox::Account::new(&server).await;
    ada.add_member(group.id, eve.id).await.expect_status(201);
    v2.find("the new member", |frame| frame["type"] == "member")
        .await;
    let tokens = ada.refresh().await.expect_status(200);
    v2.send(&json!({"type": "auth", "token": tokens["access"]}))
        .await;
    v2.find("auth.ok", |frame| frame["type"] == "auth.ok").await;
    let epoch = v2.epoch();
    v2.resume(0, &epoch).await;
    assert_eq!(v2.expect_resumed().await["type"], "sync");
    v2.resume(0, "another history").await;
    assert_eq!(v2.expect_resumed().await["type"], "reset");
    record(&v2);

    let mut expected = AsyncApi::of(&server).await.frames();
    if let Some(server) = Server::short_tokens().await {
        let (account, _, id) = Group::pair(&server).await;
        let mut socket = account.socket(id).v2().open().await;
        socket.expect_frame("auth.expiring").await;
        record(&socket);
    } else {
        for (frame, reason) in EXCEPTIONS {
            assert!(expected.remove(frame), "{frame}");
            report_skipped(frame, reason);
        }
    }
    assert_eq!(seen, expected);
}

/// Sends a message in an array of commands, a command that is rejected, and a ping.
async fn exchange_commands(socket: &mut Socket) {
    let key = unique("m");
    let send = json!({"type": "send", "client_message_id": key, "message": "from v2"});
    socket.send(&json!([send, {"type": "ping"}])).await;
    socket.expect_ack(&key).await;
    let unknown = json!({"type": "send", "client_message_id": unique("m"), "message": "a reply",
        "reply_to": 999_999_999});
    socket.send(&unknown).await;
    socket.expect_error().await;
    socket.send(&json!({"type": "ping"})).await;
    socket.find("pong", |frame| frame["type"] == "pong").await;
}

#[tokio::test]
async fn description_has_every_error_code() {
    let description = AsyncApi::of(&Server::under_test()).await;
    let rows = description.document()["x-error-codes"].as_array();
    let described: Vec<Value> = rows.into_iter().flatten().cloned().collect();
    assert_eq!(described.len(), ERROR_CODES.len());
    for (row, code) in described.iter().zip(&ERROR_CODES) {
        assert_eq!(row["code"], code.name);
        assert_eq!(row["http_status"], code.status, "{row}");
        assert_eq!(row["retryable"], code.retryable, "{row}");
    }
}
