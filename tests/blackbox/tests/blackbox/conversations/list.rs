//! The list of conversations: order, freshness and paging.

use colloquy_blackbox::{Account, Group, Server, next_link, unique};
use serde_json::{Value, json};

use super::{CONVERSATIONS, create, id};

#[tokio::test]
async fn list_is_ordered_by_latest_activity() {
    let server = Server::under_test();
    let accounts = Account::register_many(&server, 4).await;
    let me = &accounts[0];
    let mut made = Vec::new();
    for other in &accounts[1..] {
        made.push(id(&me
            .create_conversation(&[other])
            .await
            .expect_status(201)));
    }
    let listed = async || {
        let listed = me.api.get(CONVERSATIONS).await.expect_status(200);
        listed.as_array().expect("an array").clone()
    };
    let order = |listed: &[Value]| listed.iter().map(id).collect::<Vec<_>>();
    assert_eq!(order(&listed().await), [made[2], made[1], made[0]]);
    for (turn, expected) in [(0, [0, 2, 1]), (1, [1, 0, 2]), (0, [0, 1, 2])] {
        let text = unique("latest");
        // Messages of other members count as much as own ones.
        let message = accounts[turn + 1].send_retrying(made[turn], &text).await;
        let listed = listed().await;
        assert_eq!(order(&listed), expected.map(|index| made[index]));
        assert_eq!(listed[0]["last_message"]["content"], text);
        assert_eq!(listed[0]["active_at"], message["timestamp"]);
        assert_eq!(listed[0]["seq"], message["seq"]);
        assert!(listed[0].get("messages").is_none(), "{}", listed[0]);
    }
}

/// A cached list entry is never older than the last change of any kind.
#[tokio::test]
async fn list_reflects_every_change_at_once() {
    let server = Server::under_test();
    let (group, quiet) = tokio::join!(Group::new(&server, 3), Account::new(&server));
    let [creator, reader, leaver] = &group.members[..] else {
        panic!("three members");
    };
    reader
        .create_conversation(&[&quiet])
        .await
        .expect_status(201);
    let listed = async || {
        let list = reader.api.get(CONVERSATIONS).await.expect_status(200);
        assert_eq!(list.as_array().map(Vec::len), Some(2), "{list}");
        let mut entries = list.as_array().cloned().unwrap_or_default();
        entries.retain(|one| id(one) == group.id);
        let conversation = reader.api.get(&group.path("")).await.expect_status(200);
        let newest = conversation["messages"]
            .as_array()
            .and_then(|all| all.last());
        let entry = entries.pop().expect("the group");
        assert_eq!(&entry["last_message"], newest.unwrap_or(&Value::Null));
        for name in ["participants", "member_count", "seq", "number"] {
            assert_eq!(entry[name], conversation[name], "{name}");
        }
        entry["seq"].as_u64()
    };
    assert_eq!(listed().await, Some(0));
    let sent = creator.send_retrying(group.id, "Helo").await["id"]
        .as_u64()
        .expect("an id");
    assert_eq!(listed().await, Some(1));
    creator
        .edit(group.id, sent, "Hello")
        .await
        .expect_status(200);
    assert_eq!(listed().await, Some(2));
    creator
        .add_member(group.id, quiet.id)
        .await
        .expect_status(201);
    assert_eq!(listed().await, Some(3));
    assert_eq!(leaver.remove_member(group.id, leaver.id).await.status, 204);
    assert_eq!(listed().await, Some(4));
    assert_eq!(creator.delete(group.id, sent).await.status, 204);
    for _ in 0..2 {
        assert_eq!(listed().await, Some(5));
    }
    let left = leaver.api.get(CONVERSATIONS).await.expect_status(200);
    assert_eq!(left, json!([]));
    assert_eq!(creator.remove_member(group.id, reader.id).await.status, 204);
    let list = reader.api.get(CONVERSATIONS).await.expect_status(200);
    assert_eq!(list.as_array().map(Vec::len), Some(1), "{list}");
}

#[tokio::test]
async fn list_pages_have_no_gap_or_overlap() {
    let server = Server::under_test();
    let accounts = Account::register_many(&server, 2).await;
    let mut made = Vec::new();
    for turn in 0..7 {
        let fields = json!({"participants": [accounts[1].id], "name": format!("group {turn}")});
        made.push(id(&create(&accounts[0], fields).await.expect_status(201)));
    }
    made.reverse();
    for limit in [1, 3, 7, 8] {
        let mut walked = Vec::new();
        let mut next = Some(format!("{CONVERSATIONS}?limit={limit}"));
        while let Some(path) = next {
            let response = accounts[0].api.get(&path).await;
            next = next_link(&response);
            let page = response.expect_status(200);
            let page = page.as_array().expect("an array");
            assert!(page.len() <= limit, "{} of {limit}", page.len());
            assert!(!page.is_empty(), "the link leads to an empty page");
            walked.extend(page.iter().map(id));
            assert!(walked.len() <= made.len(), "{walked:?}");
        }
        assert_eq!(walked, made, "limit {limit}");
    }
}

#[tokio::test]
async fn list_parameters_are_validated() {
    let account = Account::new(&Server::under_test()).await;
    for query in [
        "limit=0",
        "limit=201",
        "limit=-1",
        "limit=x",
        "cursor=x",
        "cursor=%00",
    ] {
        let response = account.api.get(&format!("{CONVERSATIONS}?{query}")).await;
        assert_eq!(response.status, 400, "{query}: {response}");
    }
    for query in ["limit=1", "limit=200", "unknown=1", ""] {
        let response = account.api.get(&format!("{CONVERSATIONS}?{query}")).await;
        assert_eq!(response.status, 200, "{query}: {response}");
    }
}
