//! Conversations: who is in them, how pairs are found again, who may see what, how they are listed.

use colloquy_blackbox::{Account, Api, Group, Response, Server, timestamp, unique};
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

const CONVERSATIONS: &str = "/api/chat/conversations/";

/// An id no account and no conversation has.
const MISSING_ID: u64 = 999_999_999_999;

fn ids(conversation: &Value) -> Vec<u64> {
    let people = conversation["participants"]
        .as_array()
        .expect("participants");
    let mut ids: Vec<u64> = people
        .iter()
        .map(|person| person["id"].as_u64().expect("an id"))
        .collect();
    ids.sort_unstable();
    ids
}

fn id(conversation: &Value) -> u64 {
    conversation["id"].as_u64().expect("an id")
}

async fn make(account: &Account, fields: Value) -> Response {
    account.api.post(CONVERSATIONS, &fields).await
}

#[tokio::test]
async fn a_new_conversation_has_its_people_and_no_messages() {
    let people = Account::register_many(&Server::under_test(), 3).await;
    let made = people[0]
        .create_conversation(&[&people[1], &people[2]])
        .await
        .expect_status(201);
    let mut expected: Vec<u64> = people.iter().map(|person| person.id).collect();
    expected.sort_unstable();
    assert_eq!(ids(&made), expected);
    assert_eq!(made["kind"], "group");
    assert_eq!(made["name"], Value::Null);
    assert_eq!(made["messages"], json!([]));
    assert_eq!((&made["seq"], &made["number"]), (&json!(0), &json!(0)));
    timestamp(&made["created_at"]);
    let person = made["participants"]
        .as_array()
        .and_then(|all| all.iter().find(|person| person["id"] == people[1].id))
        .expect("the second person");
    assert_eq!(*person, people[1].profile().await.expect_status(200));
    for person in &people {
        let seen = person
            .api
            .get(&format!("{CONVERSATIONS}{}/", id(&made)))
            .await
            .expect_status(200);
        assert_eq!(seen, made);
    }
}

#[tokio::test]
async fn duplicates_and_the_caller_are_folded() {
    let people = Account::register_many(&Server::under_test(), 2).await;
    let (me, other) = (people[0].id, people[1].id);
    let made = make(&people[0], json!({"participants": [other, me, other, me]})).await;
    let made = made.expect_status(201);
    assert_eq!(ids(&made).len(), 2, "{made}");
    assert_eq!(made["kind"], "direct");
}

#[tokio::test]
async fn unknown_people_are_named_and_nothing_is_made() {
    let people = Account::register_many(&Server::under_test(), 2).await;
    let fields = json!({"participants": [people[1].id, MISSING_ID, MISSING_ID + 1]});
    let sentences = make(&people[0], fields)
        .await
        .expect_invalid("participants");
    assert!(sentences.contains(&MISSING_ID.to_string()), "{sentences}");
    assert!(
        sentences.contains(&(MISSING_ID + 1).to_string()),
        "{sentences}"
    );
    let listed = people[0].api.get(CONVERSATIONS).await.expect_status(200);
    assert_eq!(listed, json!([]));
}

#[tokio::test]
async fn somebody_else_is_needed() {
    let account = Account::new(&Server::under_test()).await;
    for participants in [json!([]), json!([account.id])] {
        make(&account, json!({"participants": participants}))
            .await
            .expect_invalid("participants");
    }
    make(&account, json!({}))
        .await
        .expect_invalid("participants");
    for participants in [
        json!("x"),
        json!({}),
        json!(["x"]),
        json!([1.5]),
        json!([null]),
        json!(7),
    ] {
        let answer = make(&account, json!({"participants": participants})).await;
        answer.expect_error(400, "malformed");
    }
    for participants in [json!([-1]), json!([0]), json!([u64::MAX])] {
        let answer = make(&account, json!({"participants": participants})).await;
        assert_eq!(answer.status, 400, "{answer}");
    }
}

#[tokio::test]
async fn a_pair_has_one_conversation_whoever_asks() {
    let (one, other, id) = Group::pair(&Server::under_test()).await;
    one.send_retrying(id, "found again").await;
    for answer in [
        one.create_conversation(&[&other]).await,
        other.create_conversation(&[&one]).await,
    ] {
        let found = answer.expect_status(200);
        assert_eq!(found["id"], id);
        assert_eq!(found["messages"][0]["content"], "found again");
    }
    let kind = json!({"participants": [other.id], "kind": "direct"});
    assert_eq!(make(&one, kind).await.expect_status(200)["id"], id);
}

#[tokio::test]
async fn a_pair_that_both_ask_for_at_once_is_one() {
    let server = Server::under_test();
    for _ in 0..4 {
        let people = Account::register_many(&server, 2).await;
        let (one, other) = (&people[0], &people[1]);
        let asked = (0..3).map(async |_| {
            let pair = ([one], [other]);
            let (by_one, by_other) = tokio::join!(
                one.create_conversation(&pair.1),
                other.create_conversation(&pair.0)
            );
            [by_one, by_other]
        });
        let answers: Vec<Response> = join_all(asked).await.into_iter().flatten().collect();
        let made = answers.iter().filter(|answer| answer.status == 201).count();
        assert_eq!(made, 1, "{answers:?}");
        let first = id(&answers[0].body);
        assert!(
            answers.iter().all(|answer| id(&answer.body) == first),
            "{answers:?}"
        );
        let listed = one.api.get(CONVERSATIONS).await.expect_status(200);
        assert_eq!(listed.as_array().map(Vec::len), Some(1), "{listed}");
    }
}

