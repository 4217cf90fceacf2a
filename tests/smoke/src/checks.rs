//! The checks, in the order of their names.

use std::time::{Duration, Instant};

use colloquy_blackbox::{
    Account, Api, Group, Server, TIMEOUT, TokenIn, eventually, retry_after, unique,
};
use colloquy_client::{Conversation, ConversationV1, Delivery, Frame};
use serde_json::Value;

use crate::accounts;
use crate::report::report;

/// Sends over a v2 socket and waits out the throttle. Returns the `ack` and its latency.
async fn send(socket: &mut colloquy_blackbox::Socket, text: &str) -> (Value, Duration) {
    loop {
        let start = Instant::now();
        let id = socket.send_message(text).await;
        let response = socket
            .find("an ack or an error", |frame| {
                frame["client_message_id"] == id.as_str() && frame["type"] != "message"
            })
            .await;
        if response["type"] == "ack" {
            return (response, start.elapsed());
        }
        assert_eq!(response["code"], "throttled", "{response}");
        tokio::time::sleep(retry_after(&response)).await;
    }
}

/// The next event of a well-behaved client.
async fn next_event(conversation: &mut Conversation) -> Frame<'static> {
    match conversation.next(TIMEOUT).await {
        Ok(Some(Delivery::Event(event))) => *event,
        other => panic!("expected an event, got {other:?}"),
    }
}

#[tokio::test]
async fn a1_server_and_its_stores_are_healthy() {
    let server = Server::under_test();
    let start = Instant::now();
    let health = Api::anonymous(&server)
        .get("/health/")
        .await
        .expect_status(200);
    assert_eq!(
        health["status"], "healthy",
        "Redis is unavailable, histories are read from the database: {health}"
    );
    let elapsed = start.elapsed().as_millis();
    report(format_args!("healthy, in {elapsed} ms with the connection"));
}

#[tokio::test]
async fn a2_requests_without_permission_are_refused() {
    let server = Server::under_test();
    let api = Api::anonymous(&server);
    api.get("/api/users/profile/")
        .await
        .expect_error(401, "not_authenticated");
    let [ann, bob, eve] = accounts::logged_in(&server).await;
    let group = Group::with_members(vec![ann.clone(), bob]).await;
    eve.api
        .get(&group.path("messages/"))
        .await
        .expect_error(403, "not_member");
    assert_eq!(eve.socket(group.id).expect_refusal().await.code, 4403);
    let without_token = ann.socket(group.id).token_in(TokenIn::Nowhere);
    assert_eq!(without_token.expect_refusal().await.code, 4401);
    report("no token: 401; not a member: 403; their sockets: closed with 4401 and 4403");
}

