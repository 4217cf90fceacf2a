//! v2 sockets: `hello`, acknowledgements, order, command arrays and newer tokens.

use colloquy_blackbox::{
    Account, Group, Received, Server, StoredMessage, TIMEOUT, TokenIn, timestamp, unique,
};
use serde_json::{Value, json};

#[tokio::test]
async fn hello_describes_the_conversation() {
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
        let now = time::OffsetDateTime::now_utc();
        let apart = timestamp(&hello["server_time"]) - now;
        assert!(apart.abs() < TIMEOUT, "{hello}, it is {now}");
        epochs.push(socket.epoch());
        socket.close().await;
        other.send_retrying(id, "one more").await;
    }
    assert_eq!(epochs[0], epochs[1]);
}

#[tokio::test]
async fn v2_sockets_receive_hello_for_every_token_place() {
    let (account, other, id) = Group::pair(&Server::under_test()).await;
    let mut sockets = Vec::new();
    for manner in [TokenIn::Query, TokenIn::Subprotocol, TokenIn::Header] {
        // The builder checks that exactly `chat.v2` is echoed.
        sockets.push(account.socket(id).v2().token_in(manner).open().await);
    }
    other.send_retrying(id, "to all of them").await;
    for socket in &mut sockets {
        socket.expect_message("to all of them").await;
    }
}

#[tokio::test]
async fn send_is_acknowledged_and_delivered_identically_to_all() {
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
async fn replies_and_mentions_of_members_are_delivered() {
    let server = Server::under_test();
    let (account, other, id) = Group::pair(&server).await;
    let outsider = Account::new(&server).await;
    let first = account.send_retrying(id, "first").await;
    let mut socket = other.socket(id).v2().open().await;
    let mut listener = account.socket(id).v2().open().await;
    let key = unique("m");
    socket
        .send(&json!({
            "type": "send", "client_message_id": key, "message": "second",
            "reply_to": first["id"], "mentions": [outsider.id, account.id, 4_000_000_000_u64],
        }))
        .await;
    socket.expect_ack(&key).await;
    let received = listener.expect_message("second").await;
    assert_eq!(received["reply_to"], first["id"]);
    assert_eq!(received["mentions"], json!([account.id]));
    // What is stored is what was delivered.
    let page = account.newest_page(id).await;
    assert_eq!(page["messages"][1]["mentions"], json!([account.id]));
}

#[tokio::test]
async fn send_over_rest_is_delivered_on_sockets() {
    let (account, other, id) = Group::pair(&Server::under_test()).await;
    let mut sockets = [
        account.socket(id).v2().open().await,
        other.socket(id).v2().open().await,
    ];
    let key = unique("m");
    let made = account.send(id, &key, "over REST").await.expect_status(201);
    for socket in &mut sockets {
        let received = socket.expect_message("over REST").await;
        assert_eq!(
            StoredMessage::from_event(&received),
            StoredMessage::from_rest(&made)
        );
        assert_eq!(received["client_message_id"], key);
    }
}

#[tokio::test]
async fn refused_send_names_its_id_and_stores_nothing() {
    let (account, other, id) = Group::pair(&Server::under_test()).await;
    let mut socket = account.socket(id).v2().open().await;
    let mut listener = other.socket(id).v2().open().await;
    let too_long = "x".repeat(4_001);
    for (field, value, code) in [
        ("message", json!(""), "invalid"),
        ("message", json!(" \n "), "invalid"),
        ("message", json!(too_long), "invalid"),
        ("message", json!("a\0b"), "invalid"),
        ("message", json!("\u{2060}\u{e0041}"), "invalid"),
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
async fn client_message_id_is_required_and_validated() {
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
async fn unknown_types_and_malformed_frames_leave_the_socket_open() {
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
async fn frame_may_contain_twenty_commands() {
    let (account, _, id) = Group::pair(&Server::under_test()).await;
    let mut socket = account.socket(id).v2().open().await;
    socket.send(&json!(vec![json!({"type": "ping"}); 20])).await;
    for _ in 0..20 {
        socket.expect_frame("pong").await;
    }
    // Each command is handled on its own: a refused one does not affect the others.
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
async fn frame_of_more_than_twenty_commands_is_rejected_whole() {
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
    // There is one pong only, and nothing is stored.
    socket.send_text(r#"{"type":"ping"}"#).await;
    socket.expect_frame("pong").await;
    assert!(account.history(id).await.is_empty());
    let key = socket.send_message("alone").await;
    assert_eq!(socket.expect_ack(&key).await["number"], 1);
}

#[tokio::test]
async fn events_have_the_same_order_on_v1_and_v2_sockets() {
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
    // Events that v2 sockets receive as a batch reach v1 sockets one by one.
    assert_eq!(v1.expect_events(6).await, received);
}

#[tokio::test]
async fn newer_token_of_the_session_is_accepted() {
    let (account, _, id) = Group::pair(&Server::under_test()).await;
    let mut socket = account.socket(id).v2().open().await;
    let body = account.refresh().await.expect_status(200);
    socket
        .send(&json!({"type": "auth", "token": body["access"]}))
        .await;
    let accepted = socket.expect_frame("auth.ok").await;
    let before = timestamp(&socket.hello()["token_expires_at"]);
    assert!(
        timestamp(&accepted["token_expires_at"]) >= before,
        "{accepted}"
    );
    let connected = timestamp(&socket.hello()["server_time"]);
    assert!(
        timestamp(&accepted["server_time"]) >= connected,
        "{accepted}"
    );
    let key = socket.send_message("still me").await;
    socket.expect_ack(&key).await;
}

#[tokio::test]
async fn token_of_another_user_closes_the_socket() {
    let server = Server::under_test();
    let (account, other, id) = Group::pair(&server).await;
    let outsider = Account::new(&server).await;
    for other_user in [&other, &outsider] {
        let mut socket = account.socket(id).v2().open().await;
        socket
            .send(&json!({"type": "auth", "token": other_user.tokens.access}))
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
async fn other_tokens_are_never_accepted_by_auth() {
    let (account, _, id) = Group::pair(&Server::under_test()).await;
    let other_session = account.log_in().await;
    for token in [
        "",
        "nonsense",
        &account.tokens.refresh,
        &other_session.tokens.access,
    ] {
        let mut socket = account.socket(id).v2().open().await;
        socket.send(&json!({"type": "auth", "token": token})).await;
        match socket.receive(TIMEOUT).await {
            Received::Closed(close) => assert_eq!(close.code, 4401),
            Received::Frame(frame) => {
                assert_eq!(frame["type"], "error", "{frame}");
            }
            Received::TimedOut => panic!("no response"),
        }
    }
}
