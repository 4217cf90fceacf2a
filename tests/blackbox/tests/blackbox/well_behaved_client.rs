//! `colloquy-client` on the paths that the smoke suite and the examples do not take.

use std::sync::Arc;

use colloquy_blackbox::{Account, Group, Server, TIMEOUT, unique};
use colloquy_client::{
    Client, Conversation, ConversationV1, Delivery, Error, Method, Rest, RestOptions,
};
use serde_json::json;

async fn client(account: &Account) -> Client {
    let server = account.api.server().url("");
    let rest = Rest::new(&server, RestOptions::default()).expect("an HTTP client");
    let login = colloquy_client::Account::log_in(&rest, &account.username, &account.password);
    let account = login.await.expect("a login");
    Client::new(rest, Arc::new(account))
}

async fn next(conversation: &mut Conversation) -> Delivery {
    let delivery = conversation.next(TIMEOUT).await.expect("an open socket");
    delivery.expect("a delivery")
}

#[tokio::test]
async fn client_loads_the_history_after_a_reset_and_continues_live() {
    let (account, other, id) = Group::pair(&Server::under_test()).await;
    account.send_retrying(id, "before the reset").await;
    let client = client(&other).await;
    let opening = Conversation::open_after(&client, id, 0, Some("another epoch"));
    let mut conversation = Box::pin(opening).await.expect("a conversation");
    let Delivery::History(messages) = next(&mut conversation).await else {
        panic!("expected the history");
    };
    assert_eq!(messages.len(), 1, "{messages:?}");
    assert_eq!(messages[0]["content"], "before the reset");
    account.send_retrying(id, "after the reset").await;
    let Delivery::Event(event) = next(&mut conversation).await else {
        panic!("expected an event");
    };
    assert_eq!(event.message.as_deref(), Some("after the reset"));
    assert_eq!(conversation.seq(), 2);
}

#[tokio::test]
async fn client_repeats_a_lost_refresh_and_stops_after_a_revocation() {
    let (account, other, id) = Group::pair(&Server::under_test()).await;
    let client = client(&account).await;
    let own = client.account();
    let first = own.access().await;
    // The server processes a refresh whose response does not arrive.
    let fields = json!({"refresh": own.lock().await.refresh});
    let lost = client.rest().request(
        Method::POST,
        "/api/users/token/refresh/",
        None,
        Some(&fields),
    );
    let lost = lost.await.expect("a response").body;
    let renewed = own.renew(client.rest(), &first.token).await;
    renewed.expect("the same tokens again");
    let second = own.access().await;
    assert_eq!(
        (second.login, &*second.token),
        (first.login, lost["access"].as_str().expect("a token"))
    );
    // Without a refresh token at hand it logs in.
    own.lock().await.refresh = None;
    let renewed = own.renew(client.rest(), &second.token).await;
    renewed.expect("a new login");
    assert_eq!(own.access().await.login, first.login + 1);
    let mut conversation = Conversation::open(&client, id)
        .await
        .expect("a conversation");
    own.log_out(client.rest()).await.expect("a logout");
    other.send_retrying(id, "after the logout").await;
    match conversation.next(TIMEOUT).await {
        Err(Error::Closed(close)) => assert_eq!(close.code, 4401, "{close:?}"),
        other => panic!("expected a close, got {other:?}"),
    }
}

#[tokio::test]
async fn client_reports_a_refused_send_without_repeating_it() {
    let (account, _, id) = Group::pair(&Server::under_test()).await;
    let client = client(&account).await;
    let mut conversation = Conversation::open(&client, id)
        .await
        .expect("a conversation");
    match conversation.send(&unique("m"), "").await {
        Err(Error::Rejected(rejection)) => assert_eq!(rejection.code, "invalid"),
        other => panic!("expected a rejection, got {other:?}"),
    }
    let sent = conversation.send(&unique("m"), "valid").await;
    assert_eq!(sent.expect("a stored message").seq, 1);
}

#[tokio::test]
async fn v1_client_receives_each_message_once() {
    let (account, other, id) = Group::pair(&Server::under_test()).await;
    account.send_retrying(id, "before").await;
    let mut v1 = ConversationV1::open(&client(&other).await, id)
        .await
        .expect("a socket");
    let own = v1.send("from v1").await.expect("a stored message");
    assert_eq!(own.number, 2);
    account.send_retrying(id, "from REST").await;
    for text in ["from v1", "from REST"] {
        let message = v1.next(TIMEOUT).await.expect("an open socket");
        assert_eq!(message.expect("a message").text, text);
    }
    v1.close().await;
}
