//! The throttle: one send per second, user and conversation, over sockets and REST together.

use std::time::Duration;

use colloquy_blackbox::{Account, Group, Server, retry_after, timestamp, unique};
use serde_json::{Value, json};

/// Sends within the throttle period and returns the error. `None` when a busy machine took longer
/// than the period, so that the send was accepted: then the test starts again.
async fn send_throttled(account: &Account, id: u64, stored: &Value) -> Option<Value> {
    let response = account.send(id, &unique("m"), "too soon").await;
    if response.status == 201 {
        assert_a_period_apart(stored, &response.body);
        return None;
    }
    response.expect_error(429, "throttled");
    let seconds = response
        .header("retry-after")
        .and_then(|value| value.parse::<u64>().ok());
    let wait = retry_after(&response.body);
    // Whole seconds, rounded up: a send after that time is accepted.
    assert_eq!(
        seconds,
        Some(wait.as_millis().div_ceil(1_000).max(1).try_into().unwrap())
    );
    Some(response.body)
}

fn assert_a_period_apart(first: &Value, second: &Value) {
    let between = timestamp(&second["timestamp"]) - timestamp(&first["timestamp"]);
    assert!(between >= time::Duration::milliseconds(990), "{second}");
}

/// Repeats a test until it was fast enough.
async fn retry_if_slow(attempt: impl AsyncFn() -> Option<()>) {
    for _ in 0..10 {
        if attempt().await.is_some() {
            return;
        }
    }
    panic!("the machine is too slow for two sends within a second");
}

#[tokio::test]
async fn retry_after_is_exact_and_at_most_one_period() {
    let (account, _, id) = Group::pair(&Server::under_test()).await;
    let mut socket = account.socket(id).v2().open().await;
    let key = socket.send_message("first").await;
    socket.expect_ack(&key).await;
    for turn in 0..3 {
        let key = socket.send_message("too soon").await;
        let error = socket.expect_error().await;
        assert_eq!(error["code"], "throttled");
        assert_eq!(error["client_message_id"], key);
        let wait = retry_after(&error);
        assert!((1..=1_000).contains(&wait.as_millis()), "{error}");
        tokio::time::sleep(wait).await;
        let key = socket.send_message(&format!("in time {turn}")).await;
        socket.expect_ack(&key).await;
    }
    assert_eq!(account.history(id).await.len(), 4);
}

#[tokio::test]
async fn rest_and_sockets_share_the_throttle() {
    let server = Server::under_test();
    retry_if_slow(async || {
        let (account, _, id) = Group::pair(&server).await;
        let mut socket = account.socket(id).v2().open().await;
        let mut v1 = account.socket(id).open().await;
        let key = socket.send_message("by socket").await;
        let stored = socket.expect_ack(&key).await;
        let error = send_throttled(&account, id, &stored).await?;
        tokio::time::sleep(retry_after(&error)).await;
        account
            .send(id, &unique("m"), "over REST")
            .await
            .expect_status(201);
        socket.send_message("too soon").await;
        assert_eq!(socket.expect_error().await["code"], "throttled");
        let stored = v1.next().await;
        assert_eq!(stored["message"], "by socket");
        let stored = v1.next().await;
        assert_eq!(stored["message"], "over REST");
        v1.send(&json!({"message": "too soon"})).await;
        assert_eq!(v1.next().await["code"], "throttled");
        Some(())
    })
    .await;
}

#[tokio::test]
async fn sessions_and_sockets_of_a_user_share_the_throttle() {
    let (account, _, id) = Group::pair(&Server::under_test()).await;
    let laptop = account.log_in().await;
    let mut phone_socket = account.socket(id).v2().open().await;
    let mut laptop_socket = laptop.socket(id).v2().open().await;
    let key = phone_socket.send_message("from the phone").await;
    phone_socket.expect_ack(&key).await;
    laptop_socket.send_message("from the laptop").await;
    assert_eq!(laptop_socket.expect_error().await["code"], "throttled");
}

#[tokio::test]
async fn throttled_send_stores_nothing_and_extends_no_period() {
    let server = Server::under_test();
    retry_if_slow(async || {
        let (account, other, id) = Group::pair(&server).await;
        let mut listener = other.socket(id).v2().open().await;
        let stored = account
            .send(id, &unique("m"), "first")
            .await
            .expect_status(201);
        let mut waits = Vec::new();
        for _ in 0..6 {
            let error = send_throttled(&account, id, &stored).await?;
            waits.push(retry_after(&error));
        }
        // A throttled send does not extend the period: the wait only gets shorter.
        assert!(
            waits.is_sorted_by(|earlier, later| earlier >= later),
            "{waits:?}"
        );
        tokio::time::sleep(waits[5]).await;
        account
            .send(id, &unique("m"), "second")
            .await
            .expect_status(201);
        listener.expect_message("first").await;
        listener.expect_message("second").await;
        let history = account.history(id).await;
        assert_eq!(history.len(), 2, "{history:?}");
        Some(())
    })
    .await;
}

