//! What any deployed server must do, tried on the server itself: by `cargo xtask smoke URL`.
//!
//! A part of the suite that a server in use can bear: three accounts, whose names begin with
//! `smoke`, a conversation or two for each test, no more than the throttle allows, and nobody is
//! needed who could stop or start anything. Run with one thread, it tells what it does. What it
//! checks of every answer and frame is what the whole suite checks; what it does not try, the
//! whole suite does (`blackbox`, `disturb`).

mod people;

use std::fmt::Display;
use std::io::Write as _;
use std::time::{Duration, Instant};

use colloquy_tests::{Account, Api, Group, Manner, Server, eventually, unique, wait_of};
use serde_json::Value;

/// A line for whoever runs this, past the test harness, which keeps what a passing test prints.
fn tell(what: impl Display) {
    let _ = writeln!(std::io::stderr(), "      {what}");
}

fn milliseconds(since: Instant) -> u128 {
    since.elapsed().as_millis()
}

/// Sends over a v2 socket until the throttle lets it, and waits for the answer.
async fn say(socket: &mut colloquy_tests::Socket, text: &str) -> (Value, Instant) {
    loop {
        let start = Instant::now();
        let id = socket.say(text).await;
        let answer = socket
            .find("an ack or a refusal", |frame| {
                frame["client_message_id"] == id.as_str()
            })
            .await;
        if answer["type"] == "ack" {
            return (answer, start);
        }
        assert_eq!(answer["code"], "throttled", "{answer}");
        tokio::time::sleep(wait_of(&answer)).await;
    }
}

#[tokio::test]
async fn a1_the_server_and_all_it_stands_on_are_well() {
    let server = Server::under_test();
    let start = Instant::now();
    let health = Api::anonymous(&server).get("/health/").await.expect(200);
    assert_eq!(
        health["status"], "healthy",
        "Redis is away, histories come from the database alone: {health}"
    );
    tell(format_args!(
        "healthy, said in {} ms, connection and all",
        milliseconds(start)
    ));
}

#[tokio::test]
async fn a2_strangers_are_kept_out() {
    let server = Server::under_test();
    let api = Api::anonymous(&server);
    api.get("/api/users/profile/")
        .await
        .refused(401, "not_authenticated");
    let [ann, bob, eve] = people::logged_in(&server).await;
    let group = Group::among(vec![ann.clone(), bob]).await;
    eve.api
        .get(&group.path("messages/"))
        .await
        .refused(403, "not_member");
    assert_eq!(eve.socket(group.id).refused().await.code, 4403);
    assert_eq!(
        ann.socket(group.id)
            .by(Manner::Nothing)
            .refused()
            .await
            .code,
        4401
    );
    tell("no token: 401; not a member: 403; their sockets: closed with 4401 and 4403");
}

#[tokio::test]
async fn a3_two_people_talk_over_sockets_of_both_versions() {
    let server = Server::under_test();
    let group = people::group(&server).await;
    let [ann, bob] = &group.members[..] else {
        unreachable!("a group of two")
    };
    let mut old = ann.socket(group.id).open().await;
    let mut new = bob.socket(group.id).by(Manner::Protocol).open().await;
    old.send_text(r#"{"message":"Hello, Bob!"}"#).await;
    old.expect_message("Hello, Bob!").await;
    new.expect_message("Hello, Bob!").await;
    let mut times = Vec::new();
    for text in ["Hello, Ann!", "How are you?", "Are you there?"] {
        let (ack, start) = say(&mut new, text).await;
        times.push(milliseconds(start));
        assert_eq!(ack["duplicate"], false, "{ack}");
        let heard = old.expect_message(text).await;
        assert_eq!(heard["message_id"], ack["message_id"], "{heard}");
    }
    old.send_text(r#"{"type":"ping"}"#).await;
    old.expect("pong").await;
    tell(format_args!(
        "v1 and v2 hear each other; stored and acknowledged within {times:?} ms"
    ));
}

#[tokio::test]
async fn a4_a_send_over_rest_is_delivered_once_however_often_it_is_made() {
    let server = Server::under_test();
    let group = people::group(&server).await;
    let [ann, bob] = &group.members[..] else {
        unreachable!("a group of two")
    };
    let mut socket = bob.socket(group.id).v2().open().await;
    let id = unique("m");
    let first = ann.send(group.id, &id, "Once").await.expect(201);
    let again = ann.send(group.id, &id, "Once").await.expect(200);
    assert_eq!(
        (&again["id"], &again["duplicate"]),
        (&first["id"], &true.into())
    );
    ann.say(group.id, "Twice").await;
    socket.expect_message("Once").await;
    socket.expect_message("Twice").await;
    tell("a repeat was answered with the first result and not delivered again");
}

#[tokio::test]
async fn a5_what_was_missed_comes_with_a_resume() {
    let server = Server::under_test();
    let group = people::group(&server).await;
    let [ann, bob] = &group.members[..] else {
        unreachable!("a group of two")
    };
    let socket = bob.socket(group.id).v2().open().await;
    let (position, epoch) = (socket.position(), socket.epoch());
    socket.drop_connection();
    ann.say(group.id, "One").await;
    ann.say(group.id, "Two").await;
    let mut socket = bob.socket(group.id).v2().open().await;
    socket.resume(position, &epoch).await;
    socket.expect_message("One").await;
    socket.expect_message("Two").await;
    let sync = socket.expect("sync").await;
    assert_eq!(sync["count"], 2, "{sync}");
    tell("two messages missed, two messages resumed, in order");
}

#[tokio::test]
async fn a6_a_history_is_whole_and_soon_comes_from_the_cache() {
    let server = Server::under_test();
    let group = people::group(&server).await;
    let [ann, bob] = &group.members[..] else {
        unreachable!("a group of two")
    };
    for text in ["One", "Two", "Three"] {
        ann.say(group.id, text).await;
    }
    let source = eventually("a history from the cache", async || {
        let page = bob.latest(group.id).await;
        let messages = page["messages"].as_array().expect("messages");
        let texts: Vec<_> = messages.iter().map(|message| &message["content"]).collect();
        assert_eq!(texts, ["One", "Two", "Three"]);
        let source = page["source"].as_str().expect("a source").to_owned();
        (source != "database").then_some(source)
    })
    .await;
    tell(format_args!("three messages, in order, from {source}"));
}

#[tokio::test]
async fn a7_logging_out_ends_tokens_and_sockets_at_once() {
    let server = Server::under_test();
    let group = people::group(&server).await;
    let bob: &Account = &group.members[1];
    let mut socket = bob.socket(group.id).v2().open().await;
    let start = Instant::now();
    bob.log_out().await.expect(205);
    assert_eq!(socket.closed().await.code, 4401);
    let took = start.elapsed();
    assert!(
        took < Duration::from_secs(5),
        "the socket was closed after {took:?}"
    );
    bob.profile().await.refused(401, "session_revoked");
    tell(format_args!(
        "socket closed with 4401 {} ms after the request",
        took.as_millis()
    ));
}
