//! The socket existing clients open: two shapes of frame and nothing else, as they know it.

use colloquy_blackbox::{
    Account, Group, Server, Socket, StoredMessage, TokenIn, retry_after, timestamp,
};
use serde_json::{Value, json};

/// The words v1 clients show; they are part of the contract.
const TOO_FAST: &str = "You are sending messages too fast. Please wait a moment.";

/// Sends as a v1 client does and takes the answer: its own message, or why there is none.
async fn say(socket: &mut Socket, text: &str) -> Value {
    socket.send(&json!({"message": text})).await;
    socket.next().await
}

/// The refusal of a frame, which must leave the socket open and of v1.
async fn refusal(socket: &mut Socket, frame: &str) -> Value {
    socket.send_text(frame).await;
    let error = socket.next().await;
    assert!(error["error"].is_string(), "{frame}: {error}");
    assert!(error.get("type").is_none(), "{frame}: {error}");
    error
}

#[tokio::test]
async fn two_unmodified_clients_chat() {
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
async fn the_throttle_speaks_the_words_clients_know() {
    let (account, other, id) = Group::pair(&Server::under_test()).await;
    let mut socket = account.socket(id).open().await;
    let mut listener = other.socket(id).open().await;
    assert_eq!(say(&mut socket, "first").await["message"], "first");
    listener.expect_message("first").await;
    let refusal = loop {
        let answer = say(&mut socket, "too soon").await;
        if answer.get("error").is_some() {
            break answer;
        }
        // On a busy machine the period was over before it was asked: this one began the next.
        listener.expect_message("too soon").await;
    };
    assert_eq!(refusal["error"], TOO_FAST);
    assert_eq!(refusal["code"], "throttled");
    tokio::time::sleep(retry_after(&refusal)).await;
    assert_eq!(say(&mut socket, "in time").await["message"], "in time");
    // Nobody else received of the refusal.
    listener.expect_message("in time").await;
}

#[tokio::test]
async fn what_is_malformed_is_refused_and_the_socket_stays() {
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
            refusal(&mut socket, frame).await["code"],
            "malformed",
            "{frame}"
        );
    }
    assert_eq!(
        say(&mut socket, "still here").await["message"],
        "still here"
    );
}

#[tokio::test]
async fn a_field_of_the_wrong_type_is_refused_and_the_socket_stays() {
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
            refusal(&mut socket, frame).await["code"],
            "malformed",
            "{frame}"
        );
    }
    assert_eq!(
        say(&mut socket, "still here").await["message"],
        "still here"
    );
}

#[tokio::test]
async fn what_breaks_a_rule_is_refused_and_costs_nothing() {
    let (account, _, id) = Group::pair(&Server::under_test()).await;
    let mut socket = account.socket(id).open().await;
    let too_long = "x".repeat(4_001);
    for text in ["", " ", "\n\t \u{a0}", "a\0b", &too_long] {
        let frame = json!({"message": text}).to_string();
        assert_eq!(
            refusal(&mut socket, &frame).await["code"],
            "invalid",
            "{text:?}"
        );
    }
    assert_eq!(say(&mut socket, "still here").await["number"], 1);
    assert_eq!(account.history(id).await.len(), 1);
}

#[tokio::test]
async fn length_is_counted_in_characters() {
    let server = Server::under_test();
    let group = Group::new(&server, 3).await;
    for (member, letter) in group.members.iter().zip(["x", "é", "😀"]) {
        let mut socket = member.socket(group.id).open().await;
        let error = say(&mut socket, &letter.repeat(4_001)).await;
        assert_eq!(error["code"], "invalid");
        let longest = letter.repeat(4_000);
        assert_eq!(say(&mut socket, &longest).await["message"], longest);
    }
}

#[tokio::test]
async fn text_comes_back_as_it_was_sent() {
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
        assert_eq!(say(&mut socket, text).await["message"], text);
    }
    let stored = group.members[0].history(group.id).await;
    let stored: Vec<&str> = stored
        .iter()
        .map(|message| message["content"].as_str().unwrap())
        .collect();
    assert_eq!(stored, texts);
}

#[tokio::test]
async fn unknown_fields_are_ignored() {
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
async fn a_ping_is_answered_and_changes_nothing() {
    let (account, other, id) = Group::pair(&Server::under_test()).await;
    let mut socket = account.socket(id).open().await;
    for _ in 0..3 {
        socket.send_text(r#"{"type":"ping"}"#).await;
        socket.expect_frame("pong").await;
    }
    // Still v1: a typed refusal or a greeting would show here.
    assert!(!socket.is_v2());
    other.send_retrying(id, "hello").await;
    socket.expect_message("hello").await;
    assert!(refusal(&mut socket, "{}").await.get("type").is_none());
}

#[tokio::test]
async fn a_typed_frame_makes_it_v2_and_it_is_greeted_first() {
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
async fn any_typed_frame_does_even_one_that_is_refused() {
    let (account, _, id) = Group::pair(&Server::under_test()).await;
    for (frame, answer) in [
        (r#"{"type": "ping"}"#, "pong"),
        (r#"{"type":"dance"}"#, "error"),
        (r#"[{"type":"ping"}]"#, "pong"),
    ] {
        let mut socket = account.socket(id).open().await;
        socket.send_text(frame).await;
        socket.expect_frame("hello").await;
        socket.expect_frame(answer).await;
    }
}

#[tokio::test]
async fn the_last_slash_and_the_manner_of_the_token_make_no_difference() {
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
async fn a_sender_is_heard_by_others_only_in_its_own_conversation() {
    let server = Server::under_test();
    let people = Account::register_many(&server, 3).await;
    let one = people[0].create_conversation(&[&people[1]]).await;
    let two = people[0].create_conversation(&[&people[2]]).await;
    let ids = [one, two].map(|made| made.expect_status(201)["id"].as_u64().unwrap());
    let mut first = people[1].socket(ids[0]).open().await;
    let mut second = people[2].socket(ids[1]).open().await;
    people[0].send_retrying(ids[0], "for the first").await;
    people[0].send_retrying(ids[1], "for the second").await;
    first.expect_message("for the first").await;
    second.expect_message("for the second").await;
}
