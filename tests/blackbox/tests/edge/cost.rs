//! What an operation costs here, where each question to a store may travel far: told by the log,
//! in which the Worker and its objects name the request they serve.

use std::time::{Duration, Instant};

use colloquy_tests::{Api, Group, Server, eventually, unique};
use reqwest::Method;
use serde_json::{Value, json};

use crate::journal::Journal;
use crate::undisturbed;

/// The statements and the number of pipelines of one request, when it has made so many.
async fn cost(journal: &Journal, id: &str, statements: &[&str], pipelines: usize) {
    // The cache may be told after the answer.
    eventually(&format!("{id} has asked both stores"), async || {
        let asked = journal.of_request(id, "the cache is asked").len();
        (asked >= pipelines).then_some(())
    })
    .await;
    journal.caught_up().await;
    let asked = journal.of_request(id, "the database is asked");
    let asked: Vec<&str> = asked
        .iter()
        .map(|line| line["statement"].as_str().expect("a name"))
        .collect();
    assert_eq!(asked, statements, "{id}");
    let asked = journal.of_request(id, "the cache is asked").len();
    assert_eq!(asked, pipelines, "{id}");
}

/// Makes a request under a name of its own, which is returned with the answer.
async fn ask(api: &Api, method: Method, path: &str, body: Option<Value>) -> (String, Value) {
    let id = unique("cost");
    let mut request = api.request(method, path).header("x-request-id", &id);
    if let Some(body) = &body {
        request = request.json(body);
    }
    let answer = request.send().await;
    assert!(answer.status < 300, "{}: {}", answer.status, answer.body);
    (id, answer.body)
}

#[tokio::test]
async fn a_send_and_a_cached_history_ask_each_store_once_and_a_login_the_database_twice() {
    let _undisturbed = undisturbed().await;
    let server = Server::unthrottled().await.expect("a fast server");
    let journal = Journal::of(&server).await;
    let group = Group::of(&server, 2).await;
    let (one, path) = (&group.members[0], group.path("messages/"));

    // To a Room that sleeps, and to one that is awake.
    for text in ["first", "second"] {
        let (id, _) = ask(
            &one.api,
            Method::POST,
            &path,
            Some(json!({"message": text})),
        )
        .await;
        cost(&journal, &id, &["messages/append_one"], 1).await;
    }

    // The first reading fills the cache with what it found.
    ask(&one.api, Method::GET, &path, None).await;
    // A cache that has just answered is taken to be there still, and is not asked.
    let read = eventually("the cache is asked for the history", async || {
        let (id, page) = ask(&one.api, Method::GET, &path, None).await;
        journal.caught_up().await;
        let asked = !journal.of_request(&id, "the cache is asked").is_empty();
        (asked && page["source"] == "redis").then_some(id)
    })
    .await;
    cost(&journal, &read, &["conversations/position"], 1).await;

    let login = json!({"username": one.username, "password": one.password});
    let anonymous = Api::anonymous(&server);
    let (id, _) = ask(&anonymous, Method::POST, "/api/users/login/", Some(login)).await;
    // The attempt is counted before the hash, and taken back when it was none.
    let statements = ["accounts/credentials", "sessions/open"];
    cost(&journal, &id, &statements, 2).await;
}

#[tokio::test]
async fn a_lively_talk_tells_the_cache_once_for_many_messages() {
    let _undisturbed = undisturbed().await;
    let server = Server::unthrottled().await.expect("a fast server");
    let journal = Journal::of(&server).await;
    let group = Group::of(&server, 2).await;
    let (api, path) = (&group.members[0].api, group.path("messages/"));

    // The cache is told 25 ms after the first one and then in the talk's turn, every three seconds.
    // Once more if a busy machine makes a pause of a second.
    let began = Instant::now();
    let mut sends = Vec::new();
    while sends.len() < 20 || began.elapsed() < Duration::from_secs(1) {
        let text = format!("message {}", sends.len());
        let body = Some(json!({"message": text}));
        sends.push(ask(api, Method::POST, &path, body).await.0);
    }
    journal.caught_up().await;
    let tellings = |id: &String| journal.of_request(id, "the cache is asked").len();
    let told: usize = sends.iter().map(tellings).sum();
    let turns = usize::try_from(began.elapsed().as_secs()).expect("few") / 3 + 1;
    assert!(
        told <= 2 + turns,
        "{} messages told the cache {told} times",
        sends.len()
    );
}
