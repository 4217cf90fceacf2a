//! The limits of the protocol, each at its boundary.

use colloquy_blackbox::{Group, Received, Server, Socket, TIMEOUT, eventually, unique};
use reqwest::Method;

/// The largest frame and the largest body, in bytes.
const MAX_BYTES: usize = 64 * 1024;

/// A v1 frame of exactly this many bytes.
fn frame_of(size: usize) -> String {
    let frame = format!("{{\"message\":\"{}\"}}", "x".repeat(size - 14));
    assert_eq!(frame.len(), size);
    frame
}

#[tokio::test]
async fn user_holds_at_most_twenty_sockets_in_a_conversation() {
    let (account, other, id) = Group::pair(&Server::under_test()).await;
    let laptop = account.log_in().await;
    let mut sockets: Vec<Socket> = Vec::new();
    for turn in 0..20 {
        // The limit is per user, not per session.
        let login = if turn % 2 == 0 { &account } else { &laptop };
        sockets.push(login.socket(id).v2().open().await);
    }
    assert_eq!(account.socket(id).v2().expect_refusal().await.code, 4409);
    let refusal = laptop.socket(id).expect_refusal().await;
    assert_eq!(refusal.code, 4409);
    assert!(refusal.reason.contains("after_ms="), "{refusal:?}");
    // The open sockets work, another user has a limit of its own, and a closed socket frees its slot.
    other.socket(id).v2().open().await.close().await;
    other.send_retrying(id, "to all of them").await;
    for socket in &mut sockets {
        socket.expect_message("to all of them").await;
    }
    sockets.pop().expect("twenty sockets").close().await;
    let mut again = eventually("the slot is free again", async || {
        let mut socket = account.socket(id).attempt().await.ok()?;
        socket.send_text(r#"{"type":"ping"}"#).await;
        match socket.receive(TIMEOUT).await {
            Received::Frame(_) => Some(socket),
            _ => None,
        }
    })
    .await;
    other.send_retrying(id, "and to the new one").await;
    again.expect_message("and to the new one").await;
}

#[tokio::test]
async fn oversized_frame_closes_the_socket() {
    let (account, other, id) = Group::pair(&Server::under_test()).await;
    let mut listener = other.socket(id).v2().open().await;
    for size in [MAX_BYTES + 1, 2 * MAX_BYTES] {
        let mut socket = account.socket(id).open().await;
        let frame = frame_of(size);
        // The write may fail while the server closes; the close code counts.
        let _ = socket.try_send_text(&frame).await;
        let close = socket.expect_close().await;
        assert_eq!(close.code, 4413, "{size}: {close:?}");
    }
    // A client that is still writing at the close may find the connection broken instead.
    let mut socket = account.socket(id).open().await;
    let _ = socket.try_send_text(&frame_of(200 * MAX_BYTES)).await;
    let close = socket.expect_close().await;
    assert!(matches!(close.code, 4413 | 1006), "{close:?}");
    // The limit holds for fragmented messages.
    let mut socket = account.socket(id).open().await;
    let piece = "x".repeat(40_000);
    let head = format!("{{\"message\":\"{piece}");
    socket
        .send_pieces(&[head.as_bytes(), piece.as_bytes(), b"\"}"])
        .await;
    assert_eq!(socket.expect_close().await.code, 4413);
    account.send_retrying(id, "a normal message").await;
    listener.expect_message("a normal message").await;
}

#[tokio::test]
async fn frame_of_the_maximum_size_is_accepted() {
    let (account, _, id) = Group::pair(&Server::under_test()).await;
    let mut socket = account.socket(id).open().await;
    let filler = "x".repeat(MAX_BYTES - r#"{"message":"within","filler":""}"#.len());
    let frame = format!("{{\"message\":\"within\",\"filler\":\"{filler}\"}}");
    assert_eq!(frame.len(), MAX_BYTES);
    socket.send_text(&frame).await;
    socket.expect_message("within").await;
}

#[tokio::test]
async fn body_above_the_maximum_size_is_rejected() {
    let (account, _, id) = Group::pair(&Server::under_test()).await;
    let path = format!("/api/chat/conversations/{id}/messages/");
    let body_of = |size: usize| {
        let head = format!(
            "{{\"client_message_id\":\"{}\",\"message\":\"within\",\"filler\":\"",
            unique("m")
        );
        let filler = "x".repeat(size - head.len() - 2);
        format!("{head}{filler}\"}}")
    };
    for size in [MAX_BYTES + 1, 3 * MAX_BYTES] {
        let request = account.api.request(Method::POST, &path);
        let response = request
            .raw_body("application/json", body_of(size))
            .send()
            .await;
        response.expect_error(413, "too_large");
    }
    let request = account.api.request(Method::POST, &path);
    let response = request
        .raw_body("application/json", body_of(MAX_BYTES))
        .send()
        .await;
    assert_eq!(response.expect_status(201)["content"], "within");
    assert_eq!(account.history(id).await.len(), 1);
}