#[tokio::test]
async fn a_named_conversation_of_two_is_a_group_of_its_own() {
    let (one, other, direct) = Group::pair(&Server::under_test()).await;
    for name in [
        "Tea & <b>biscuits</b>",
        "茶",
        "Robert'); drop table conversations;--",
    ] {
        let fields = json!({"participants": [other.id], "name": name});
        let made = make(&one, fields).await.expect_status(201);
        assert_eq!(
            (&made["kind"], &made["name"]),
            (&json!("group"), &json!(name))
        );
        assert_ne!(id(&made), direct);
    }
    let fields = json!({"participants": [other.id], "kind": "group"});
    let made = make(&one, fields).await.expect_status(201);
    assert_eq!(made["kind"], "group");
    assert_ne!(id(&made), direct);
}

#[tokio::test]
async fn names_and_kinds_keep_to_their_rules() {
    let people = Account::register_many(&Server::under_test(), 3).await;
    let other = people[1].id;
    for name in ["a\0b".to_owned(), "x".repeat(10_000)] {
        let fields = json!({"participants": [other], "name": name});
        make(&people[0], fields).await.expect_invalid("name");
    }
    let fields = json!({"participants": [other], "name": 7});
    make(&people[0], fields)
        .await
        .expect_error(400, "malformed");
    let fields = json!({"participants": [other], "kind": "channel"});
    assert_eq!(make(&people[0], fields).await.status, 400);
    let fields = json!({"participants": [other, people[2].id], "kind": "direct"});
    assert_eq!(make(&people[0], fields).await.status, 400);
}

#[tokio::test]
async fn a_foreign_conversation_is_forbidden_and_a_missing_one_not_found() {
    let server = Server::under_test();
    let (member, _, id) = Group::pair(&server).await;
    let outsider = Account::new(&server).await;
    member.send_retrying(id, "between us").await;
    for (id, status, code) in [(id, 403, "not_member"), (MISSING_ID, 404, "not_found")] {
        let path = format!("{CONVERSATIONS}{id}/");
        outsider.api.get(&path).await.expect_error(status, code);
        let answer = outsider.api.get(&format!("{path}messages/")).await;
        answer.expect_error(status, code);
        assert!(!answer.text.contains("between us"), "{answer}");
        outsider
            .send(id, &unique("m"), "let me in")
            .await
            .expect_error(status, code);
        Api::anonymous(&server)
            .get(&path)
            .await
            .expect_error(401, "not_authenticated");
    }
    assert_eq!(member.history(id).await.len(), 1);
    assert_eq!(
        outsider.api.get(CONVERSATIONS).await.expect_status(200),
        json!([])
    );
}

#[tokio::test]
async fn ids_that_are_no_ids_are_not_found() {
    let (account, _, own) = Group::pair(&Server::under_test()).await;
    for id in [
        "x",
        "0",
        "-1",
        "1.5",
        "9223372036854775808",
        "99999999999999999999999",
        "%00",
        "1%20",
    ] {
        for (method, rest) in [
            (Method::GET, ""),
            (Method::GET, "messages/"),
            (Method::DELETE, "messages/1/"),
            (Method::DELETE, "members/1/"),
        ] {
            let path = format!("{CONVERSATIONS}{id}/{rest}");
            let answer = account.api.request(method, &path).send().await;
            assert!(matches!(answer.status, 404), "{answer}");
        }
        for within in ["messages", "members"] {
            let path = format!("{CONVERSATIONS}{own}/{within}/{id}/");
            let answer = account.api.request(Method::DELETE, &path).send().await;
            assert!(matches!(answer.status, 404), "{answer}");
        }
    }
}

#[tokio::test]
async fn the_list_has_the_latest_activity_first() {
    let server = Server::under_test();
    let people = Account::register_many(&server, 4).await;
    let me = &people[0];
    let mut made = Vec::new();
    for other in &people[1..] {
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
        // Somebody else's message counts as much as one's own.
        let message = people[turn + 1].send_retrying(made[turn], &text).await;
        let listed = listed().await;
        assert_eq!(order(&listed), expected.map(|index| made[index]));
        assert_eq!(listed[0]["last_message"]["content"], text);
        assert_eq!(listed[0]["active_at"], message["timestamp"]);
        assert_eq!(listed[0]["seq"], message["seq"]);
        assert!(listed[0].get("messages").is_none(), "{}", listed[0]);
    }
}

