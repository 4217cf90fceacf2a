//! The database becomes unavailable and recovers: until then sends are refused,
//! never acknowledged without being stored.

use colloquy_blackbox::{
    Account, Api, Control, Group, Received, Server, Socket, TIMEOUT, eventually, unique,
};
use serde_json::{Value, json};

use colloquy_client::Conversation;

use crate::{exclusive, well_behaved};

const TEXT: &str = "while the database is unavailable";

#[tokio::test]
async fn requests_fail_as_unavailable_without_database_and_succeed_after_recovery() {
    let Some(control) = Control::with_capability("postgres", "the loss of the database").await
    else {
        return;
    };
    let _exclusive = exclusive(&control).await;
    let (account, other, id) = Group::pair(&Server::under_test()).await;
    let mut socket = account.socket(id).v2().open().await;
    let client = well_behaved(&other).await;
    let mut conversation = Conversation::open(&client, id)
        .await
        .expect("a conversation");
    control.perform("postgres", "kill").await;
    check_unhealthy_but_alive().await;
    let over_socket = check_refused_on_socket(&mut socket).await;
    check_socket_not_admitted(&account, id).await;
    let over_rest = check_refused_over_rest(&account, id).await;
    // A well-behaved client keeps repeating and succeeds when the database is available again.
    let repeated = unique("m");
    let sending = conversation.send(&repeated, TEXT);
    let recovering = async {
        control.perform("postgres", "start").await;
        eventually("the server is healthy again", async || {
            let health = account.api.get("/health/").await;
            (health.status == 200).then_some(())
        })
        .await;
    };
    let (sent, ()) = tokio::join!(sending, recovering);
    sent.expect("a stored message");
    // The refused sends are repeated under their ids, and each is stored once.
    for key in [over_socket, over_rest] {
        check_stored_once(&account, id, &key).await;
    }
    let history = account.history(id).await;
    assert_eq!(history.len(), 3, "{history:?}");
}

/// Without the database the server cannot check the membership, so it asks the client to retry.
async fn check_socket_not_admitted(account: &Account, id: u64) {
    let close = account.socket(id).v2().expect_refusal().await;
    assert_eq!(close.code, 4101, "{close:?}");
    assert!(close.reason.contains("after_ms="), "{close:?}");
}

async fn check_unhealthy_but_alive() {
    let api = Api::anonymous(&Server::under_test());
    // The result of the last probe is used for a second.
    let health = eventually("the server is unhealthy", async || {
        let health = api.get("/health/").await;
        (health.status == 503).then_some(health.body)
    })
    .await;
    assert_eq!(
        (&health["status"], &health["database"], &health["reason"]),
        (
            &json!("unhealthy"),
            &json!(false),
            &json!("database does not respond")
        )
    );
    assert_eq!(api.get("/health/ready/").await.status, 503);
    assert_eq!(api.get("/health/live/").await.status, 200);
}

async fn check_refused_on_socket(socket: &mut Socket) -> String {
    let key = socket.send_message(TEXT).await;
    let deadline = tokio::time::Instant::now() + 3 * TIMEOUT;
    while tokio::time::Instant::now() < deadline {
        match socket.receive(TIMEOUT).await {
            Received::Frame(frame) if frame["client_message_id"] == key => {
                assert_eq!(frame["code"], "unavailable", "{frame}");
                assert_eq!(frame["retryable"], true, "{frame}");
                return key;
            }
            Received::Closed(close) => panic!("{close:?}"),
            _ => {}
        }
    }
    panic!("a send was neither refused nor acknowledged");
}

async fn check_refused_over_rest(account: &Account, id: u64) -> String {
    let key = unique("m");
    account
        .send(id, &key, TEXT)
        .await
        .expect_error(503, "unavailable");
    for path in ["", "messages/"] {
        let path = format!("/api/chat/conversations/{id}/{path}");
        account
            .api
            .get(&path)
            .await
            .expect_error(503, "unavailable");
    }
    let login = json!({"username": account.username, "password": account.password});
    let response = account.api.post("/api/users/login/", &login).await;
    response.expect_error(503, "unavailable");
    key
}

async fn check_stored_once(account: &Account, id: u64, key: &str) {
    let body: Value = eventually("the send is stored", async || {
        let response = account.send(id, key, TEXT).await;
        matches!(response.status, 200 | 201).then_some(response.body)
    })
    .await;
    let history = account.history(id).await;
    let stored = history
        .iter()
        .filter(|message| message["client_message_id"] == key);
    assert_eq!(stored.count(), 1, "{body}");
}
