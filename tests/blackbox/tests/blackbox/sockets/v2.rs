//! The typed socket: the greeting, acknowledgements, order, commands in arrays, fresher tokens.

use colloquy_blackbox::{Account, Group, Server, StoredMessage, TokenIn, timestamp, unique};
use serde_json::{Value, json};

#[tokio::test]
async fn the_greeting_says_where_the_conversation_stands() {
    let (account, other, id) = Group::pair(&Server::under_test()).await;
    let mut epochs = Vec::new();
    for expected in 0..2 {
        let socket = account.socket(id).v2().open().await;
        let hello = socket.hello();
        assert_eq!(hello["v"], 2);
        assert_eq!(hello["conversation_id"], id);
        assert_eq!(hello["user_id"], account.id);
        assert_eq!(
            (&hello["seq"], &hello["number"]),
            (&json!(expected), &json!(expected))
        );
        assert!(
            hello["heartbeat_s"]
                .as_i64()
                .is_some_and(|seconds| seconds > 0),
            "{hello}"
        );
        let left = timestamp(&hello["token_expires_at"]) - time::OffsetDateTime::now_utc();
        assert!(left.is_positive(), "{hello}");
        epochs.push(socket.epoch());
        socket.close().await;
        other.send_retrying(id, "one more").await;
    }
    assert_eq!(epochs[0], epochs[1]);
}

#[tokio::test]
async fn every_manner_of_opening_is_greeted() {
    let (account, other, id) = Group::pair(&Server::under_test()).await;
    let mut sockets = Vec::new();
    for manner in [TokenIn::Query, TokenIn::Subprotocol, TokenIn::Header] {
        // That exactly `chat.v2` is echoed is checked by every opening.
        sockets.push(account.socket(id).v2().token_in(manner).open().await);
    }
    other.send_retrying(id, "to all of them").await;
    for socket in &mut sockets {
        socket.expect_message("to all of them").await;
    }
}

#[tokio::test]
async fn a_send_is_acknowledged_and_heard_by_everyone_alike() {
    let (account, other, id) = Group::pair(&Server::under_test()).await;
    let mut socket = account.socket(id).v2().open().await;
    let mut listeners = vec![
        account.socket(id).v2().open().await,
        other.socket(id).v2().open().await,
        other.socket(id).open().await,
    ];
    let key = socket.send_message("Hello").await;
    let ack = socket.expect_ack(&key).await;
    assert_eq!(ack["duplicate"], false);
    let own = socket.expect_message("Hello").await;
    assert_eq!(own["sender_id"], account.id);
    assert_eq!(own["sender"], account.username);
    for name in [
        "message_id",
        "seq",
        "number",
        "timestamp",
        "client_message_id",
    ] {
        assert_eq!(ack[name], own[name], "{name}");
    }
    for listener in &mut listeners {
        assert_eq!(listener.expect_message("Hello").await, own);
    }
    let stored = other.newest_page(id).await["messages"][0].clone();
    assert_eq!(
        StoredMessage::from_rest(&stored),
        StoredMessage::from_event(&own)
    );
    assert_eq!(stored["client_message_id"], key);
}

#[tokio::test]
async fn replies_and_mentions_travel() {
    let (account, other, id) = Group::pair(&Server::under_test()).await;
    let first = account.send_retrying(id, "first").await;
    let mut socket = other.socket(id).v2().open().await;
    let mut listener = account.socket(id).v2().open().await;
    let key = unique("m");
    socket
        .send(&json!({
            "type": "send", "client_message_id": key, "message": "second",
            "reply_to": first["id"], "mentions": [account.id],
        }))
        .await;
    socket.expect_ack(&key).await;
    let received = listener.expect_message("second").await;
    assert_eq!(received["reply_to"], first["id"]);
    assert_eq!(received["mentions"], json!([account.id]));
}

#[tokio::test]
async fn a_send_over_rest_is_heard_on_sockets() {
    let (account, other, id) = Group::pair(&Server::under_test()).await;
    let mut sockets = [
        account.socket(id).v2().open().await,
        other.socket(id).v2().open().await,
    ];
    let key = unique("m");
    let made = account.send(id, &key, "by post").await.expect_status(201);
    for socket in &mut sockets {
        let received = socket.expect_message("by post").await;
        assert_eq!(
            StoredMessage::from_event(&received),
            StoredMessage::from_rest(&made)
        );
        assert_eq!(received["client_message_id"], key);
    }
}