#[tokio::test]
async fn a3_v1_and_v2_sockets_exchange_messages() {
    let server = Server::under_test();
    let group = accounts::group(&server).await;
    let [ann, bob] = &group.members[..] else {
        unreachable!("a group of two")
    };
    let mut v1 = ann.socket(group.id).open().await;
    let v2 = bob.socket(group.id).token_in(TokenIn::Subprotocol);
    let mut v2 = v2.open().await;
    v1.send_text(r#"{"message":"Hello, Bob!"}"#).await;
    v1.expect_message("Hello, Bob!").await;
    v2.expect_message("Hello, Bob!").await;
    let mut latencies = Vec::new();
    for text in ["Hello, Ann!", "How are you?", "Are you there?"] {
        let (ack, latency) = send(&mut v2, text).await;
        latencies.push(latency.as_millis());
        assert_eq!(ack["duplicate"], false, "{ack}");
        let received = v1.expect_message(text).await;
        assert_eq!(received["message_id"], ack["message_id"], "{received}");
    }
    v1.send_text(r#"{"type":"ping"}"#).await;
    v1.expect_frame("pong").await;
    report(format_args!(
        "v1 and v2 exchange messages; acknowledged within {latencies:?} ms"
    ));
}

#[tokio::test]
async fn a4_repeated_send_is_delivered_once() {
    let server = Server::under_test();
    let (id, ann, bob) = accounts::clients(&server).await;
    let mut receiving = Conversation::open(&bob, id).await.expect("a socket");
    let key = unique("m");
    let first = ann.send(id, &key, "Once").await.expect("stored");
    let repeat = ann.send(id, &key, "Once").await.expect("stored before");
    assert_eq!(repeat.message_id, first.message_id);
    assert!(repeat.duplicate && !first.duplicate, "{repeat:?}");
    ann.send(id, &unique("m"), "Twice").await.expect("stored");
    for text in ["Once", "Twice"] {
        let event = next_event(&mut receiving).await;
        assert_eq!(event.message.as_deref(), Some(text));
    }
    receiving.close().await;
    report("a repeat returned the first result and was not delivered again");
}

#[tokio::test]
async fn a5_missed_messages_arrive_after_a_reconnect() {
    let server = Server::under_test();
    let (id, ann, bob) = accounts::clients(&server).await;
    let mut receiving = Conversation::open(&bob, id).await.expect("a socket");
    let mut v1 = ConversationV1::open(&bob, id).await.expect("a v1 socket");
    receiving.drop_connection();
    for text in ["One", "Two"] {
        ann.send(id, &unique("m"), text).await.expect("stored");
    }
    for (seq, text) in [(1, "One"), (2, "Two")] {
        let event = next_event(&mut receiving).await;
        assert_eq!(event.message.as_deref(), Some(text));
        assert_eq!(event.seq, Some(seq));
        let message = v1.next(TIMEOUT).await.expect("an open socket");
        assert_eq!(message.expect("a message").text, text);
    }
    receiving.close().await;
    v1.close().await;
    report("two messages missed, two messages resumed, in order");
}

#[tokio::test]
async fn a6_history_is_complete_and_soon_read_from_the_cache() {
    let server = Server::under_test();
    let group = accounts::group(&server).await;
    let [ann, bob] = &group.members[..] else {
        unreachable!("a group of two")
    };
    for text in ["One", "Two", "Three"] {
        ann.send_retrying(group.id, text).await;
    }
    let source = eventually("a history from the cache", async || {
        let page = bob.newest_page(group.id).await;
        let messages = page["messages"].as_array().expect("messages");
        let texts: Vec<_> = messages.iter().map(|message| &message["content"]).collect();
        assert_eq!(texts, ["One", "Two", "Three"]);
        let source = page["source"].as_str().expect("a source").to_owned();
        (source != "database").then_some(source)
    })
    .await;
    report(format_args!("three messages, in order, from {source}"));
}

#[tokio::test]
async fn a7_logout_revokes_tokens_and_closes_sockets_at_once() {
    let server = Server::under_test();
    let group = accounts::group(&server).await;
    let bob: &Account = &group.members[1];
    let mut socket = bob.socket(group.id).v2().open().await;
    let start = Instant::now();
    bob.log_out().await.expect_status(205);
    assert_eq!(socket.expect_close().await.code, 4401);
    let elapsed = start.elapsed();
    assert!(
        elapsed < Duration::from_secs(5),
        "the socket was closed after {elapsed:?}"
    );
    bob.profile().await.expect_error(401, "session_revoked");
    report(format_args!(
        "socket closed with 4401 after {} ms",
        elapsed.as_millis()
    ));
}

#[tokio::test]
async fn a8_start_page_is_served_with_its_policy() {
    let server = Server::under_test();
    let client = reqwest::Client::builder().no_proxy().build();
    let request = client.expect("an HTTP client").get(server.url("/"));
    let response = request.send().await.expect("a response");
    assert_eq!(response.status(), 200);
    let headers = response.headers().clone();
    let header = |name: &str| {
        headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    };
    assert!(
        header("content-type").starts_with("text/html"),
        "{headers:?}"
    );
    let policy = header("content-security-policy");
    // Natively core sends it; at the edge the platform reads it from a file.
    assert!(
        policy.starts_with("default-src 'none'; script-src 'self';"),
        "{policy:?}"
    );
    assert!(
        response
            .text()
            .await
            .expect("a page")
            .contains("<title>Colloquy</title>")
    );
    report("the start page is served, with its Content-Security-Policy");
}
