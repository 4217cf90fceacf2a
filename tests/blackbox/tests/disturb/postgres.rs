//! The database goes and comes back: sends are refused meanwhile, never acknowledged in vain.

use colloquy_tests::{Account, Api, Control, Heard, PATIENCE, Server, Socket, eventually, unique};
use serde_json::{Value, json};

use crate::crowd::Crowd;
use crate::turn;

#[tokio::test]
async fn without_its_database_a_server_refuses_and_then_goes_on() {
    let Some(control) = Control::with("postgres", "the loss of the database under load").await
    else {
        return;
    };
    let _turn = turn(&control).await;
    let crowd = Crowd::start().await;
    let mut socket = crowd.observer.socket(crowd.id).v2().open().await;
    crowd.progress(2).await;
    control.act("postgres", "kill").await;
    unwell_but_alive().await;
    let by_socket = refused_on_socket(&mut socket).await;
    refused_at_the_door(&crowd.observer, crowd.id).await;
    let by_rest = refused_over_rest(&crowd.observer, crowd.id).await;
    control.act("postgres", "start").await;
    eventually("the server is healthy again", async || {
        let health = crowd.observer.api.get("/health/").await;
        (health.status == 200).then_some(())
    })
    .await;
    crowd.progress(3).await;
    // The same ids again, as the refusals said: now they are stored, once.
    for key in [by_socket, by_rest] {
        stored_now(&crowd.observer, crowd.id, &key).await;
    }
    crowd.finish().await;
}

/// Who comes now is told to come again later: only a server that answers can say who may not.
async fn refused_at_the_door(account: &Account, id: u64) {
    let close = account.socket(id).v2().refused().await;
    assert_eq!(close.code, 4101, "{close:?}");
    assert!(close.reason.contains("after_ms="), "{close:?}");
}

async fn unwell_but_alive() {
    let api = Api::anonymous(&Server::under_test());
    let health = api.get("/health/").await.expect(503);
    assert_eq!(
        (&health["status"], &health["database"]),
        (&json!("unhealthy"), &json!(false))
    );
    assert_eq!(api.get("/health/ready/").await.status, 503);
    assert_eq!(api.get("/health/live/").await.status, 200);
}

async fn refused_on_socket(socket: &mut Socket) -> String {
    let key = socket.say("into the void").await;
    let deadline = tokio::time::Instant::now() + 3 * PATIENCE;
    while tokio::time::Instant::now() < deadline {
        match socket.hear(PATIENCE).await {
            Heard::Frame(frame) if frame["client_message_id"] == key => {
                assert_eq!(frame["code"], "unavailable", "{frame}");
                assert_eq!(frame["retryable"], true, "{frame}");
                return key;
            }
            Heard::Closed(close) => panic!("{close:?}"),
            _ => {}
        }
    }
    panic!("a send was neither refused nor acknowledged");
}

async fn refused_over_rest(account: &Account, id: u64) -> String {
    let key = unique("m");
    account
        .send(id, &key, "into the void")
        .await
        .refused(503, "unavailable");
    for path in ["", "messages/"] {
        let path = format!("/api/chat/conversations/{id}/{path}");
        account.api.get(&path).await.refused(503, "unavailable");
    }
    let login = json!({"username": account.username, "password": account.password});
    let answer = account.api.post("/api/users/login/", &login).await;
    answer.refused(503, "unavailable");
    key
}

async fn stored_now(account: &Account, id: u64, key: &str) {
    let answer = eventually("the send is taken", async || {
        let answer = account.send(id, key, "into the void").await;
        matches!(answer.status, 200 | 201).then_some(answer.body)
    });
    let answer: Value = answer.await;
    let history = account.history(id).await;
    let kept = history
        .iter()
        .filter(|message| message["client_message_id"] == key);
    assert_eq!(kept.count(), 1, "{answer}");
}
