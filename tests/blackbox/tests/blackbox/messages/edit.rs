//! Edits and deletions: permissions, events, and that no read returns an outdated text.

use std::collections::BTreeMap;

use colloquy_blackbox::{Account, Group, Server, Socket, StoredMessage, eventually, unique};
use serde_json::{Value, json};

/// An id that no message has.
const MISSING_ID: u64 = 999_999_999_999;

async fn open(group: &Group, member: usize) -> Socket {
    group.members[member].socket(group.id).v2().open().await
}

fn id(message: &Value) -> u64 {
    message["id"].as_u64().expect("an id")
}

/// The sender of a message.
fn author<'a>(group: &'a Group, sent: &StoredMessage) -> &'a Account {
    let mut members = group.members.iter();
    members
        .find(|member| member.id == sent.sender_id)
        .expect("a member")
}

/// The text and version of a message in the history.
async fn read_text(account: &Account, conversation: u64, number: usize) -> (String, u64) {
    let page = account.newest_page(conversation).await;
    let message = &page["messages"][number - 1];
    let text = message["content"].as_str().expect("a text").to_owned();
    (text, message["version"].as_u64().expect("a version"))
}

/// The newest version and text of each message in these events.
fn newest_texts(events: &[Value]) -> BTreeMap<u64, (u64, String)> {
    let mut texts = BTreeMap::new();
    for event in events.iter().filter(|event| event["type"] != "member") {
        let version = event["version"].as_u64().expect("a version");
        let text = event["message"].as_str().unwrap_or_default().to_owned();
        let message = event["message_id"].as_u64().expect("an id");
        let known = texts.entry(message).or_insert((version, text.clone()));
        *known = known.clone().max((version, text));
    }
    texts
}

/// The same in a history.
fn texts_of_history(messages: &[Value]) -> BTreeMap<u64, (u64, String)> {
    let texts = messages.iter().map(|message| {
        let text = message["content"].as_str().expect("a text").to_owned();
        let version = message["version"].as_u64().expect("a version");
        (id(message), (version, text))
    });
    texts.collect()
}

#[tokio::test]
async fn edit_is_delivered_to_all_members_in_order() {
    let group = Group::new(&Server::under_test(), 3).await;
    let mut sockets = [open(&group, 0).await, open(&group, 1).await];
    let sent = group.members[0].send_retrying(group.id, "before").await;
    group.members[1].send_retrying(group.id, "another").await;
    let response = group.members[0].edit(group.id, id(&sent), "after").await;
    let expected = json!({"id": sent["id"], "content": "after", "seq": 3});
    assert_eq!(response.expect_status(200), expected);
    group.members[2].send_retrying(group.id, "a third").await;
    let mut received = Vec::new();
    for socket in &mut sockets {
        // The socket checks that `seq` is dense.
        received.push(socket.expect_events(4).await);
    }
    assert_eq!(received[0], received[1]);
    let edited = &received[0][2];
    for (name, value) in [
        ("type", json!("message.edited")),
        ("seq", json!(3)),
        ("message_id", sent["id"].clone()),
        ("message", json!("after")),
        ("version", json!(2)),
        ("user_id", json!(group.members[0].id)),
    ] {
        assert_eq!(edited[name], value, "{name} of {edited}");
    }
    let third = &received[0][3];
    assert_eq!((&third["seq"], &third["number"]), (&json!(4), &json!(3)));
    let read = &group.members[2].history(group.id).await[0];
    for (name, value) in sent.as_object().expect("a message") {
        match name.as_str() {
            "content" => assert_eq!(read[name], "after"),
            "version" => assert_eq!(read[name], 2),
            "duplicate" => {}
            _ => assert_eq!(read[name], *value, "{name}"),
        }
    }
}

#[tokio::test]
async fn every_read_after_an_edit_returns_the_new_text() {
    let group = Group::new(&Server::under_test(), 4).await;
    let sent = group.send_many(4).await;
    let (author, reader) = (author(&group, &sent[1]), &group.members[0]);
    let cached = async |version: u64| {
        eventually("the page is read from the cache", async || {
            let page = reader.newest_page(group.id).await;
            assert_eq!(page["messages"][1]["version"], version, "{page}");
            (page["source"] != "database").then_some(page)
        })
        .await
    };
    cached(1).await;
    for turn in 2..=9 {
        let text = format!("version {turn}");
        let response = author.edit(group.id, sent[1].message_id, &text).await;
        let seq = response.expect_status(200)["seq"].clone();
        assert_eq!(seq, turn + 3);
        let page = reader.newest_page(group.id).await;
        assert_eq!(page["messages"][1]["content"], text, "{}", page["source"]);
        assert_eq!(page["messages"][1]["version"], turn, "{}", page["source"]);
        assert_eq!(page["as_of_seq"], seq, "{}", page["source"]);
        assert_eq!(cached(turn).await["messages"], page["messages"]);
    }
    let page = reader.history_page(group.id, "?around=2&limit=1").await;
    assert_eq!(page["messages"][0]["content"], "version 9");
    let seen = reader.api.get(&group.path("")).await.expect_status(200);
    assert_eq!(seen["messages"][1]["content"], "version 9");
    assert_eq!((&seen["seq"], &seen["number"]), (&json!(12), &json!(4)));
}

