//! How many round trips to the stores an operation makes. At the edge each one may be slow. The log
//! shows them: the Worker and its objects log the request they serve.

use std::time::{Duration, Instant};

use colloquy_blackbox::{Api, Group, Server, eventually, unique};
use reqwest::Method;
use serde_json::{Value, json};

use crate::server_log::ServerLog;
use crate::without_restarts;

/// Asserts the statements and the number of cache pipelines of one request.
async fn assert_round_trips(
    log: &ServerLog,
    request_id: &str,
    statements: &[&str],
    pipelines: usize,
) {
    // The cache may be written after the response.
    eventually(&format!("{request_id} has used both stores"), async || {
        let made = log.lines_of_request(request_id, "cache request").len();
        (made >= pipelines).then_some(())
    })
    .await;
    log.wait_until_flushed().await;
    let executed = log.lines_of_request(request_id, "running a statement");
    let executed: Vec<&str> = executed
        .iter()
        .map(|line| line["statement"].as_str().expect("a name"))
        .collect();
    assert_eq!(executed, statements, "{request_id}");
    let made = log.lines_of_request(request_id, "cache request").len();
    assert_eq!(made, pipelines, "{request_id}");
}

/// How many calls to limits objects a request made.
fn counter_calls(log: &ServerLog, request_id: &str) -> usize {
    let messages = ["charging counters", "returning to counters"];
    let calls = messages.map(|message| log.lines_of_request(request_id, message).len());
    calls.iter().sum()
}

/// Makes a request with a unique request id, which is returned with the body.
async fn request(api: &Api, method: Method, path: &str, body: Option<Value>) -> (String, Value) {
    let id = unique("round-trips");
    let mut request = api.request(method, path).header("x-request-id", &id);
    if let Some(body) = &body {
        request = request.json(body);
    }
    let response = request.send().await;
    assert!(response.status < 300, "{response}");
    (id, response.body)
}

#[tokio::test]
async fn send_and_cached_history_use_each_store_once_and_login_the_database_twice() {
    let _no_restarts = without_restarts().await;
    let server = Server::unthrottled().await.expect("an unthrottled server");
    let log = ServerLog::of(&server).await;
    let group = Group::new(&server, 2).await;
    let (one, path) = (&group.members[0], group.path("messages/"));

    // To a hibernating Room, and to an active one.
    for text in ["first", "second"] {
        let (id, _) = request(
            &one.api,
            Method::POST,
            &path,
            Some(json!({"message": text})),
        )
        .await;
        assert_round_trips(&log, &id, &["messages/append_one"], 1).await;
    }

    // The first read fills the cache.
    request(&one.api, Method::GET, &path, None).await;
    // A verified page is served without the cache if the cache has just answered.
    let read = eventually("the history is read from the cache", async || {
        let (id, page) = request(&one.api, Method::GET, &path, None).await;
        log.wait_until_flushed().await;
        let used = !log.lines_of_request(&id, "cache request").is_empty();
        (used && page["source"] == "redis").then_some(id)
    })
    .await;
    assert_round_trips(&log, &read, &["conversations/position"], 1).await;

    let login = json!({"username": one.username, "password": one.password});
    let anonymous = Api::anonymous(&server);
    let (id, _) = request(&anonymous, Method::POST, "/api/users/login/", Some(login)).await;
    let statements = ["accounts/credentials", "sessions/open"];
    assert_round_trips(&log, &id, &statements, 0).await;
    // The attempt is counted before the hash, and uncounted after a success.
    assert_eq!(counter_calls(&log, &id), 2);
}

#[tokio::test]
async fn changes_are_counted_by_one_call_and_reads_by_none() {
    let _no_restarts = without_restarts().await;
    let server = Server::short_tokens().await.expect("a server with budgets");
    let log = ServerLog::of(&server).await;
    let group = Group::new(&server, 2).await;
    let (one, other) = (&group.members[0], &group.members[1]);
    let history = group.path("messages/");
    let text = Some(json!({"message": "text"}));
    let (send_id, message) = request(&one.api, Method::POST, &history, text).await;
    let message = group.path(&format!("messages/{}/", message["id"]));
    let member = group.path(&format!("members/{}/", other.id));
    let create = json!({"participants": [other.id], "name": "group"});
    let edit = json!({"message": "another text"});
    let add = json!({"user_id": other.id});
    let refresh = json!({"refresh": one.tokens.refresh});
    let conversations = "/api/chat/conversations/";
    let refreshes = "/api/users/token/refresh/";
    let mut changes = Vec::new();
    for (method, path, body) in [
        (Method::POST, conversations, Some(create)),
        (Method::PATCH, &message, Some(edit)),
        (Method::DELETE, &message, None),
        (Method::DELETE, &member, None),
        (Method::POST, &group.path("members/"), Some(add)),
        (Method::POST, refreshes, Some(refresh)),
    ] {
        changes.push(request(&one.api, method, path, body).await.0);
    }
    let mut others = vec![send_id];
    for path in [conversations, &history, "/api/users/profile/"] {
        others.push(request(&one.api, Method::GET, path, None).await.0);
    }
    log.wait_until_flushed().await;
    for id in &changes {
        assert_eq!(counter_calls(&log, id), 1, "{id}");
    }
    for id in &others {
        assert_eq!(counter_calls(&log, id), 0, "{id}");
    }
}

#[tokio::test]
async fn active_room_writes_many_messages_to_the_cache_at_once() {
    let _no_restarts = without_restarts().await;
    let server = Server::unthrottled().await.expect("an unthrottled server");
    let log = ServerLog::of(&server).await;
    let group = Group::new(&server, 2).await;
    let (api, path) = (&group.members[0].api, group.path("messages/"));

    // The cache is written 25 ms after the first message and then every three seconds, at this
    // Room's offset. Once more if a busy machine pauses for a second.
    let started = Instant::now();
    let mut sends = Vec::new();
    while sends.len() < 20 || started.elapsed() < Duration::from_secs(1) {
        let text = format!("message {}", sends.len());
        let body = Some(json!({"message": text}));
        sends.push(request(api, Method::POST, &path, body).await.0);
    }
    log.wait_until_flushed().await;
    let cache_writes = |id: &String| log.lines_of_request(id, "cache request").len();
    let writes: usize = sends.iter().map(cache_writes).sum();
    let turns = usize::try_from(started.elapsed().as_secs()).expect("few") / 3 + 1;
    assert!(
        writes <= 2 + turns,
        "{} messages took {writes} cache writes",
        sends.len()
    );
}
