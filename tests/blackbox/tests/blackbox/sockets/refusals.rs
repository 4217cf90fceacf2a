//! Sockets that may not be, or no longer: each is accepted and closed with the code that says why.

use colloquy_blackbox::{Account, Control, Group, Server, TokenIn};
use tokio_tungstenite::tungstenite::Error;

const MISSING_ID: u64 = 999_999_999_999;

#[tokio::test]
async fn without_a_token_there_is_no_socket() {
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
async fn a_bad_token_is_refused_in_every_manner() {
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
async fn a_foreign_conversation_is_refused() {
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
async fn a_missing_conversation_is_refused() {
    let account = Account::new(&Server::under_test()).await;
    assert_eq!(account.socket(MISSING_ID).expect_refusal().await.code, 4404);
    assert_eq!(
        account.socket(MISSING_ID).v2().expect_refusal().await.code,
        4404
    );
    assert_eq!(account.socket(0).expect_refusal().await.code, 4404);
}

#[tokio::test]
async fn a_path_without_a_number_is_no_conversation() {
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
        // Plain HTTP is told of the path or of the protocol, whichever is looked at first.
        let answer = account.api.get(path).await;
        assert!(matches!(answer.status, 404 | 426), "{answer}");
    }
}

#[tokio::test]
async fn a_plain_request_is_told_to_upgrade() {
    let (account, _, id) = Group::pair(&Server::under_test()).await;
    for path in [format!("/ws/chat/{id}/"), format!("/ws/chat/{id}")] {
        let answer = account.api.get(&path).await;
        answer.expect_error(426, "upgrade_required");
        let path = format!("{path}?token={}", account.tokens.access);
        account
            .api
            .get(&path)
            .await
            .expect_error(426, "upgrade_required");
    }
}

#[tokio::test]
async fn a_binary_frame_closes_the_socket() {
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
async fn text_that_is_not_utf_8_closes_the_socket() {
    if Control::with_capability("utf-8", "text that is not UTF-8")
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
        let close = socket.expect_close().await;
        // 1007 where the WebSocket layer itself notices (RFC 6455 §8.1).
        assert!(matches!(close.code, 4400 | 1007), "{close:?}");
    }
    assert!(account.history(id).await.is_empty());
}

#[tokio::test]
async fn a_message_in_pieces_is_one_message() {
    let (account, _, id) = Group::pair(&Server::under_test()).await;
    let mut socket = account.socket(id).open().await;
    // The cut goes through a character, which is allowed between frames (RFC 6455 §5.6).
    let text = "{\"message\":\"in pieces: é\"}".as_bytes();
    let middle = text.len() - 3;
    socket
        .send_pieces(&[&text[..5], &text[5..middle], &text[middle..]])
        .await;
    socket.expect_message("in pieces: é").await;
}
