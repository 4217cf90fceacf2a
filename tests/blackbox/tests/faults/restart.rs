//! The server itself: restarted with a graceful shutdown, or killed.

use std::time::Duration;

use colloquy_blackbox::{Account, Control, Group, Server, TIMEOUT, eventually, unique};
use colloquy_client::{Conversation, Delivery};
use serde_json::json;

use crate::{exclusive, well_behaved};

async fn control(skipped: &str) -> Option<Control> {
    Control::with_capability("server", skipped).await
}

/// Whether the host closes sockets with a code on shutdown. Where it does not, the connections are
/// lost without one.
async fn closes_with_a_code() -> bool {
    let control =
        Control::with_capability("close-on-shutdown", "the close code of a restart").await;
    control.is_some()
}

#[tokio::test]
async fn well_behaved_client_survives_restarts_and_receives_each_message_once() {
    let Some(control) = control("a client across restarts").await else {
        return;
    };
    let _exclusive = exclusive(&control).await;
    let (account, other, id) = Group::pair(&Server::under_test()).await;
    let (client, other_client) = (well_behaved(&account).await, well_behaved(&other).await);
    let mut sending = Conversation::open(&client, id)
        .await
        .expect("a conversation");
    let mut receiving = Conversation::open(&other_client, id)
        .await
        .expect("a conversation");
    let mut sent = Vec::new();
    for action in ["restart", "kill"] {
        for turn in 0..2 {
            let text = format!("{turn} before {action}");
            let stored = sending.send(&unique("m"), &text).await;
            sent.push(stored.expect("a stored message").message_id);
        }
        control.perform("server", action).await;
        let text = format!("after {action}");
        let stored = sending.send(&unique("m"), &text).await;
        sent.push(stored.expect("a stored message").message_id);
    }
    let mut received = Vec::new();
    while received.len() < sent.len() {
        let delivery = receiving.next(3 * TIMEOUT).await.expect("an open socket");
        match delivery {
            Some(Delivery::Event(event)) => received.push(event.message_id.expect("a message")),
            other => panic!("expected an event, got {other:?}"),
        }
    }
    assert_eq!(received, sent);
    let more = receiving.next(Duration::from_millis(200)).await;
    assert!(matches!(more, Ok(None)), "{more:?}");
    assert_eq!(other.history(id).await.len(), sent.len());
}

#[tokio::test]
async fn restart_closes_idle_sockets_with_4000_and_they_resume() {
    let Some(control) = control("a restart of idle sockets").await else {
        return;
    };
    let _exclusive = exclusive(&control).await;
    let server = Server::under_test();
    let group = Group::new(&server, 3).await;
    let mut v2 = group.members[0].socket(group.id).v2().open().await;
    let mut v1 = group.members[1].socket(group.id).open().await;
    let (since, epoch) = (v2.position(), v2.epoch());
    control.perform("server", "stop").await;
    let expected = if closes_with_a_code().await {
        4000
    } else {
        1006
    };
    for close in [v2.expect_close().await, v1.expect_close().await] {
        assert_eq!(close.code, expected, "{close:?}");
    }
    let opened = group.members[0].socket(group.id).v2().attempt().await;
    assert!(opened.is_err(), "a stopped server opened a socket");
    control.perform("server", "start").await;
    let missed = group.members[2].send_retrying(group.id, "missed").await;
    let mut v2 = group.members[0].socket(group.id).v2().open().await;
    v2.resume(since, &epoch).await;
    assert_eq!(v2.expect_events(1).await[0]["message_id"], missed["id"]);
    assert_eq!(v2.expect_resumed().await["type"], "sync");
}

#[tokio::test]
async fn sessions_and_client_message_ids_survive_restarts() {
    let Some(control) = control("sessions after a restart").await else {
        return;
    };
    let _exclusive = exclusive(&control).await;
    let (account, other, id) = Group::pair(&Server::under_test()).await;
    let revoked = account.log_in().await;
    revoked.log_out().await.expect_status(205);
    let key = unique("m");
    let first = account.send(id, &key, "before").await.expect_status(201);
    let mut stored = 1;
    for action in ["restart", "kill"] {
        control.perform("server", action).await;
        account.profile().await.expect_status(200);
        revoked.profile().await.expect_error(401, "session_revoked");
        revoked.refresh().await.expect_error(401, "session_revoked");
        assert_eq!(revoked.socket(id).expect_refusal().await.code, 4401);
        // A new send starts the throttle period; the repeat is answered within it.
        stored += 1;
        account
            .send(id, &unique("m"), "after")
            .await
            .expect_status(201);
        let repeat = account.send(id, &key, "before").await.expect_status(200);
        assert_eq!(
            (&repeat["id"], &repeat["duplicate"]),
            (&first["id"], &json!(true))
        );
        let history = other.history(id).await;
        assert_eq!(history.len(), stored, "{history:?}");
    }
    account.refresh().await.expect_status(200);
}

#[tokio::test]
async fn killed_server_is_healthy_after_its_restart() {
    let Some(control) = control("the health of a killed server").await else {
        return;
    };
    let _exclusive = exclusive(&control).await;
    control.perform("server", "kill").await;
    let account = Account::new(&Server::under_test()).await;
    eventually("the server is healthy", async || {
        let health = account.api.get("/health/").await.expect_status(200);
        (health["status"] == "healthy").then_some(())
    })
    .await;
    account.api.get("/health/ready/").await.expect_status(200);
}
