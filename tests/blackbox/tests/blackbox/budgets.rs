//! Budgets: what a user can make others receive in a minute. Access tokens of the server with budgets
//! expire after a few seconds, so that a test logs in again after its many requests.

use colloquy_blackbox::{Account, Group, Response, Server, report_skipped, retry_after, unique};
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;

/// A server with budgets, where the host offers one.
async fn server() -> Option<Server> {
    let server = Server::short_tokens().await;
    if server.is_none() {
        report_skipped("budgets", "the host offers no server with budgets");
    }
    server
}

/// How many of these requests were admitted; the others name the wait.
fn admitted(responses: &[Response], longest_wait_ms: u128) -> usize {
    let (refused, admitted): (Vec<&Response>, Vec<&Response>) = responses
        .iter()
        .partition(|response| response.status == 429);
    for response in refused {
        response.expect_error(429, "throttled");
        let wait = retry_after(&response.body).as_millis();
        assert!((1..=longest_wait_ms).contains(&wait), "{response}");
        assert!(response.header("retry-after").is_some(), "{response}");
    }
    for response in &admitted {
        assert!(response.status < 300, "{response}");
    }
    admitted.len()
}

/// Whether the last eight requests were refused.
fn is_used_up(responses: &[Response]) -> bool {
    let last = responses.iter().rev().take(8);
    last.filter(|response| response.status == 429).count() == 8
}

#[tokio::test]
async fn creation_of_conversations_is_limited_to_twenty_at_once() {
    let Some(server) = server().await else { return };
    let (creator, victim, _) = Group::pair(&server).await;
    let groups = (0..40).map(async |_| {
        let fields = json!({"participants": [victim.id], "name": unique("group")});
        creator.api.post("/api/chat/conversations/", &fields).await
    });
    let created = admitted(&join_all(groups).await, 3_000);
    // The direct conversation was the first. A busy machine may let one or two more in.
    assert!((19..=25).contains(&created), "{created}");
    let victim = victim.log_in().await;
    let listed = victim.api.get("/api/chat/conversations/").await;
    let listed = listed.expect_status(200);
    assert_eq!(listed.as_array().expect("a list").len(), created + 1);
    // Another user has a budget of its own.
    let other = victim.create_conversation(&[&creator, &creator]).await;
    assert!(other.status < 300, "{other}");
}

#[tokio::test]
async fn joining_and_leaving_cannot_push_an_absent_member_past_the_resume_limit() {
    let Some(server) = server().await else { return };
    let group = Group::new(&server, 3).await;
    let [owner, absent, guest] = &group.members[..] else {
        unreachable!("three members")
    };
    let socket = absent.socket(group.id).v2().open().await;
    let (since, epoch) = (socket.position(), socket.epoch());
    socket.close().await;
    let mut changes: Vec<Response> = Vec::new();
    let mut owner = owner.log_in().await;
    // Without a budget more than a resume delivers; with one until nothing is left of it.
    while changes.len() < 320 && !is_used_up(&changes) {
        let turn = (0..8).map(async |turn| {
            if turn % 2 == 0 {
                owner.remove_member(group.id, guest.id).await
            } else {
                owner.add_member(group.id, guest.id).await
            }
        });
        changes.extend(join_all(turn).await);
        owner = owner.log_in().await;
    }
    let done = admitted(&changes, 2_000);
    assert!((30..=60).contains(&done), "{done} of {}", changes.len());
    let absent = absent.log_in().await;
    let mut socket = absent.socket(group.id).v2().open().await;
    socket.resume(since, &epoch).await;
    let end = socket.expect_resumed().await;
    assert_eq!(end["type"], "sync", "{end}");
}

#[tokio::test]
async fn logouts_and_refreshes_are_limited_also_when_they_are_repeated() {
    let Some(server) = server().await else { return };
    let account = Account::new(&server).await;
    let session = account.log_in().await;
    session.log_out().await.expect_status(205);
    let replays = join_all((0..40).map(|_| session.log_out())).await;
    let refused = |responses: &[Response]| {
        let refused = responses.iter().filter(|one| one.status == 429);
        for response in refused.clone() {
            response.expect_error(429, "throttled");
        }
        refused.count()
    };
    assert!(refused(&replays) >= 15, "{replays:?}");
    for response in replays.iter().filter(|one| one.status != 429) {
        response.expect_error(401, "session_revoked");
    }
    let refreshes = join_all((0..60).map(|_| session.refresh())).await;
    assert!(refused(&refreshes) >= 20, "{refreshes:?}");
    // The budgets of requests that change nothing are separate.
    let account = account.log_in().await;
    account.profile().await.expect_status(200);
    let head = account.api.request(Method::HEAD, "/api/users/profile/");
    assert_eq!(head.send().await.status, 200);
}
