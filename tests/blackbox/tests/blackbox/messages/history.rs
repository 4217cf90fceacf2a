//! The history: source, paging, and that it contains every acknowledged message. Also the validation
//! of sends over REST.

use colloquy_blackbox::{
    Account, Control, Group, Server, StoredMessage, eventually, timestamp, unique,
};
use serde_json::{Value, json};

fn messages(page: &Value) -> Vec<StoredMessage> {
    StoredMessage::all_from_rest(page["messages"].as_array().expect("messages"))
}

/// A cursor as query text.
fn cursor(page: &Value, name: &str) -> Option<String> {
    match &page[name] {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

#[tokio::test]
async fn history_of_a_new_conversation_is_empty() {
    let (account, _, id) = Group::pair(&Server::under_test()).await;
    let page = account.newest_page(id).await;
    assert_eq!(page["conversation_id"], id);
    assert_eq!(page["messages"], json!([]));
    assert_eq!(
        (&page["next_before"], &page["next_after"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(page["as_of_seq"], 0);
}

#[tokio::test]
async fn stored_message_equals_the_sent_one() {
    let (account, other, id) = Group::pair(&Server::under_test()).await;
    let first = account.send_retrying(id, "first").await;
    let path = format!("/api/chat/conversations/{id}/messages/");
    let (key, text) = (unique("m"), "  kept: ❤️ <b>\u{202e}\n\t\"'\\ ");
    let fields = json!({
        "message": text,
        "client_message_id": key,
        "reply_to": first["id"],
        "mentions": [4_000_000_000_u64, account.id],
    });
    let made = other.api.post(&path, &fields).await.expect_status(201);
    assert_eq!(made["content"], text);
    assert_eq!(made["sender"], other.username);
    assert_eq!(made["sender_id"], other.id);
    assert_eq!(made["client_message_id"], key);
    assert_eq!(made["reply_to"], first["id"]);
    assert_eq!(made["mentions"], json!([account.id]));
    assert_eq!(made["version"], 1);
    assert_eq!((&made["seq"], &made["number"]), (&json!(2), &json!(2)));
    assert!(timestamp(&made["timestamp"]) >= timestamp(&first["timestamp"]));
    let page = account.newest_page(id).await;
    let read = &page["messages"][1];
    for (name, value) in read.as_object().expect("a message") {
        assert_eq!(*value, made[name], "{name}");
    }
}

#[tokio::test]
async fn cached_history_equals_the_database() {
    let server = Server::under_test();
    let group = Group::new(&server, 4).await;
    group.send_many(8).await;
    let reader = &group.members[0];
    let info = Control::from_env().info().await;
    let has_redis = info["capabilities"]
        .as_array()
        .is_some_and(|all| all.iter().any(|name| name == "redis"));
    let expected = if has_redis { "redis" } else { "cache" };
    let cached = eventually("the newest page is read from the cache", async || {
        let page = reader.newest_page(group.id).await;
        let source = page["source"].as_str().expect("a source").to_owned();
        assert!(source == expected || source == "database", "{source}");
        (source == expected).then_some(page)
    });
    let cached = cached.await;
    // The same messages by requests that the cached page cannot serve.
    let newest = reader.history_page(group.id, "?after=1").await;
    assert_eq!(
        newest["messages"],
        json!(cached["messages"].as_array().unwrap()[1..])
    );
    let seen = reader.api.get(&group.path("")).await.expect_status(200);
    assert_eq!(seen["messages"], cached["messages"]);
    assert_eq!(cached["as_of_seq"], seen["seq"]);
}

#[tokio::test]
async fn acknowledged_message_is_in_the_next_read() {
    let server = Server::under_test();
    let group = Group::new(&server, 10).await;
    for turn in 0..50 {
        let sender = &group.members[turn % 10];
        let other = &group.members[(turn + 1) % 10];
        let message = sender
            .send_retrying(group.id, &format!("turn {turn}"))
            .await;
        for reader in [sender, other] {
            let page = reader.newest_page(group.id).await;
            let last = page["messages"]
                .as_array()
                .and_then(|all| all.last())
                .cloned();
            let last = last.unwrap_or_else(|| panic!("turn {turn}: no messages in {page}"));
            assert_eq!(
                last["id"], message["id"],
                "turn {turn} from {}",
                page["source"]
            );
            assert_eq!(page["as_of_seq"], message["seq"]);
        }
    }
}

/// Follows one cursor from page to page.
async fn walk(
    reader: &Account,
    id: u64,
    start: &str,
    name: &str,
    limit: usize,
) -> Vec<Vec<StoredMessage>> {
    let parameter = name.trim_start_matches("next_");
    let mut pages = Vec::new();
    let mut page = reader.history_page(id, start).await;
    loop {
        assert!(
            messages(&page).len() <= limit,
            "{} of {limit}",
            messages(&page).len()
        );
        assert!(pages.len() < 300, "too many pages");
        pages.push(messages(&page));
        let Some(next) = cursor(&page, name) else {
            return pages;
        };
        assert!(
            !messages(&page).is_empty(),
            "an empty page has a cursor: {page}"
        );
        page = reader
            .history_page(id, &format!("?{parameter}={next}&limit={limit}"))
            .await;
    }
}

#[tokio::test]
async fn history_pages_have_no_gap_or_overlap() {
    let server = Server::for_volume().await;
    let group = Group::new(&server, server.sender_count()).await;
    let all = group.send_many(250).await;
    let numbers: Vec<u64> = all.iter().map(|message| message.number).collect();
    assert_eq!(numbers, (1..=250).collect::<Vec<u64>>());
    let reader = &group.members[1];
    for limit in [7, 50, 100] {
        let start = format!("?limit={limit}");
        let back = walk(reader, group.id, &start, "next_before", limit).await;
        let back: Vec<StoredMessage> = back.into_iter().rev().flatten().collect();
        assert_eq!(back, all, "backwards by {limit}");
        let start = format!("?around=1&limit={limit}");
        let forward = walk(reader, group.id, &start, "next_after", limit).await;
        assert_eq!(forward.concat(), all, "forwards by {limit}");
    }
    around_is_a_window(reader, group.id, &all).await;
    default_is_the_newest_hundred(reader, group.id, &all).await;
}

async fn around_is_a_window(reader: &Account, id: u64, all: &[StoredMessage]) {
    for number in [1_usize, 2, 125, 249, 250] {
        let page = reader
            .history_page(id, &format!("?around={number}&limit=11"))
            .await;
        let window = messages(&page);
        assert!(window.len() <= 11, "{}", window.len());
        let first = usize::try_from(window[0].number).unwrap() - 1;
        assert_eq!(window, all[first..first + window.len()], "around {number}");
        let wanted = u64::try_from(number).unwrap();
        assert!(
            window.iter().any(|message| message.number == wanted),
            "around {number}"
        );
        // In the middle the window extends to both sides.
        if number == 125 {
            assert!(window[0].number < 125 && window.last().unwrap().number > 125);
            let (before, after) = (cursor(&page, "next_before"), cursor(&page, "next_after"));
            let before = reader
                .history_page(id, &format!("?before={}&limit=3", before.unwrap()))
                .await;
            assert_eq!(messages(&before), all[first - 3..first]);
            let after = reader
                .history_page(id, &format!("?after={}&limit=3", after.unwrap()))
                .await;
            assert_eq!(
                messages(&after),
                all[first + window.len()..first + window.len() + 3]
            );
        }
    }
}

async fn default_is_the_newest_hundred(reader: &Account, id: u64, all: &[StoredMessage]) {
    let newest = reader.newest_page(id).await;
    assert_eq!(messages(&newest), all[150..]);
    assert_eq!(newest["next_after"], Value::Null);
    assert_eq!(newest["as_of_seq"], all[249].seq);
    for (query, expected) in [
        ("?before=151&limit=100", &all[50..150]),
        ("?before=151", &all[50..150]),
        ("?before=3", &all[..2]),
        ("?before=1", &all[..0]),
        ("?after=248", &all[248..]),
        ("?after=250", &all[..0]),
        ("?after=10&limit=2", &all[10..12]),
        ("?limit=1", &all[249..]),
    ] {
        assert_eq!(
            messages(&reader.history_page(id, query).await),
            expected,
            "{query}"
        );
    }
    let oldest = reader.history_page(id, "?before=3").await;
    assert_eq!(oldest["next_before"], Value::Null);
}

#[tokio::test]
async fn history_cursors_lead_in_both_directions() {
    let server = Server::under_test();
    let group = Group::new(&server, 6).await;
    let all = group.send_many(6).await;
    let reader = &group.members[0];
    let page = reader.history_page(group.id, "?before=5&limit=2").await;
    assert_eq!(messages(&page), all[2..4]);
    let back = cursor(&page, "next_after").expect("newer messages");
    let page = reader
        .history_page(group.id, &format!("?after={back}&limit=2"))
        .await;
    assert_eq!(messages(&page), all[4..6]);
    assert_eq!(page["next_after"], Value::Null);
    let back = cursor(&page, "next_before").expect("older messages");
    let page = reader
        .history_page(group.id, &format!("?before={back}&limit=2"))
        .await;
    assert_eq!(messages(&page), all[2..4]);
}

#[tokio::test]
async fn history_parameters_are_validated() {
    let (account, _, id) = Group::pair(&Server::under_test()).await;
    account.send_retrying(id, "one").await;
    let path = format!("/api/chat/conversations/{id}/messages/");
    for query in [
        "limit=0",
        "limit=101",
        "limit=-1",
        "limit=x",
        "before=x",
        "after=%00",
        "before=1&after=1",
        "before=1;drop",
    ] {
        let response = account.api.get(&format!("{path}?{query}")).await;
        assert_eq!(response.status, 400, "{query}: {response}");
    }
    let response = account.api.get(&format!("{path}?unknown=1")).await;
    assert_eq!(
        response.expect_status(200)["messages"]
            .as_array()
            .map(Vec::len),
        Some(1)
    );
}

#[tokio::test]
async fn invalid_sends_name_the_field() {
    let (account, _, id) = Group::pair(&Server::under_test()).await;
    let path = format!("/api/chat/conversations/{id}/messages/");
    for (fields, field) in [
        (json!({}), "message"),
        (json!({"message": ""}), "message"),
        (json!({"message": " \n\t\u{2003}"}), "message"),
        (json!({"message": "a\0b"}), "message"),
        (json!({"message": "\u{200b}\u{2800}"}), "message"),
        (json!({"message": "x".repeat(4_001)}), "message"),
        (
            json!({"message": "x", "client_message_id": ""}),
            "client_message_id",
        ),
        (
            json!({"message": "x", "client_message_id": "a b"}),
            "client_message_id",
        ),
        (
            json!({"message": "x", "client_message_id": "é"}),
            "client_message_id",
        ),
        (
            json!({"message": "x", "client_message_id": "x".repeat(65)}),
            "client_message_id",
        ),
        (json!({"message": "x", "reply_to": 999_999_999}), "reply_to"),
    ] {
        let response = account.api.post(&path, &fields).await;
        assert!(!response.expect_invalid(field).is_empty(), "{fields}");
    }
    for fields in [
        json!({"message": 7}),
        json!({"message": ["x"]}),
        json!({"message": "x", "client_message_id": 7}),
        json!({"message": "x", "reply_to": "x"}),
        json!({"message": "x", "mentions": "x"}),
        json!({"message": "x", "mentions": ["x"]}),
    ] {
        account
            .api
            .post(&path, &fields)
            .await
            .expect_error(400, "malformed");
    }
    // None of them started a throttle period, and none was stored.
    account
        .send(id, &unique("m"), "at last")
        .await
        .expect_status(201);
    let history = account.history(id).await;
    assert_eq!(history.len(), 1, "{history:?}");
}

#[tokio::test]
async fn reply_must_be_in_the_same_conversation() {
    let server = Server::under_test();
    let (account, other, id) = Group::pair(&server).await;
    let elsewhere = Group::with_members(vec![account.clone(), other.clone()]).await;
    let foreign = account.send_retrying(elsewhere.id, "elsewhere").await;
    let path = format!("/api/chat/conversations/{id}/messages/");
    let fields = json!({"message": "x", "reply_to": foreign["id"]});
    account
        .api
        .post(&path, &fields)
        .await
        .expect_invalid("reply_to");
    assert!(account.history(id).await.is_empty());
}
