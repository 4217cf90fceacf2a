//! v1 sockets, for existing clients: two shapes of frame and nothing else.

use colloquy_blackbox::{
    Account, Group, Server, Socket, StoredMessage, TokenIn, retry_after, timestamp,
};
use serde_json::{Value, json};

/// v1 clients display this text, so it is part of the protocol.
const TOO_FAST: &str = "You are sending messages too fast. Please wait a moment.";

/// Sends a message and returns the next frame: the message or an error.
async fn send(socket: &mut Socket, text: &str) -> Value {
    socket.send(&json!({"message": text})).await;
    socket.next().await
}

/// Sends a frame and returns the error, which must be a v1 error.
async fn send_refused(socket: &mut Socket, frame: &str) -> Value {
    socket.send_text(frame).await;
    let error = socket.next().await;
    assert!(error["error"].is_string(), "{frame}: {error}");
    assert!(error.get("type").is_none(), "{frame}: {error}");
    error
}

#[tokio::test]
async fn two_v1_clients_exchange_messages() {
    let (one, other, id) = Group::pair(&Server::under_test()).await;
    let mut first = one.socket(id).open().await;
    let mut second = other.socket(id).open().await;
    let turns = [("Hello", &one), ("How are you? 😀", &other)];
    let mut seen = Vec::new();
    for (text, by) in turns {
        let sender = if by.id == one.id {
            &mut first
        } else {
            &mut second
        };
        sender.send(&json!({"message": text})).await;
        let (mine, theirs) = (first.next().await, second.next().await);
        assert_eq!(mine, theirs, "both see the same");
        assert_eq!(mine["message"], text);
        assert_eq!(mine["sender_id"], by.id);
        assert_eq!(mine["sender"], by.username);
        timestamp(&mine["timestamp"]);
        seen.push(StoredMessage::from_event(&mine));
    }
    assert_eq!(StoredMessage::all_from_rest(&other.history(id).await), seen);
}

#[tokio::test]
async fn throttled_v1_send_returns_the_documented_text() {
    let (account, other, id) = Group::pair(&Server::under_test()).await;
    let mut socket = account.socket(id).open().await;
    let mut listener = other.socket(id).open().await;
    assert_eq!(send(&mut socket, "first").await["message"], "first");
    listener.expect_message("first").await;
    let error = loop {
        let response = send(&mut socket, "too soon").await;
        if response.get("error").is_some() {
            break response;
        }
        // On a busy machine the period may have ended: then this send started the next one.
        listener.expect_message("too soon").await;
    };
    assert_eq!(error["error"], TOO_FAST);
    assert_eq!(error["code"], "throttled");
    tokio::time::sleep(retry_after(&error)).await;
    assert_eq!(send(&mut socket, "in time").await["message"], "in time");
    // Other members do not receive the error.
    listener.expect_message("in time").await;
}

#[tokio::test]
async fn malformed_v1_frame_leaves_the_socket_open() {
    let (account, _, id) = Group::pair(&Server::under_test()).await;
    let mut socket = account.socket(id).open().await;
    for frame in [
        "",
        "{",
        "7",
        "\"Hello\"",
        "null",
        "{\"message\":",
        "Hello",
        "{\"message\":\"\\ud800\"}",
    ] {
        assert_eq!(
            send_refused(&mut socket, frame).await["code"],
            "malformed",
            "{frame}"
        );
    }
    assert_eq!(
        send(&mut socket, "still here").await["message"],
        "still here"
    );
}

#[tokio::test]
async fn v1_frame_with_a_wrong_type_leaves_the_socket_open() {
    let (account, _, id) = Group::pair(&Server::under_test()).await;
    let mut socket = account.socket(id).open().await;
    for frame in [
        "{}",
        "{\"message\":7}",
        "{\"message\":null}",
        "{\"message\":[\"x\"]}",
        "{\"message\":{\"a\":1}}",
        "{\"msg\":\"Hello\"}",
    ] {
        assert_eq!(
            send_refused(&mut socket, frame).await["code"],
            "malformed",
            "{frame}"
        );
    }
    assert_eq!(
        send(&mut socket, "still here").await["message"],
        "still here"
    );
}

#[tokio::test]
async fn invalid_v1_message_is_refused_without_throttling() {
    let (account, _, id) = Group::pair(&Server::under_test()).await;
    let mut socket = account.socket(id).open().await;
    let too_long = "x".repeat(4_001);
    for text in [
        "",
        " ",
        "\n\t \u{a0}",
        "a\0b",
        "\u{200b}\u{3164}",
        &too_long,
    ] {
        let frame = json!({"message": text}).to_string();
        assert_eq!(
            send_refused(&mut socket, &frame).await["code"],
            "invalid",
            "{text:?}"
        );
    }
    assert_eq!(send(&mut socket, "still here").await["number"], 1);
    assert_eq!(account.history(id).await.len(), 1);
}

#[tokio::test]
async fn message_length_is_counted_in_characters() {
    let server = Server::under_test();
    let group = Group::new(&server, 3).await;
    for (member, letter) in group.members.iter().zip(["x", "é", "😀"]) {
        let mut socket = member.socket(group.id).open().await;
        let error = send(&mut socket, &letter.repeat(4_001)).await;
        assert_eq!(error["code"], "invalid");
        let longest = letter.repeat(4_000);
        assert_eq!(send(&mut socket, &longest).await["message"], longest);
    }
}

