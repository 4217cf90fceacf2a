//! The throttle: one send a second for each user and conversation, over every way of sending.

use colloquy_tests::{Account, Group, Server, unique, wait_of};
use serde_json::{Value, json};

async fn refused_over_rest(account: &Account, id: u64) -> Value {
    let answer = account.send(id, &unique("m"), "too soon").await;
    answer.refused(429, "throttled");
    let seconds = answer
        .header("retry-after")
        .and_then(|value| value.parse::<u64>().ok());
    let wait = wait_of(&answer.body);
    // Whole seconds, rounded up: whoever waits that long is let through.
    assert_eq!(
        seconds,
        Some(wait.as_millis().div_ceil(1_000).max(1).try_into().unwrap())
    );
    answer.body
}

#[tokio::test]
async fn the_wait_is_at_most_the_period_and_waiting_it_out_is_enough() {
    let (account, _, id) = Group::pair(&Server::under_test()).await;
    let mut socket = account.socket(id).v2().open().await;
    let key = socket.say("first").await;
    socket.ack(&key).await;
    for turn in 0..3 {
        let key = socket.say("too soon").await;
        let error = socket.error().await;
        assert_eq!(error["code"], "throttled");
        assert_eq!(error["client_message_id"], key);
        let wait = wait_of(&error);
        assert!((1..=1_000).contains(&wait.as_millis()), "{error}");
        tokio::time::sleep(wait).await;
        let key = socket.say(&format!("in time {turn}")).await;
        socket.ack(&key).await;
    }
    assert_eq!(account.history(id).await.len(), 4);
}

#[tokio::test]
async fn rest_and_sockets_share_it() {
    let server = Server::under_test();
    let (account, _, id) = Group::pair(&server).await;
    let mut socket = account.socket(id).v2().open().await;
    let key = socket.say("by socket").await;
    socket.ack(&key).await;
    let refusal = refused_over_rest(&account, id).await;
    tokio::time::sleep(wait_of(&refusal)).await;
    account.send(id, &unique("m"), "by post").await.expect(201);
    socket.say("too soon").await;
    assert_eq!(socket.error().await["code"], "throttled");
    let mut v1 = account.socket(id).open().await;
    v1.send(&json!({"message": "too soon"})).await;
    assert_eq!(v1.next().await["code"], "throttled");
}

#[tokio::test]
async fn every_login_and_socket_of_a_user_shares_it() {
    let (account, _, id) = Group::pair(&Server::under_test()).await;
    let laptop = account.log_in().await;
    let mut phone_socket = account.socket(id).v2().open().await;
    let mut laptop_socket = laptop.socket(id).v2().open().await;
    let key = phone_socket.say("from the phone").await;
    phone_socket.ack(&key).await;
    laptop_socket.say("from the laptop").await;
    assert_eq!(laptop_socket.error().await["code"], "throttled");
}

#[tokio::test]
async fn a_refused_send_costs_nothing_and_leaves_nothing() {
    let (account, other, id) = Group::pair(&Server::under_test()).await;
    let mut listener = other.socket(id).v2().open().await;
    account.send(id, &unique("m"), "first").await.expect(201);
    let first = refused_over_rest(&account, id).await;
    let mut waits = vec![wait_of(&first)];
    for _ in 0..5 {
        waits.push(wait_of(&refused_over_rest(&account, id).await));
    }
    // Asking again does not put the end off: the wait only ever gets shorter.
    assert!(
        waits.is_sorted_by(|earlier, later| earlier >= later),
        "{waits:?}"
    );
    tokio::time::sleep(waits[5]).await;
    account.send(id, &unique("m"), "second").await.expect(201);
    listener.expect_message("first").await;
    listener.expect_message("second").await;
    let history = account.history(id).await;
    assert_eq!(history.len(), 2, "{history:?}");
}

#[tokio::test]
async fn a_malformed_send_costs_nothing() {
    let (account, _, id) = Group::pair(&Server::under_test()).await;
    let mut socket = account.socket(id).v2().open().await;
    let key = unique("m");
    socket
        .send(&json!({"type": "send", "client_message_id": key, "message": ""}))
        .await;
    assert_eq!(socket.error().await["code"], "invalid");
    let key = socket.say("at once").await;
    socket.ack(&key).await;
}

#[tokio::test]
async fn a_second_of_two_in_one_frame_is_refused() {
    let (account, _, id) = Group::pair(&Server::under_test()).await;
    let mut socket = account.socket(id).v2().open().await;
    let (first, second) = (unique("m"), unique("m"));
    socket
        .send(&json!([
            {"type": "send", "client_message_id": first, "message": "first"},
            {"type": "send", "client_message_id": second, "message": "second"},
        ]))
        .await;
    let error = socket.error().await;
    assert_eq!(
        (&error["code"], &error["client_message_id"]),
        (&json!("throttled"), &json!(second))
    );
    socket.ack(&first).await;
}

#[tokio::test]
async fn of_many_sends_at_once_one_is_stored() {
    let (account, _, id) = Group::pair(&Server::under_test()).await;
    let sends = (0..8).map(async |turn| {
        let answer = account
            .send(id, &unique("m"), &format!("at once {turn}"))
            .await;
        answer.status
    });
    let statuses = futures_util::future::join_all(sends).await;
    let stored = statuses.iter().filter(|status| **status == 201).count();
    assert_eq!(stored, 1, "{statuses:?}");
    assert!(
        statuses.iter().all(|status| matches!(status, 201 | 429)),
        "{statuses:?}"
    );
    assert_eq!(account.history(id).await.len(), 1);
}

#[tokio::test]
async fn others_and_other_conversations_are_not_concerned() {
    let server = Server::under_test();
    let (account, other, id) = Group::pair(&server).await;
    let elsewhere = Group::among(vec![account.clone(), other.clone()]).await;
    account.send(id, &unique("m"), "mine").await.expect(201);
    refused_over_rest(&account, id).await;
    other.send(id, &unique("m"), "yours").await.expect(201);
    account
        .send(elsewhere.id, &unique("m"), "elsewhere")
        .await
        .expect(201);
    refused_over_rest(&account, elsewhere.id).await;
}

#[tokio::test]
async fn reconnecting_does_not_lift_it() {
    let (account, _, id) = Group::pair(&Server::under_test()).await;
    let mut socket = account.socket(id).v2().open().await;
    let key = socket.say("first").await;
    let stored = socket.ack(&key).await;
    socket.leave().await;
    let mut socket = account.socket(id).v2().open().await;
    let key = socket.say("again").await;
    let answer = socket
        .find("ack or error", |frame| {
            frame["type"] == "ack" || frame["type"] == "error"
        })
        .await;
    // A machine slow enough to take a second for this may let it through, later than a second on.
    if answer["type"] == "ack" {
        let first = colloquy_tests::timestamp(&stored["timestamp"]);
        let second = colloquy_tests::timestamp(&answer["timestamp"]);
        assert!(
            second - first >= time::Duration::milliseconds(990),
            "{answer}"
        );
    } else {
        assert_eq!(
            (&answer["code"], &answer["client_message_id"]),
            (&json!("throttled"), &json!(key))
        );
    }
}
