//! More requests than a server accepts at once: some are rejected as retryable, the rest is served.

use colloquy_blackbox::{Account, Api, Control, Group, Server};
use futures_util::future::join_all;
use reqwest::Method;

use crate::exclusive;

/// Concurrent registrations, the most expensive requests.
const REGISTRATIONS: usize = 300;

#[tokio::test]
async fn excess_registrations_are_rejected_as_overloaded() {
    let _exclusive = exclusive(&Control::from_env()).await;
    let server = Server::under_test();
    let (one, other, id) = Group::pair(&server).await;
    let api = Api::anonymous(&server);
    let registrations = (0..REGISTRATIONS).map(async |_| {
        let request = api.request(Method::POST, "/api/users/register/");
        let request = request.json(&Account::registration());
        request.attempt().await.expect("a response")
    });
    let chatting = async {
        // Logged-in users do not wait for password hashes.
        let mut socket = one.socket(id).v2().open().await;
        other.send_retrying(id, "during the burst").await;
        socket.expect_message("during the burst").await;
    };
    let (responses, ()) = tokio::join!(join_all(registrations), chatting);
    let mut registered = 0;
    for response in &responses {
        if response.status == 201 {
            registered += 1;
        } else {
            response.expect_error(503, "overloaded");
        }
    }
    assert!(registered > 0, "every registration was rejected");
    Account::new(&server)
        .await
        .profile()
        .await
        .expect_status(200);
}

#[tokio::test]
async fn burst_of_sends_beyond_one_commit_stays_in_order() {
    let _exclusive = exclusive(&Control::from_env()).await;
    let server = Server::for_volume().await;
    let group = Group::new(&server, server.sender_count()).await;
    let mut listener = group.members[0].socket(group.id).v2().open().await;
    // Without a throttle, many times what one commit carries.
    let count = if server.throttled() { 40 } else { 1_500 };
    let sends = (0..count).map(async |turn| {
        let member = &group.members[turn % group.members.len()];
        member
            .send_retrying(group.id, &format!("message {turn}"))
            .await
    });
    let stored = join_all(sends).await;
    let events = listener.expect_events(count).await;
    for message in stored {
        let index = usize::try_from(message["seq"].as_u64().expect("a seq")).unwrap() - 1;
        assert_eq!(events[index]["message_id"], message["id"]);
    }
}
