//! Edits and deletions: who may, who hears of them, and that nobody reads an old text for a new one.

use std::collections::BTreeMap;

use colloquy_blackbox::{Account, Group, Server, Socket, StoredMessage, eventually, unique};
use serde_json::{Value, json};

/// An id no message has.
const NOTHING: u64 = 999_999_999_999;

async fn open(group: &Group, member: usize) -> Socket {
    group.members[member].socket(group.id).v2().open().await
}

fn id(message: &Value) -> u64 {
    message["id"].as_u64().expect("an id")
}

/// Who sent it.
fn writer<'a>(group: &'a Group, sent: &StoredMessage) -> &'a Account {
    let mut members = group.members.iter();
    members
        .find(|member| member.id == sent.sender_id)
        .expect("a member")
}

/// What a message's history row says of its text.
async fn reads(account: &Account, conversation: u64, number: usize) -> (String, u64) {
    let page = account.newest_page(conversation).await;
    let message = &page["messages"][number - 1];
    let text = message["content"].as_str().expect("a text").to_owned();
    (text, message["version"].as_u64().expect("a version"))
}

/// What these events say of each message's text: of several the one with the highest version.
fn told(events: &[Value]) -> BTreeMap<u64, (u64, String)> {
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

/// The same of a history.
fn shown(messages: &[Value]) -> BTreeMap<u64, (u64, String)> {
    let shown = messages.iter().map(|message| {
        let text = message["content"].as_str().expect("a text").to_owned();
        let version = message["version"].as_u64().expect("a version");
        (id(message), (version, text))
    });
    shown.collect()
}

#[tokio::test]
async fn an_edit_is_heard_by_everybody_in_the_order_of_the_conversation() {
    let group = Group::new(&Server::under_test(), 3).await;
    let mut sockets = [open(&group, 0).await, open(&group, 1).await];
    let sent = group.members[0].send_retrying(group.id, "as it was").await;
    group.members[1].send_retrying(group.id, "another").await;
    let answer = group.members[0].edit(group.id, id(&sent), "as it is").await;
    let expected = json!({"id": sent["id"], "content": "as it is", "seq": 3});
    assert_eq!(answer.expect_status(200), expected);
    group.members[2].send_retrying(group.id, "a third").await;
    let mut received = Vec::new();
    for socket in &mut sockets {
        // That `seq` is dense is checked by the socket.
        received.push(socket.expect_events(4).await);
    }
    assert_eq!(received[0], received[1]);
    let edited = &received[0][2];
    for (name, value) in [
        ("type", json!("message.edited")),
        ("seq", json!(3)),
        ("message_id", sent["id"].clone()),
        ("message", json!("as it is")),
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
            "content" => assert_eq!(read[name], "as it is"),
            "version" => assert_eq!(read[name], 2),
            "duplicate" => {}
            _ => assert_eq!(read[name], *value, "{name}"),
        }
    }
}