#[tokio::test]
async fn a_refused_send_says_which_and_nothing_else_happens() {
    let (account, other, id) = Group::pair(&Server::under_test()).await;
    let mut socket = account.socket(id).v2().open().await;
    let mut listener = other.socket(id).v2().open().await;
    let too_long = "x".repeat(4_001);
    for (field, value, code) in [
        ("message", json!(""), "invalid"),
        ("message", json!(" \n "), "invalid"),
        ("message", json!(too_long), "invalid"),
        ("message", json!("a\0b"), "invalid"),
        ("message", json!(7), "malformed"),
        ("message", Value::Null, "malformed"),
        ("reply_to", json!(999_999_999), "invalid"),
        ("reply_to", json!("x"), "malformed"),
        ("mentions", json!("x"), "malformed"),
    ] {
        let key = unique("m");
        let mut frame = json!({"type": "send", "client_message_id": key, "message": "x"});
        frame[field] = value;
        socket.send(&frame).await;
        let error = socket.expect_frame("error").await;
        assert_eq!(error["code"], code, "{frame}: {error}");
        assert_eq!(error["client_message_id"], key, "{error}");
    }
    let key = socket.send_message("the first that counts").await;
    assert_eq!(socket.expect_ack(&key).await["number"], 1);
    assert_eq!(
        listener.expect_message("the first that counts").await["seq"],
        1
    );
}

#[tokio::test]
async fn a_send_needs_an_id_of_its_own() {
    let (account, _, id) = Group::pair(&Server::under_test()).await;
    let mut socket = account.socket(id).v2().open().await;
    for (key, code) in [
        (Value::Null, "malformed"),
        (json!(7), "malformed"),
        (json!(""), "invalid"),
        (json!("a b"), "invalid"),
        (json!("é"), "invalid"),
        (json!("a\n"), "invalid"),
        (json!("x".repeat(65)), "invalid"),
    ] {
        let frame = json!({"type": "send", "client_message_id": key, "message": "x"});
        socket.send(&frame).await;
        assert_eq!(socket.expect_frame("error").await["code"], code, "{frame}");
    }
    socket.send(&json!({"type": "send", "message": "x"})).await;
    assert_eq!(socket.expect_frame("error").await["code"], "malformed");
    let longest = format!("!~{}", "x".repeat(62));
    socket
        .send(&json!({"type": "send", "client_message_id": longest, "message": "x"}))
        .await;
    assert_eq!(socket.expect_ack(&longest).await["number"], 1);
}