#[tokio::test]
async fn resume_delivers_edits_and_deletions_with_the_newest_text() {
    let group = Group::new(&Server::under_test(), 4).await;
    let sent = group.send_many(3).await;
    let mut live = open(&group, 3).await;
    for text in ["once", "twice"] {
        let response = author(&group, &sent[0]).edit(group.id, sent[0].message_id, text);
        response.await.expect_status(200);
    }
    let deleting = author(&group, &sent[1]).delete(group.id, sent[1].message_id);
    let response = deleting.await;
    assert_eq!(response.expect_status(204), Value::Null);
    group.members[3].send_retrying(group.id, "last").await;
    let received = live.expect_events(4).await;
    let kinds: Vec<&str> = received
        .iter()
        .filter_map(|one| one["type"].as_str())
        .collect();
    assert_eq!(
        kinds,
        [
            "message.edited",
            "message.edited",
            "message.deleted",
            "message"
        ]
    );
    let history = texts_of_history(&group.members[2].history(group.id).await);
    for since in 0..=7_u64 {
        let mut socket = open(&group, 2).await;
        let epoch = socket.epoch();
        socket.resume(since, &epoch).await;
        let missed = usize::try_from(7 - since).unwrap();
        let events = socket.expect_events(missed).await;
        let sync = socket.expect_frame("sync").await;
        assert_eq!(sync["count"], missed);
        for (message, text) in newest_texts(&events) {
            assert_eq!(text, history[&message], "since {since}: {events:?}");
        }
        // A resume after the deletion does not contain the deleted text.
        let deleted = json!(sent[1].message_id);
        let about = events.iter().filter(|one| one["message_id"] == deleted);
        for event in about {
            let text = event["message"].as_str().unwrap_or_default();
            assert_eq!(text, "", "since {since}");
        }
    }
}

#[tokio::test]
async fn deleted_message_keeps_its_position_and_loses_its_text() {
    let group = Group::new(&Server::under_test(), 3).await;
    let mut socket = open(&group, 1).await;
    let author = &group.members[0];
    let text = unique("secret");
    let sent = author.send_retrying(group.id, &text).await;
    group.members[1].newest_page(group.id).await;
    assert_eq!(author.delete(group.id, id(&sent)).await.status, 204);
    let received = socket.expect_events(2).await;
    for (name, value) in [
        ("type", json!("message.deleted")),
        ("seq", json!(2)),
        ("message_id", sent["id"].clone()),
        ("version", json!(2)),
        ("user_id", json!(author.id)),
    ] {
        assert_eq!(received[1][name], value, "{name} of {}", received[1]);
    }
    for reader in &group.members {
        assert_eq!(read_text(reader, group.id, 1).await, (String::new(), 2));
        for path in ["/api/chat/conversations/", &group.path("")] {
            let response = reader.api.get(path).await;
            assert!(!response.text.contains(&text), "{response}");
        }
        let listed = reader
            .api
            .get("/api/chat/conversations/")
            .await
            .expect_status(200);
        assert_eq!(listed[0]["last_message"]["content"], "", "{listed}");
    }
    // Repeating the deletion is no error and causes no event; an edit is a conflict.
    assert_eq!(author.delete(group.id, id(&sent)).await.status, 204);
    let late = author.edit(group.id, id(&sent), "edited again").await;
    late.expect_error(409, "conflict");
    group.members[2].send_retrying(group.id, "next").await;
    assert_eq!(socket.expect_message("next").await["seq"], 3);
}

#[tokio::test]
async fn v1_socket_receives_messages_only() {
    let group = Group::new(&Server::under_test(), 4).await;
    let mut old = group.members[1].socket(group.id).open().await;
    let mut new = open(&group, 1).await;
    let sent = group.members[0].send_retrying(group.id, "before").await;
    let edited = group.members[0].edit(group.id, id(&sent), "after").await;
    edited.expect_status(200);
    assert_eq!(
        group.members[0].delete(group.id, id(&sent)).await.status,
        204
    );
    let newcomer = Account::new(&Server::under_test()).await;
    group.members[0]
        .add_member(group.id, newcomer.id)
        .await
        .expect_status(201);
    group.members[2].send_retrying(group.id, "next").await;
    assert_eq!(new.expect_events(5).await[4]["message"], "next");
    old.expect_message("before").await;
    let next = old.expect_message("next").await;
    assert_eq!((&next["seq"], &next["number"]), (&json!(5), &json!(2)));
    // The socket becomes v2 at its position and receives all events from then on.
    old.send(&json!({"type": "ping", "v": 2})).await;
    old.expect_frame("hello").await;
    old.expect_frame("pong").await;
    group.members[0].remove_member(group.id, newcomer.id).await;
    assert_eq!(old.expect_frame("member").await["seq"], 6);
}