#[tokio::test]
async fn v1_text_is_delivered_verbatim() {
    let texts = [
        "  spaces around  ",
        "line\nbreak\r\n\ttab",
        "\u{202e}right to left\u{202c} \u{200b}",
        "<script>alert(1)</script>",
        "'; drop table messages; --",
        "{\"message\":\"nested\"}",
        "\u{1}\u{7f}\u{ffff}",
    ];
    let group = Group::new(&Server::under_test(), texts.len()).await;
    for (member, text) in group.members.iter().zip(texts) {
        let mut socket = member.socket(group.id).open().await;
        assert_eq!(send(&mut socket, text).await["message"], text);
    }
    let stored = group.members[0].history(group.id).await;
    let stored: Vec<&str> = stored
        .iter()
        .map(|message| message["content"].as_str().unwrap())
        .collect();
    assert_eq!(stored, texts);
}

#[tokio::test]
async fn unknown_v1_fields_are_ignored() {
    let (account, _, id) = Group::pair(&Server::under_test()).await;
    let mut socket = account.socket(id).open().await;
    let frame = json!({"message": "Hello", "sender_id": 1, "seq": 99, "room": {"a": [1]}});
    socket.send(&frame).await;
    let message = socket.expect_message("Hello").await;
    assert_eq!(
        (&message["sender_id"], &message["seq"]),
        (&json!(account.id), &json!(1))
    );
}

#[tokio::test]
async fn ping_is_answered_and_the_socket_stays_v1() {
    let (account, other, id) = Group::pair(&Server::under_test()).await;
    let mut socket = account.socket(id).open().await;
    for _ in 0..3 {
        socket.send_text(r#"{"type":"ping"}"#).await;
        socket.expect_frame("pong").await;
    }
    // Still v1: otherwise `hello` or a typed error would arrive.
    assert!(!socket.is_v2());
    other.send_retrying(id, "hello").await;
    socket.expect_message("hello").await;
    assert!(send_refused(&mut socket, "{}").await.get("type").is_none());
}

#[tokio::test]
async fn typed_frame_upgrades_a_v1_socket_to_v2() {
    let (account, other, id) = Group::pair(&Server::under_test()).await;
    let mut socket = account.socket(id).open().await;
    other.send_retrying(id, "before").await;
    socket.expect_message("before").await;
    let sent = socket.send_message("typed").await;
    let hello = socket.expect_frame("hello").await;
    assert_eq!(hello["seq"], 1);
    assert_eq!(socket.expect_ack(&sent).await["seq"], 2);
    socket.expect_message("typed").await;
}

#[tokio::test]
async fn any_typed_frame_upgrades_the_socket_even_a_refused_one() {
    let (account, _, id) = Group::pair(&Server::under_test()).await;
    for (frame, response) in [
        (r#"{"type": "ping"}"#, "pong"),
        (r#"{"type":"dance"}"#, "error"),
        (r#"[{"type":"ping"}]"#, "pong"),
    ] {
        let mut socket = account.socket(id).open().await;
        socket.send_text(frame).await;
        socket.expect_frame("hello").await;
        socket.expect_frame(response).await;
    }
}

#[tokio::test]
async fn empty_array_is_malformed_and_the_socket_stays_v1() {
    let (account, other, id) = Group::pair(&Server::under_test()).await;
    let mut socket = account.socket(id).open().await;
    for frame in ["[]", " [ ] "] {
        let error = send_refused(&mut socket, frame).await;
        assert_eq!(error["code"], "malformed", "{error}");
        assert!(error.get("type").is_none(), "{error}");
    }
    other.send_retrying(id, "hello").await;
    socket.expect_message("hello").await;
    assert!(!socket.is_v2());
    let mut v2 = account.socket(id).v2().open().await;
    v2.send_text("[]").await;
    assert_eq!(v2.expect_frame("error").await["code"], "malformed");
}

#[tokio::test]
async fn v1_sockets_open_with_every_path_form_and_token_place() {
    let (account, other, id) = Group::pair(&Server::under_test()).await;
    let mut sockets = Vec::new();
    for path in [format!("/ws/chat/{id}/"), format!("/ws/chat/{id}")] {
        for manner in [TokenIn::Query, TokenIn::Header] {
            sockets.push(account.socket(id).path(&path).token_in(manner).open().await);
        }
    }
    other.send_retrying(id, "to all of them").await;
    for socket in &mut sockets {
        socket.expect_message("to all of them").await;
    }
}

#[tokio::test]
async fn messages_are_delivered_in_their_own_conversation_only() {
    let server = Server::under_test();
    let accounts = Account::register_many(&server, 3).await;
    let one = accounts[0].create_conversation(&[&accounts[1]]).await;
    let two = accounts[0].create_conversation(&[&accounts[2]]).await;
    let ids = [one, two].map(|made| made.expect_status(201)["id"].as_u64().unwrap());
    let mut first = accounts[1].socket(ids[0]).open().await;
    let mut second = accounts[2].socket(ids[1]).open().await;
    accounts[0].send_retrying(ids[0], "for the first").await;
    accounts[0].send_retrying(ids[1], "for the second").await;
    first.expect_message("for the first").await;
    second.expect_message("for the second").await;
}