#[tokio::test]
async fn unknown_types_and_malformed_frames_leave_it_open() {
    let (account, _, id) = Group::pair(&Server::under_test()).await;
    let mut socket = account.socket(id).v2().open().await;
    for (frame, code) in [
        (r#"{"type":"dance"}"#, "unknown_type"),
        (r#"{"type":""}"#, "unknown_type"),
        (r#"{"type":"SEND"}"#, "unknown_type"),
        (r#"{"type":7}"#, "malformed"),
        ("{", "malformed"),
        ("7", "malformed"),
        (r#"{"type":"resume"}"#, "malformed"),
        (r#"{"type":"resume","since":"x","epoch":"x"}"#, "malformed"),
        (r#"{"type":"auth"}"#, "malformed"),
    ] {
        socket.send_text(frame).await;
        let error = socket.expect_frame("error").await;
        assert_eq!(error["code"], code, "{frame}: {error}");
    }
    socket.send(&json!({"type": "ping", "more": 1})).await;
    socket.expect_frame("pong").await;
}

#[tokio::test]
async fn a_frame_may_carry_twenty_commands() {
    let (account, _, id) = Group::pair(&Server::under_test()).await;
    let mut socket = account.socket(id).v2().open().await;
    socket.send(&json!(vec![json!({"type": "ping"}); 20])).await;
    for _ in 0..20 {
        socket.expect_frame("pong").await;
    }
    // Each stands for itself: the ones refused do not spoil the others.
    let key = unique("m");
    socket
        .send(&json!([
            {"type": "dance"},
            {"type": "send", "client_message_id": key, "message": "in between"},
            7,
        ]))
        .await;
    socket.expect_ack(&key).await;
    let codes = [socket.expect_error().await, socket.expect_error().await]
        .map(|error| error["code"].clone());
    assert!(codes.contains(&json!("unknown_type")), "{codes:?}");
    assert!(codes.contains(&json!("malformed")), "{codes:?}");
}

#[tokio::test]
async fn a_frame_of_more_commands_is_refused_whole() {
    let (account, _, id) = Group::pair(&Server::under_test()).await;
    let mut socket = account.socket(id).v2().open().await;
    let mut commands = vec![json!({"type": "ping"}); 20];
    let key = unique("m");
    commands.insert(
        0,
        json!({"type": "send", "client_message_id": key, "message": "one of 21"}),
    );
    socket.send(&json!(commands)).await;
    socket.expect_frame("error").await;
    // No pong came before this one, and nothing was stored.
    socket.send_text(r#"{"type":"ping"}"#).await;
    socket.expect_frame("pong").await;
    assert!(account.history(id).await.is_empty());
    let key = socket.send_message("alone").await;
    assert_eq!(socket.expect_ack(&key).await["number"], 1);
}

#[tokio::test]
async fn sends_of_one_frame_by_many_people_keep_their_order() {
    let server = Server::under_test();
    let group = Group::new(&server, 6).await;
    let mut listener = group.members[0].socket(group.id).v2().open().await;
    let mut v1 = group.members[0].socket(group.id).open().await;
    group.send_many(6).await;
    let received = listener.expect_events(6).await;
    let seqs: Vec<u64> = received
        .iter()
        .map(|event| event["seq"].as_u64().unwrap())
        .collect();
    assert_eq!(seqs, [1, 2, 3, 4, 5, 6]);
    // Batches of v2 reach v1 one by one, the same events.
    assert_eq!(v1.expect_events(6).await, received);
}

#[tokio::test]
async fn a_fresher_token_of_the_session_is_taken() {
    let (account, _, id) = Group::pair(&Server::under_test()).await;
    let mut socket = account.socket(id).v2().open().await;
    let body = account.refresh().await.expect_status(200);
    socket
        .send(&json!({"type": "auth", "token": body["access"]}))
        .await;
    let taken = socket.expect_frame("auth.ok").await;
    let before = timestamp(&socket.hello()["token_expires_at"]);
    assert!(timestamp(&taken["token_expires_at"]) >= before, "{taken}");
    let key = socket.send_message("still me").await;
    socket.expect_ack(&key).await;
}

#[tokio::test]
async fn another_users_token_closes_the_socket() {
    let server = Server::under_test();
    let (account, other, id) = Group::pair(&server).await;
    let outsider = Account::new(&server).await;
    for foreign in [&other, &outsider] {
        let mut socket = account.socket(id).v2().open().await;
        socket
            .send(&json!({"type": "auth", "token": foreign.tokens.access}))
            .await;
        assert_eq!(socket.expect_close().await.code, 4401);
        assert!(
            socket
                .received()
                .iter()
                .all(|frame| frame["type"] != "auth.ok")
        );
    }
}

#[tokio::test]
async fn what_is_no_access_token_of_the_session_is_never_taken() {
    let (account, _, id) = Group::pair(&Server::under_test()).await;
    let elsewhere = account.log_in().await;
    for token in [
        "",
        "nonsense",
        &account.tokens.refresh,
        &elsewhere.tokens.access,
    ] {
        let mut socket = account.socket(id).v2().open().await;
        socket.send(&json!({"type": "auth", "token": token})).await;
        match socket.receive(colloquy_blackbox::TIMEOUT).await {
            colloquy_blackbox::Received::Closed(close) => assert_eq!(close.code, 4401),
            colloquy_blackbox::Received::Frame(frame) => {
                assert_eq!(frame["type"], "error", "{frame}")
            }
            colloquy_blackbox::Received::TimedOut => panic!("no answer"),
        }
    }
}
