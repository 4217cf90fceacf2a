//! The limits of the protocol, each at its edge: as much as allowed passes, one more does not.

use colloquy_blackbox::{Group, Received, Server, Socket, TIMEOUT, eventually, unique};
use reqwest::Method;

/// The largest frame and the largest body, in bytes.
const FRAME: usize = 64 * 1024;

/// A v1 frame of exactly this many bytes.
fn frame_of(size: usize) -> String {
    let frame = format!("{{\"message\":\"{}\"}}", "x".repeat(size - 14));
    assert_eq!(frame.len(), size);
    frame
}

#[tokio::test]
async fn twenty_sockets_are_a_users_share_of_a_conversation() {
    let (account, other, id) = Group::pair(&Server::under_test()).await;
    let laptop = account.log_in().await;
    let mut sockets: Vec<Socket> = Vec::new();
    for turn in 0..20 {
        // The share is the user's, whatever the login.
        let login = if turn % 2 == 0 { &account } else { &laptop };
        sockets.push(login.socket(id).v2().open().await);
    }
    assert_eq!(account.socket(id).v2().expect_refusal().await.code, 4409);
    assert_eq!(laptop.socket(id).expect_refusal().await.code, 4409);
    // The others go on, another user has a share of his own, and a place given up is free again.
    other.socket(id).v2().open().await.close().await;
    other.send_retrying(id, "to all of them").await;
    for socket in &mut sockets {
        socket.expect_message("to all of them").await;
    }
    sockets.pop().expect("twenty sockets").close().await;
    let mut again = eventually("the place is free again", async || {
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
async fn a_frame_too_large_closes_the_socket() {
    let (account, other, id) = Group::pair(&Server::under_test()).await;
    let mut listener = other.socket(id).v2().open().await;
    for size in [FRAME + 1, 2 * FRAME] {
        let mut socket = account.socket(id).open().await;
        let frame = frame_of(size);
        // It may fail while the server closes; what counts is how it closes.
        let _ = socket.try_send_text(&frame).await;
        let close = socket.expect_close().await;
        assert_eq!(close.code, 4413, "{size}: {close:?}");
    }
    // One who is still sending when the end comes may find the connection broken instead.
    let mut socket = account.socket(id).open().await;
    let _ = socket.try_send_text(&frame_of(200 * FRAME)).await;
    let close = socket.expect_close().await;
    assert!(matches!(close.code, 4413 | 1006), "{close:?}");
    // In pieces it is no smaller.
    let mut socket = account.socket(id).open().await;
    let piece = "x".repeat(40_000);
    let head = format!("{{\"message\":\"{piece}");
    socket
        .send_pieces(&[head.as_bytes(), piece.as_bytes(), b"\"}"])
        .await;
    assert_eq!(socket.expect_close().await.code, 4413);
    account.send_retrying(id, "nothing of the sort").await;
    listener.expect_message("nothing of the sort").await;
}

#[tokio::test]
async fn a_frame_as_large_as_allowed_is_read() {
    let (account, _, id) = Group::pair(&Server::under_test()).await;
    let mut socket = account.socket(id).open().await;
    let filler = "x".repeat(FRAME - r#"{"message":"within","filler":""}"#.len());
    let frame = format!("{{\"message\":\"within\",\"filler\":\"{filler}\"}}");
    assert_eq!(frame.len(), FRAME);
    socket.send_text(&frame).await;
    socket.expect_message("within").await;
}

#[tokio::test]
async fn a_body_too_large_is_refused_and_one_as_large_as_allowed_is_read() {
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
    for size in [FRAME + 1, 3 * FRAME] {
        let request = account.api.request(Method::POST, &path);
        let answer = request
            .raw_body("application/json", body_of(size))
            .send()
            .await;
        answer.expect_error(413, "too_large");
    }
    let request = account.api.request(Method::POST, &path);
    let answer = request
        .raw_body("application/json", body_of(FRAME))
        .send()
        .await;
    assert_eq!(answer.expect_status(201)["content"], "within");
    assert_eq!(account.history(id).await.len(), 1);
}
