//! Pages are bounded by their size as well as by their entries, and still lead to everything.

use colloquy_blackbox::{Account, Group, Response, Server, StoredMessage, next_link};
use reqwest::Method;
use serde_json::{Value, json};

const CONVERSATIONS: &str = "/api/chat/conversations/";

/// The largest page, in bytes.
const MAX_BYTES: usize = 512 * 1024;

/// The longest text in JSON: 24 KB.
fn long_text(turn: usize) -> String {
    format!("{turn:04}{}", "\u{1}".repeat(3_996))
}

#[track_caller]
fn messages(page: &Value) -> Vec<StoredMessage> {
    StoredMessage::all_from_rest(page["messages"].as_array().expect("messages"))
}

/// A page of the history, which must not be too large.
async fn history_page(reader: &Account, path: &str) -> Value {
    let response = reader.api.get(path).await;
    assert!(
        response.text.len() <= MAX_BYTES,
        "{path} has {} bytes",
        response.text.len()
    );
    response.expect_status(200)
}

#[tokio::test]
async fn history_of_long_messages_is_read_in_smaller_pages() {
    const COUNT: usize = 24;
    let server = Server::for_volume().await;
    let group = Group::new(&server, server.sender_count()).await;
    let all = group.send_many_with(COUNT, long_text).await;
    let reader = &group.members[1];
    let path = group.path("messages/");
    let newest = history_page(reader, &path).await;
    let shown = messages(&newest).len();
    assert!((15..COUNT).contains(&shown), "{shown} of {COUNT} messages");
    assert_eq!(messages(&newest), all[COUNT - shown..]);
    // From the cache as from the database, which alone has the pages around a message.
    for _ in 0..2 {
        assert_eq!(
            history_page(reader, &path).await["messages"],
            newest["messages"]
        );
    }
    let before = format!("{path}?before={}", COUNT + 1);
    assert_eq!(
        history_page(reader, &before).await["messages"],
        newest["messages"]
    );
    let whole = history_page(reader, &group.path("")).await;
    assert_eq!(whole["messages"], newest["messages"]);
    for (start, name) in [("", "before"), ("?around=1", "after")] {
        let (mut pages, mut query) = (Vec::new(), start.to_owned());
        loop {
            let page = history_page(reader, &format!("{path}{query}")).await;
            pages.push(messages(&page));
            let Some(cursor) = page[format!("next_{name}")].as_str() else {
                break;
            };
            query = format!("?{name}={cursor}");
        }
        if name == "before" {
            pages.reverse();
        }
        assert_eq!(pages.concat(), all, "{name}");
    }
    let around = history_page(reader, &format!("{path}?around=12")).await;
    assert!(messages(&around).contains(&all[11]));
}

#[tokio::test]
async fn list_of_large_conversations_is_read_in_smaller_pages() {
    const COUNT: usize = 24;
    let server = Server::under_test();
    let (reader, friend) = tokio::join!(Account::new(&server), Account::new(&server));
    let mut made = Vec::new();
    for turn in 0..COUNT {
        let fields = json!({"participants": [friend.id], "name": format!("group {turn}")});
        let group = friend_group(&reader, &fields).await;
        reader.send_retrying(group, &long_text(turn)).await;
        made.push(group);
    }
    made.reverse();
    // Memoized pages are the same.
    let mut walks = Vec::new();
    for _ in 0..2 {
        let mut pages: Vec<Vec<u64>> = Vec::new();
        let mut next = Some(CONVERSATIONS.to_owned());
        while let Some(path) = next {
            let response = reader.api.get(&path).await;
            assert!(
                response.text.len() <= MAX_BYTES,
                "{} bytes",
                response.text.len()
            );
            next = next_link(&response);
            pages.push(ids(&response));
        }
        assert_eq!(pages.concat(), made);
        assert_eq!(pages.len(), 2, "{pages:?}");
        walks.push(pages);
    }
    assert_eq!(walks[0], walks[1]);
}

async fn friend_group(reader: &Account, fields: &Value) -> u64 {
    let made = reader.api.post(CONVERSATIONS, fields).await;
    made.expect_status(201)["id"].as_u64().expect("an id")
}

#[track_caller]
fn ids(response: &Response) -> Vec<u64> {
    let page = response.body.as_array().expect("an array").iter();
    page.map(|one| one["id"].as_u64().expect("an id")).collect()
}

/// HEAD does the work of GET and counts like it; only the body is missing (RFC 9110 §9.3.2).
#[tokio::test]
async fn head_has_the_status_and_headers_of_get() {
    let group = Group::new(&Server::under_test(), 3).await;
    let reader = &group.members[0];
    for other in &group.members[1..] {
        reader
            .create_conversation(&[other])
            .await
            .expect_status(201);
    }
    for path in [
        CONVERSATIONS.to_owned(),
        format!("{CONVERSATIONS}?limit=1"),
        group.path(""),
        group.path("messages/"),
        group.path("members/?limit=2"),
        "/api/users/profile/".to_owned(),
        format!("{CONVERSATIONS}999999999999/"),
    ] {
        let get = reader.api.get(&path).await;
        let head = reader.api.request(Method::HEAD, &path).send().await;
        assert_eq!((head.status, &*head.text), (get.status, ""), "{path}");
        for name in ["content-type", "link"] {
            assert_eq!(head.header(name), get.header(name), "{name} of {path}");
        }
    }
}