/// The address that a `Link` header (RFC 8288) gives for the next page, from its path on.
/// What was shown before is shown again as it is now, by whatever it was changed.
#[tokio::test]
async fn a_list_read_again_shows_what_has_changed_since() {
    let server = Server::under_test();
    let (group, quiet) = tokio::join!(Group::new(&server, 3), Account::new(&server));
    let [maker, reader, leaver] = &group.members[..] else {
        panic!("three people");
    };
    reader
        .create_conversation(&[&quiet])
        .await
        .expect_status(201);
    let listed = async || {
        let list = reader.api.get(CONVERSATIONS).await.expect_status(200);
        assert_eq!(list.as_array().map(Vec::len), Some(2), "{list}");
        let mut shown = list.as_array().cloned().unwrap_or_default();
        shown.retain(|one| id(one) == group.id);
        let seen = reader.api.get(&group.path("")).await.expect_status(200);
        let newest = seen["messages"].as_array().and_then(|all| all.last());
        let shown = shown.pop().expect("the group");
        assert_eq!(&shown["last_message"], newest.unwrap_or(&Value::Null));
        for name in ["participants", "seq", "number"] {
            assert_eq!(shown[name], seen[name], "{name}");
        }
        shown["seq"].as_u64()
    };
    assert_eq!(listed().await, Some(0));
    let sent = maker.send_retrying(group.id, "Helo").await["id"]
        .as_u64()
        .expect("an id");
    assert_eq!(listed().await, Some(1));
    maker.edit(group.id, sent, "Hello").await.expect_status(200);
    assert_eq!(listed().await, Some(2));
    maker
        .add_member(group.id, quiet.id)
        .await
        .expect_status(201);
    assert_eq!(listed().await, Some(3));
    assert_eq!(leaver.remove_member(group.id, leaver.id).await.status, 204);
    assert_eq!(listed().await, Some(4));
    assert_eq!(maker.delete(group.id, sent).await.status, 204);
    for _ in 0..2 {
        assert_eq!(listed().await, Some(5));
    }
    let left = leaver.api.get(CONVERSATIONS).await.expect_status(200);
    assert_eq!(left, json!([]));
    assert_eq!(maker.remove_member(group.id, reader.id).await.status, 204);
    let list = reader.api.get(CONVERSATIONS).await.expect_status(200);
    assert_eq!(list.as_array().map(Vec::len), Some(1), "{list}");
}

fn next_link(answer: &Response) -> Option<String> {
    let link = answer.header("link")?;
    let (address, rest) = link.strip_prefix('<')?.split_once('>')?;
    assert!(rest.contains("rel=\"next\""), "{link}");
    let path = address
        .find("/api/")
        .unwrap_or_else(|| panic!("no path: {link}"));
    Some(address[path..].to_owned())
}

#[tokio::test]
async fn the_list_is_walked_by_its_links_without_gap_or_overlap() {
    let server = Server::under_test();
    let people = Account::register_many(&server, 2).await;
    let mut made = Vec::new();
    for turn in 0..7 {
        let fields = json!({"participants": [people[1].id], "name": format!("group {turn}")});
        made.push(id(&make(&people[0], fields).await.expect_status(201)));
    }
    made.reverse();
    for limit in [1, 3, 7, 8] {
        let mut walked = Vec::new();
        let mut next = Some(format!("{CONVERSATIONS}?limit={limit}"));
        while let Some(path) = next {
            let answer = people[0].api.get(&path).await;
            next = next_link(&answer);
            let page = answer.expect_status(200);
            let page = page.as_array().expect("an array");
            assert!(page.len() <= limit, "{} of {limit}", page.len());
            assert!(!page.is_empty(), "an empty page was linked to");
            walked.extend(page.iter().map(id));
            assert!(walked.len() <= made.len(), "{walked:?}");
        }
        assert_eq!(walked, made, "limit {limit}");
    }
}

#[tokio::test]
async fn limits_and_cursors_of_the_list_are_checked() {
    let account = Account::new(&Server::under_test()).await;
    for query in [
        "limit=0",
        "limit=201",
        "limit=-1",
        "limit=x",
        "cursor=x",
        "cursor=%00",
    ] {
        let answer = account.api.get(&format!("{CONVERSATIONS}?{query}")).await;
        assert_eq!(answer.status, 400, "{query}: {answer}");
    }
    for query in ["limit=1", "limit=200", "unknown=1", ""] {
        let answer = account.api.get(&format!("{CONVERSATIONS}?{query}")).await;
        assert_eq!(answer.status, 200, "{query}: {answer}");
    }
}

#[tokio::test]
async fn a_conversation_shows_its_hundred_newest_messages() {
    let server = Server::for_volume().await;
    let group = Group::new(&server, server.sender_count()).await;
    let sent = group.send_many(105).await;
    let seen = group.members[1]
        .api
        .get(&group.path(""))
        .await
        .expect_status(200);
    let shown = colloquy_blackbox::StoredMessage::all_from_rest(
        seen["messages"].as_array().expect("messages"),
    );
    assert_eq!(shown, sent[5..]);
    assert_eq!(
        (&seen["number"], &seen["seq"]),
        (&json!(105), &json!(sent[104].seq))
    );
}