#[tokio::test]
async fn only_the_author_may_edit_or_delete_a_message() {
    let server = Server::under_test();
    let group = Group::new(&server, 3).await;
    let outsider = Account::new(&server).await;
    let elsewhere = Group::with_members(group.members.clone()).await;
    let sent = group.members[1].send_retrying(group.id, "mine").await;
    let elsewhere_message = group.members[1]
        .send_retrying(elsewhere.id, "elsewhere")
        .await;
    let mut socket = open(&group, 2).await;
    // Not even the creator of the group.
    for (account, message, status, code) in [
        (&group.members[0], id(&sent), 403, "forbidden"),
        (&group.members[2], id(&sent), 403, "forbidden"),
        (&outsider, id(&sent), 403, "not_member"),
        (&group.members[1], MISSING_ID, 404, "not_found"),
        (&group.members[1], id(&elsewhere_message), 404, "not_found"),
    ] {
        let response = account.edit(group.id, message, "yours").await;
        response.expect_error(status, code);
        account
            .delete(group.id, message)
            .await
            .expect_error(status, code);
    }
    let reader = &group.members[2];
    assert_eq!(read_text(reader, group.id, 1).await, ("mine".to_owned(), 1));
    let unchanged = ("elsewhere".to_owned(), 1);
    assert_eq!(read_text(reader, elsewhere.id, 1).await, unchanged);
    reader.send_retrying(group.id, "next").await;
    assert_eq!(socket.expect_message("next").await["seq"], 2);
}

#[tokio::test]
async fn edited_text_is_validated_like_a_new_one() {
    let (account, _, conversation) = Group::pair(&Server::under_test()).await;
    let sent = account.send_retrying(conversation, "plain").await;
    for text in ["", "  ", "a\0b", "\u{200b}\u{ad}", &"x".repeat(4_001)] {
        let response = account.edit(conversation, id(&sent), text).await;
        response.expect_invalid("message");
    }
    assert_eq!(read_text(&account, conversation, 1).await.1, 1);
    let longest = "🐘".repeat(4_000);
    let special = "  kept: ❤️ <b>\u{202e}\n\t\"'\\ '); drop table messages;-- ";
    for (text, version) in [(longest.as_str(), 2), (special, 3)] {
        let response = account.edit(conversation, id(&sent), text).await;
        assert_eq!(response.expect_status(200)["content"], text);
        let expected = (text.to_owned(), version);
        assert_eq!(read_text(&account, conversation, 1).await, expected);
    }
    // The same text again causes no event.
    let response = account.edit(conversation, id(&sent), special).await;
    assert_eq!(response.expect_status(200)["seq"], Value::Null);
    assert_eq!(read_text(&account, conversation, 1).await.1, 3);
}

#[tokio::test]
async fn repeated_send_of_an_edited_message_is_a_duplicate() {
    let group = Group::new(&Server::under_test(), 3).await;
    let (author, key) = (&group.members[0], unique("m"));
    let sent = author
        .send(group.id, &key, "before")
        .await
        .expect_status(201);
    let mut socket = open(&group, 0).await;
    let edited = author.edit(group.id, id(&sent), "after").await;
    edited.expect_status(200);
    socket.expect_frame("message.edited").await;
    for expected in ["after", ""] {
        let again = author
            .send(group.id, &key, "before")
            .await
            .expect_status(200);
        assert_eq!(
            (&again["id"], &again["number"], &again["duplicate"]),
            (&sent["id"], &sent["number"], &json!(true))
        );
        let frame = json!({"type": "send", "client_message_id": key, "message": "before"});
        socket.send(&frame).await;
        let ack = socket.expect_ack(&key).await;
        assert_eq!(
            (&ack["message_id"], &ack["duplicate"]),
            (&sent["id"], &json!(true))
        );
        // The repeat does not restore the first text.
        assert_eq!(read_text(author, group.id, 1).await.0, expected);
        assert_eq!(author.delete(group.id, id(&sent)).await.status, 204);
    }
    socket.expect_frame("message.deleted").await;
    group.members[1].send_retrying(group.id, "next").await;
    let next = socket.expect_message("next").await;
    assert_eq!((&next["seq"], &next["number"]), (&json!(4), &json!(2)));
}

#[tokio::test]
async fn concurrent_edits_and_sends_have_one_order_and_the_last_text() {
    let server = Server::for_volume().await;
    let group = Group::new(&server, server.sender_count()).await;
    let author = group.members.last().expect("members");
    let sent = author.send_retrying(group.id, "version 1").await;
    let mut sockets = [open(&group, 0).await, open(&group, 1).await];
    let editing = async {
        for version in 2..=21 {
            let text = format!("version {version}");
            author.edit_retrying(group.id, id(&sent), &text).await;
        }
    };
    tokio::join!(editing, group.send_many(20));
    let mut received = Vec::new();
    for socket in &mut sockets {
        received.push(socket.expect_events(40).await);
    }
    assert_eq!(received[0], received[1]);
    let last = (21, "version 21".to_owned());
    assert_eq!(newest_texts(&received[0])[&id(&sent)], last);
    assert_eq!(
        texts_of_history(&author.history(group.id).await)[&id(&sent)],
        last
    );
}
