//! Refused sockets: the server accepts the upgrade and closes with the code of the reason.

use colloquy_blackbox::{Account, Control, Group, Server, TokenIn};
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

const MISSING_ID: u64 = 999_999_999_999;

#[tokio::test]
async fn socket_without_a_token_is_refused() {
    let (account, _, id) = Group::pair(&Server::under_test()).await;
    for v2 in [false, true] {
        let mut opening = account.socket(id).token_in(TokenIn::Nowhere);
        if v2 {
            opening = opening.v2();
        }
        assert_eq!(opening.expect_refusal().await.code, 4401);
    }
    assert_eq!(
        account.socket(id).token("").expect_refusal().await.code,
        4401
    );
}

#[tokio::test]
async fn invalid_token_is_refused_in_every_place() {
    let (account, _, id) = Group::pair(&Server::under_test()).await;
    for manner in [TokenIn::Query, TokenIn::Subprotocol, TokenIn::Header] {
        for token in ["nonsense", &account.tokens.refresh] {
            let close = account
                .socket(id)
                .token_in(manner)
                .token(token)
                .expect_refusal()
                .await;
            assert_eq!(close.code, 4401, "{manner:?}: {close:?}");
        }
    }
}

#[tokio::test]
async fn socket_of_a_non_member_is_refused() {
    let server = Server::under_test();
    let (_, _, id) = Group::pair(&server).await;
    let outsider = Account::new(&server).await;
    for manner in [TokenIn::Query, TokenIn::Subprotocol, TokenIn::Header] {
        assert_eq!(
            outsider
                .socket(id)
                .token_in(manner)
                .expect_refusal()
                .await
                .code,
            4403
        );
    }
}

#[tokio::test]
async fn socket_to_a_missing_conversation_is_refused() {
    let account = Account::new(&Server::under_test()).await;
    assert_eq!(account.socket(MISSING_ID).expect_refusal().await.code, 4404);
    assert_eq!(
        account.socket(MISSING_ID).v2().expect_refusal().await.code,
        4404
    );
    assert_eq!(account.socket(0).expect_refusal().await.code, 4404);
}

#[tokio::test]
async fn socket_path_with_an_invalid_id_is_not_found() {
    let account = Account::new(&Server::under_test()).await;
    for path in [
        "/ws/chat/x/",
        "/ws/chat/1.5/",
        "/ws/chat/%00/",
        "/ws/chat/99999999999999999999/",
    ] {
        match account.socket(0).path(path).attempt().await {
            Err(Error::Http(response)) => assert_eq!(response.status().as_u16(), 404, "{path}"),
            Err(other) => panic!("{path}: {other}"),
            Ok(mut socket) => assert_eq!(socket.expect_close().await.code, 4404, "{path}"),
        }
        // Plain HTTP gets either the error of the path or that of the protocol.
        let response = account.api.get(path).await;
        assert!(matches!(response.status, 404 | 426), "{response}");
    }
}

#[tokio::test]
async fn plain_request_to_a_socket_path_requires_an_upgrade() {
    let (account, _, id) = Group::pair(&Server::under_test()).await;
    for path in [format!("/ws/chat/{id}/"), format!("/ws/chat/{id}")] {
        let response = account.api.get(&path).await;
        response.expect_error(426, "upgrade_required");
        let path = format!("{path}?token={}", account.tokens.access);
        account
            .api
            .get(&path)
            .await
            .expect_error(426, "upgrade_required");
    }
}

#[tokio::test]
async fn binary_frame_closes_the_socket() {
    let (account, _, id) = Group::pair(&Server::under_test()).await;
    for bytes in [b"".as_slice(), br#"{"message":"Hello"}"#, &[0xff, 0x00]] {
        for v2 in [false, true] {
            let opening = account.socket(id);
            let opening = if v2 { opening.v2() } else { opening };
            let mut socket = opening.open().await;
            socket.send_binary(bytes).await;
            assert_eq!(socket.expect_close().await.code, 4400);
        }
    }
    assert!(account.history(id).await.is_empty());
}

#[tokio::test]
async fn invalid_utf_8_in_a_frame_closes_the_socket() {
    if Control::with_capability("raw-text", "text that is not UTF-8")
        .await
        .is_none()
    {
        return;
    }
    let (account, _, id) = Group::pair(&Server::under_test()).await;
    for bytes in [
        b"{\"message\":\"\xff\"}".as_slice(),
        b"\xc3",
        b"\xed\xa0\x80",
    ] {
        let mut socket = account.socket(id).open().await;
        socket.send_pieces(&[bytes]).await;
        // RFC 6455 §8.1.
        assert_eq!(socket.expect_close().await.code, 1007, "{bytes:?}");
    }
    assert!(account.history(id).await.is_empty());
}

#[tokio::test]
async fn protocol_violation_closes_the_socket() {
    if Control::with_capability("raw-text", "frames that violate RFC 6455")
        .await
        .is_none()
    {
        return;
    }
    let (account, other, id) = Group::pair(&Server::under_test()).await;
    let mut listener = other.socket(id).v2().open().await;
    let text = OpCode::Data(Data::Text);
    let mut reserved_bit = Frame::message("{}", text, true);
    reserved_bit.header_mut().rsv1 = true;
    let continuation = Frame::message("{}", OpCode::Data(Data::Continue), true);
    let mut long_ping = Frame::ping(vec![0; 126]);
    long_ping.header_mut().is_final = true;
    for frame in [reserved_bit, continuation, long_ping] {
        let mut socket = account.socket(id).open().await;
        socket.send_raw(frame.clone()).await;
        assert_eq!(socket.expect_close().await.code, 1002, "{frame}");
    }
    // A new text frame within a fragmented message.
    let mut socket = account.socket(id).open().await;
    for _ in 0..2 {
        socket.send_raw(Frame::message("{", text, false)).await;
    }
    assert_eq!(socket.expect_close().await.code, 1002);
    account.send_retrying(id, "still here").await;
    listener.expect_message("still here").await;
}

#[tokio::test]
async fn fragmented_message_is_reassembled() {
    let (account, _, id) = Group::pair(&Server::under_test()).await;
    let mut socket = account.socket(id).open().await;
    // Fragments may split a character (RFC 6455 §5.6).
    let text = "{\"message\":\"in fragments: é\"}".as_bytes();
    let middle = text.len() - 3;
    socket
        .send_pieces(&[&text[..5], &text[5..middle], &text[middle..]])
        .await;
    socket.expect_message("in fragments: é").await;
}