#[tokio::test]
async fn the_next_read_after_an_edit_has_the_new_text_wherever_it_is_read() {
    let group = Group::new(&Server::under_test(), 4).await;
    let sent = group.send_many(4).await;
    let (writer, reader) = (writer(&group, &sent[1]), &group.members[0]);
    let cached = async |version: u64| {
        eventually("the page comes from the cache", async || {
            let page = reader.newest_page(group.id).await;
            assert_eq!(page["messages"][1]["version"], version, "{page}");
            (page["source"] != "database").then_some(page)
        })
        .await
    };
    cached(1).await;
    for turn in 2..=9 {
        let text = format!("version {turn}");
        let answer = writer.edit(group.id, sent[1].message_id, &text).await;
        let seq = answer.expect_status(200)["seq"].clone();
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
async fn a_resume_delivers_what_was_changed_and_ends_with_the_text_that_is_right() {
    let group = Group::new(&Server::under_test(), 4).await;
    let sent = group.send_many(3).await;
    let mut live = open(&group, 3).await;
    for text in ["once", "twice"] {
        let answer = writer(&group, &sent[0]).edit(group.id, sent[0].message_id, text);
        answer.await.expect_status(200);
    }
    let deleting = writer(&group, &sent[1]).delete(group.id, sent[1].message_id);
    let answer = deleting.await;
    assert_eq!(answer.expect_status(204), Value::Null);
    group.members[3]
        .send_retrying(group.id, "after it all")
        .await;
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
    let history = shown(&group.members[2].history(group.id).await);
    for since in 0..=7_u64 {
        let mut socket = open(&group, 2).await;
        let epoch = socket.epoch();
        socket.resume(since, &epoch).await;
        let missed = usize::try_from(7 - since).unwrap();
        let events = socket.expect_events(missed).await;
        let sync = socket.expect_frame("sync").await;
        assert_eq!(sync["count"], missed);
        for (message, text) in told(&events) {
            assert_eq!(text, history[&message], "since {since}: {events:?}");
        }
        // Who comes after it was deleted is not told what it said.
        let deleted = json!(sent[1].message_id);
        let about = events.iter().filter(|one| one["message_id"] == deleted);
        for event in about {
            let text = event["message"].as_str().unwrap_or_default();
            assert_eq!(text, "", "since {since}");
        }
    }
}

#[tokio::test]
async fn a_deleted_message_keeps_its_place_and_has_no_text_anywhere() {
    let group = Group::new(&Server::under_test(), 3).await;
    let mut socket = open(&group, 1).await;
    let writer = &group.members[0];
    let text = unique("secret");
    let sent = writer.send_retrying(group.id, &text).await;
    group.members[1].newest_page(group.id).await;
    assert_eq!(writer.delete(group.id, id(&sent)).await.status, 204);
    let received = socket.expect_events(2).await;
    for (name, value) in [
        ("type", json!("message.deleted")),
        ("seq", json!(2)),
        ("message_id", sent["id"].clone()),
        ("version", json!(2)),
        ("user_id", json!(writer.id)),
    ] {
        assert_eq!(received[1][name], value, "{name} of {}", received[1]);
    }
    for reader in &group.members {
        assert_eq!(reads(reader, group.id, 1).await, (String::new(), 2));
        for path in ["/api/chat/conversations/", &group.path("")] {
            let answer = reader.api.get(path).await;
            assert!(!answer.text.contains(&text), "{answer}");
        }
        let listed = reader
            .api
            .get("/api/chat/conversations/")
            .await
            .expect_status(200);
        assert_eq!(listed[0]["last_message"]["content"], "", "{listed}");
    }
    // Deleting again is no error, and no event; editing is too late.
    assert_eq!(writer.delete(group.id, id(&sent)).await.status, 204);
    let late = writer.edit(group.id, id(&sent), "back again").await;
    late.expect_error(409, "conflict");
    group.members[2].send_retrying(group.id, "next").await;
    assert_eq!(socket.expect_message("next").await["seq"], 3);
}

#[tokio::test]
async fn a_v1_socket_hears_messages_alone() {
    let group = Group::new(&Server::under_test(), 4).await;
    let mut old = group.members[1].socket(group.id).open().await;
    let mut new = open(&group, 1).await;
    let sent = group.members[0].send_retrying(group.id, "as it was").await;
    let edited = group.members[0].edit(group.id, id(&sent), "as it is").await;
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
    old.expect_message("as it was").await;
    let next = old.expect_message("next").await;
    assert_eq!((&next["seq"], &next["number"]), (&json!(5), &json!(2)));
    // It becomes v2 where it stands, and hears everything from then on.
    old.send(&json!({"type": "ping", "v": 2})).await;
    old.expect_frame("hello").await;
    old.expect_frame("pong").await;
    group.members[0].remove_member(group.id, newcomer.id).await;
    assert_eq!(old.expect_frame("member").await["seq"], 6);
}

#[tokio::test]
async fn only_who_wrote_a_message_may_change_it() {
    let server = Server::under_test();
    let group = Group::new(&server, 3).await;
    let outsider = Account::new(&server).await;
    let elsewhere = Group::with_members(group.members.clone()).await;
    let sent = group.members[1].send_retrying(group.id, "mine").await;
    let foreign = group.members[1]
        .send_retrying(elsewhere.id, "elsewhere")
        .await;
    let mut socket = open(&group, 2).await;
    // Not even who made the group.
    for (account, message, status, code) in [
        (&group.members[0], id(&sent), 403, "forbidden"),
        (&group.members[2], id(&sent), 403, "forbidden"),
        (&outsider, id(&sent), 403, "not_member"),
        (&group.members[1], NOTHING, 404, "not_found"),
        (&group.members[1], id(&foreign), 404, "not_found"),
    ] {
        let answer = account.edit(group.id, message, "yours").await;
        answer.expect_error(status, code);
        account
            .delete(group.id, message)
            .await
            .expect_error(status, code);
    }
    let reader = &group.members[2];
    assert_eq!(reads(reader, group.id, 1).await, ("mine".to_owned(), 1));
    let there = ("elsewhere".to_owned(), 1);
    assert_eq!(reads(reader, elsewhere.id, 1).await, there);
    reader.send_retrying(group.id, "next").await;
    assert_eq!(socket.expect_message("next").await["seq"], 2);
}

#[tokio::test]
async fn an_edited_text_keeps_to_the_rules_of_a_new_one() {
    let (account, _, conversation) = Group::pair(&Server::under_test()).await;
    let sent = account.send_retrying(conversation, "plain").await;
    for text in ["", "  ", "a\0b", &"x".repeat(4_001)] {
        let answer = account.edit(conversation, id(&sent), text).await;
        answer.expect_invalid("message");
    }
    assert_eq!(reads(&account, conversation, 1).await.1, 1);
    let longest = "🐘".repeat(4_000);
    let hostile = "  kept: ❤️ <b>\u{202e}\n\t\"'\\ '); drop table messages;-- ";
    for (text, version) in [(longest.as_str(), 2), (hostile, 3)] {
        let answer = account.edit(conversation, id(&sent), text).await;
        assert_eq!(answer.expect_status(200)["content"], text);
        let expected = (text.to_owned(), version);
        assert_eq!(reads(&account, conversation, 1).await, expected);
    }
    // The same text again changes nothing.
    let answer = account.edit(conversation, id(&sent), hostile).await;
    assert_eq!(answer.expect_status(200)["seq"], Value::Null);
    assert_eq!(reads(&account, conversation, 1).await.1, 3);
}

#[tokio::test]
async fn a_repeat_of_a_send_that_was_changed_since_is_a_duplicate() {
    let group = Group::new(&Server::under_test(), 3).await;
    let (writer, key) = (&group.members[0], unique("m"));
    let sent = writer
        .send(group.id, &key, "as it was")
        .await
        .expect_status(201);
    let mut socket = open(&group, 0).await;
    let edited = writer.edit(group.id, id(&sent), "as it is").await;
    edited.expect_status(200);
    socket.expect_frame("message.edited").await;
    for expected in ["as it is", ""] {
        let again = writer
            .send(group.id, &key, "as it was")
            .await
            .expect_status(200);
        assert_eq!(
            (&again["id"], &again["number"], &again["duplicate"]),
            (&sent["id"], &sent["number"], &json!(true))
        );
        let frame = json!({"type": "send", "client_message_id": key, "message": "as it was"});
        socket.send(&frame).await;
        let ack = socket.expect_ack(&key).await;
        assert_eq!(
            (&ack["message_id"], &ack["duplicate"]),
            (&sent["id"], &json!(true))
        );
        // The repeat brought nothing back.
        assert_eq!(reads(writer, group.id, 1).await.0, expected);
        assert_eq!(writer.delete(group.id, id(&sent)).await.status, 204);
    }
    socket.expect_frame("message.deleted").await;
    group.members[1].send_retrying(group.id, "next").await;
    let next = socket.expect_message("next").await;
    assert_eq!((&next["seq"], &next["number"]), (&json!(4), &json!(2)));
}

#[tokio::test]
async fn edits_and_sends_at_once_leave_one_order_and_the_last_text() {
    let server = Server::for_volume().await;
    let group = Group::new(&server, server.sender_count()).await;
    let writer = group.members.last().expect("members");
    let sent = writer.send_retrying(group.id, "version 1").await;
    let mut sockets = [open(&group, 0).await, open(&group, 1).await];
    let editing = async {
        for version in 2..=21 {
            let text = format!("version {version}");
            writer.edit_retrying(group.id, id(&sent), &text).await;
        }
    };
    tokio::join!(editing, group.send_many(20));
    let mut received = Vec::new();
    for socket in &mut sockets {
        received.push(socket.expect_events(40).await);
    }
    assert_eq!(received[0], received[1]);
    let last = (21, "version 21".to_owned());
    assert_eq!(told(&received[0])[&id(&sent)], last);
    assert_eq!(shown(&writer.history(group.id).await)[&id(&sent)], last);
}