#[tokio::test]
async fn invalid_send_starts_no_throttle_period() {
    let (account, _, id) = Group::pair(&Server::under_test()).await;
    let mut socket = account.socket(id).v2().open().await;
    let key = unique("m");
    socket
        .send(&json!({"type": "send", "client_message_id": key, "message": ""}))
        .await;
    assert_eq!(socket.expect_error().await["code"], "invalid");
    let key = socket.send_message("at once").await;
    socket.expect_ack(&key).await;
}

#[tokio::test]
async fn second_send_in_one_frame_is_throttled() {
    let (account, _, id) = Group::pair(&Server::under_test()).await;
    let mut socket = account.socket(id).v2().open().await;
    let (first, second) = (unique("m"), unique("m"));
    socket
        .send(&json!([
            {"type": "send", "client_message_id": first, "message": "first"},
            {"type": "send", "client_message_id": second, "message": "second"},
        ]))
        .await;
    let error = socket.expect_error().await;
    assert_eq!(
        (&error["code"], &error["client_message_id"]),
        (&json!("throttled"), &json!(second))
    );
    socket.expect_ack(&first).await;
}

#[tokio::test]
async fn one_of_many_concurrent_sends_is_stored() {
    let (account, _, id) = Group::pair(&Server::under_test()).await;
    let sends = (0..8).map(async |turn| {
        let response = account
            .send(id, &unique("m"), &format!("at once {turn}"))
            .await;
        response.status
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
async fn throttle_is_per_user_and_conversation() {
    let server = Server::under_test();
    retry_if_slow(async || {
        let (account, other, id) = Group::pair(&server).await;
        let elsewhere = Group::with_members(vec![account.clone(), other.clone()]).await;
        let stored = account
            .send(id, &unique("m"), "mine")
            .await
            .expect_status(201);
        send_throttled(&account, id, &stored).await?;
        other
            .send(id, &unique("m"), "yours")
            .await
            .expect_status(201);
        let key = unique("m");
        let response = account.send(elsewhere.id, &key, "elsewhere").await;
        let stored = response.expect_status(201);
        send_throttled(&account, elsewhere.id, &stored).await?;
        Some(())
    })
    .await;
}

#[tokio::test]
async fn throttle_survives_a_reconnect() {
    let (account, _, id) = Group::pair(&Server::under_test()).await;
    let mut socket = account.socket(id).v2().open().await;
    let key = socket.send_message("first").await;
    let stored = socket.expect_ack(&key).await;
    socket.close().await;
    let mut socket = account.socket(id).v2().open().await;
    let key = socket.send_message("again").await;
    let response = socket
        .find("ack or error", |frame| {
            frame["type"] == "ack" || frame["type"] == "error"
        })
        .await;
    // On a busy machine the period may have ended.
    if response["type"] == "ack" {
        assert_a_period_apart(&stored, &response);
    } else {
        assert_eq!(
            (&response["code"], &response["client_message_id"]),
            (&json!("throttled"), &json!(key))
        );
    }
}

/// Ten edits at once, then one per second on average.
#[tokio::test]
async fn edits_have_a_separate_throttle() {
    retry_if_slow(async || {
        let (account, other, id) = Group::pair(&Server::under_test()).await;
        let message = account.send_retrying(id, "version 1").await["id"].as_u64()?;
        for version in 2..=11 {
            let text = format!("version {version}");
            account.edit(id, message, &text).await.expect_status(200);
        }
        let refused = account.edit(id, message, "version 12").await;
        if refused.status == 200 {
            return None;
        }
        refused.expect_error(429, "throttled");
        let text = account.newest_page(id).await["messages"][0]["content"].clone();
        assert_eq!(text, "version 11", "a throttled edit was stored");
        // Other users, sends and deletions are not affected.
        let others = other.send_retrying(id, "mine").await["id"].as_u64()?;
        other
            .edit(id, others, "mine still")
            .await
            .expect_status(200);
        account.send_retrying(id, "another").await;
        let wait = retry_after(&refused.body);
        assert!(wait <= Duration::from_secs(11), "{wait:?}");
        tokio::time::sleep(wait).await;
        account
            .edit(id, message, "version 12")
            .await
            .expect_status(200);
        assert_eq!(account.delete(id, message).await.status, 204);
        Some(())
    })
    .await;
}
