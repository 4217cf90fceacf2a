//! Clients that send far more than a chat needs: their sockets are closed with 4100, other clients are
//! served.

use colloquy_blackbox::{Account, Control, Group, Server, Socket};
use serde_json::json;

/// The refused frames allowed on one socket in ten seconds.
const ALLOWED_ERRORS: usize = 100;

/// The commands allowed that are no sends, and the pings that a server sees.
const ALLOWED_COMMANDS: usize = 500;

/// Sends a frame until the socket is closed for flooding, at most `limit` times.
async fn flood(socket: &mut Socket, frame: &str, limit: usize) {
    for _ in 0..limit {
        if socket.try_send_text(frame).await.is_err() {
            break;
        }
    }
    let close = socket.expect_close().await;
    assert_eq!(close.code, 4100, "{frame}: {close:?}");
    assert!(close.reason.contains("after_ms="), "{close:?}");
}

#[tokio::test]
async fn flooding_socket_is_closed_without_affecting_others() {
    let (account, other, id) = Group::pair(&Server::under_test()).await;
    let mut listener = other.socket(id).v2().open().await;
    let mut socket = account.socket(id).v2().open().await;
    // Up to the limit the socket stays open.
    for _ in 0..ALLOWED_ERRORS {
        socket.send_text(r#"{"type":"dance"}"#).await;
    }
    for _ in 0..ALLOWED_ERRORS {
        assert_eq!(socket.expect_frame("error").await["code"], "unknown_type");
    }
    // Beyond it the socket is closed with a time to wait.
    flood(&mut socket, r#"{"type":"dance"}"#, 20 * ALLOWED_ERRORS).await;
    other.send_retrying(id, "after the flood").await;
    listener.expect_message("after the flood").await;
}

async fn expect_flood_to_end(account: &Account, id: u64, frame: &str) {
    let mut socket = account.socket(id).v2().open().await;
    flood(&mut socket, frame, 4 * ALLOWED_COMMANDS).await;
}

#[tokio::test]
async fn flood_of_valid_frames_closes_the_socket() {
    let (account, other, id) = Group::pair(&Server::under_test()).await;
    let mut listener = other.socket(id).v2().open().await;
    let token = &account.tokens.access;
    for frame in [
        // Not the bytes that a runtime may answer itself.
        r#"{"type": "ping"}"#.to_owned(),
        json!({"type": "auth", "token": token}).to_string(),
        json!([{"type": "ping"}, {"type": "ping"}]).to_string(),
        "[]".to_owned(),
    ] {
        expect_flood_to_end(&account, id, &frame).await;
    }
    other.send_retrying(id, "after the floods").await;
    listener.expect_message("after the floods").await;
    let skipped = "a flood of exact pings";
    if Control::with_capability("ping-rate", skipped)
        .await
        .is_some()
    {
        expect_flood_to_end(&account, id, r#"{"type":"ping"}"#).await;
    }
}

#[tokio::test]
async fn twenty_commands_per_frame_and_a_resume_after_each_message_are_no_flood() {
    let group = Group::new(&Server::under_test(), 4).await;
    let mut socket = group.members[0].socket(group.id).v2().open().await;
    let epoch = socket.epoch();
    for turn in 1..=4 {
        socket.send(&json!(vec![json!({"type": "ping"}); 20])).await;
        for _ in 0..20 {
            socket.expect_frame("pong").await;
        }
        let sender = usize::try_from(turn - 1).expect("small");
        group.members[sender]
            .send_retrying(group.id, &format!("message {turn}"))
            .await;
        socket.expect_events(1).await;
        for since in 0..turn {
            socket.resume(since, &epoch).await;
            assert_eq!(socket.expect_resumed().await["type"], "sync");
            while !socket.received().is_empty() {
                socket.next().await;
            }
        }
    }
}
