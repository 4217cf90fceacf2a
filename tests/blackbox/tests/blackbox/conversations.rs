//! Conversations: participants, direct pairs, visibility and the list.

mod list;

use colloquy_blackbox::{Account, Api, Group, Response, Server, report_skipped, timestamp, unique};
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

const CONVERSATIONS: &str = "/api/chat/conversations/";

/// An id that no account and no conversation has.
const MISSING_ID: u64 = 999_999_999_999;

fn ids(conversation: &Value) -> Vec<u64> {
    let mut ids = ids_in_order(conversation);
    ids.sort_unstable();
    ids
}

fn ids_in_order(conversation: &Value) -> Vec<u64> {
    let accounts = conversation["participants"]
        .as_array()
        .expect("participants");
    accounts
        .iter()
        .map(|participant| participant["id"].as_u64().expect("an id"))
        .collect()
}

fn id(conversation: &Value) -> u64 {
    conversation["id"].as_u64().expect("an id")
}

async fn create(account: &Account, fields: Value) -> Response {
    account.api.post(CONVERSATIONS, &fields).await
}

#[tokio::test]
async fn new_conversation_has_its_participants_and_no_messages() {
    let accounts = Account::register_many(&Server::under_test(), 3).await;
    let made = accounts[0]
        .create_conversation(&[&accounts[1], &accounts[2]])
        .await
        .expect_status(201);
    let mut expected: Vec<u64> = accounts.iter().map(|participant| participant.id).collect();
    expected.sort_unstable();
    assert_eq!(ids(&made), expected);
    assert_eq!(made["kind"], "group");
    assert_eq!(made["name"], Value::Null);
    assert_eq!(made["member_count"], 3);
    assert_eq!(made["messages"], json!([]));
    assert_eq!((&made["seq"], &made["number"]), (&json!(0), &json!(0)));
    timestamp(&made["created_at"]);
    let participant = made["participants"]
        .as_array()
        .and_then(|all| {
            all.iter()
                .find(|participant| participant["id"] == accounts[1].id)
        })
        .expect("the second participant");
    assert_eq!(*participant, accounts[1].profile().await.expect_status(200));
    for participant in &accounts {
        let mut seen = participant
            .api
            .get(&format!("{CONVERSATIONS}{}/", id(&made)))
            .await
            .expect_status(200);
        // The caller is the first participant, the others are in the order of their ids.
        assert_eq!(seen["participants"][0]["id"], participant.id);
        let mut others = ids_in_order(&seen);
        others.remove(0);
        assert!(others.is_sorted(), "{seen}");
        assert_eq!(ids(&seen), ids(&made));
        seen["participants"] = made["participants"].clone();
        assert_eq!(seen, made);
    }
}

#[tokio::test]
async fn duplicate_participants_and_the_caller_are_merged() {
    let accounts = Account::register_many(&Server::under_test(), 2).await;
    let (me, other) = (accounts[0].id, accounts[1].id);
    let made = create(
        &accounts[0],
        json!({"participants": [other, me, other, me]}),
    )
    .await;
    let made = made.expect_status(201);
    assert_eq!(ids(&made).len(), 2, "{made}");
    assert_eq!(made["kind"], "direct");
}

#[tokio::test]
async fn unknown_participants_are_named_and_nothing_is_created() {
    let accounts = Account::register_many(&Server::under_test(), 2).await;
    let fields = json!({"participants": [accounts[1].id, MISSING_ID, MISSING_ID + 1]});
    let sentences = create(&accounts[0], fields)
        .await
        .expect_invalid("participants");
    assert!(sentences.contains(&MISSING_ID.to_string()), "{sentences}");
    assert!(
        sentences.contains(&(MISSING_ID + 1).to_string()),
        "{sentences}"
    );
    let listed = accounts[0].api.get(CONVERSATIONS).await.expect_status(200);
    assert_eq!(listed, json!([]));
}

#[tokio::test]
async fn conversation_is_created_with_at_most_a_hundred_others() {
    let account = Account::new(&Server::under_test()).await;
    let missing = |count| -> Vec<u64> { (MISSING_ID..MISSING_ID + count).collect() };
    let rejected = create(&account, json!({"participants": missing(101)})).await;
    let sentences = rejected.expect_invalid("participants");
    assert!(sentences.contains("At most 100"), "{sentences}");
    // A hundred are looked up.
    let rejected = create(&account, json!({"participants": missing(100)})).await;
    let sentences = rejected.expect_invalid("participants");
    assert!(sentences.contains(&MISSING_ID.to_string()), "{sentences}");
}

/// A server with `SHOW_EMAILS=self`; with the default, participants show them (see above).
#[tokio::test]
async fn own_email_alone_is_shown_where_others_are_hidden() {
    let Some(server) = Server::unthrottled().await else {
        report_skipped(
            "e-mail addresses of others",
            "the host offers no server that hides them",
        );
        return;
    };
    let accounts = Account::register_many(&server, 3).await;
    let [one, other, third] = &accounts[..] else {
        panic!("three accounts");
    };
    let created = one.create_conversation(&[other, third]).await;
    let path = format!("{CONVERSATIONS}{}/", id(&created.body));
    let direct = one.create_conversation(&[other]).await;
    let mut seen = vec![
        (one, created.expect_status(201)),
        (one, direct.expect_status(201)),
    ];
    for account in &accounts {
        seen.push((account, account.api.get(&path).await.expect_status(200)));
        // The second list is memoized, by another account's or its own.
        for _ in 0..2 {
            let listed = account.api.get(CONVERSATIONS).await.expect_status(200);
            let listed = listed.as_array().expect("an array").clone();
            seen.extend(listed.into_iter().map(|one| (account, one)));
        }
    }
    seen.push((
        other,
        other.create_conversation(&[one]).await.expect_status(200),
    ));
    assert_eq!(seen.len(), 16);
    for (caller, conversation) in seen {
        let participants = conversation["participants"].as_array().expect("accounts");
        assert!(participants.len() >= 2, "{conversation}");
        for participant in participants {
            let own = participant["id"] == caller.id;
            let expected = caller.profile().await.expect_status(200);
            let email = if own {
                expected["email"].clone()
            } else {
                json!("")
            };
            assert_eq!(participant["email"], email, "{conversation}");
        }
    }
}

#[tokio::test]
async fn conversation_requires_another_participant() {
    let account = Account::new(&Server::under_test()).await;
    for participants in [json!([]), json!([account.id])] {
        create(&account, json!({"participants": participants}))
            .await
            .expect_invalid("participants");
    }
    create(&account, json!({}))
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
        let response = create(&account, json!({"participants": participants})).await;
        response.expect_error(400, "malformed");
    }
    for participants in [json!([-1]), json!([0]), json!([u64::MAX])] {
        let response = create(&account, json!({"participants": participants})).await;
        assert_eq!(response.status, 400, "{response}");
    }
}

#[tokio::test]
async fn pair_has_one_direct_conversation() {
    let (one, other, id) = Group::pair(&Server::under_test()).await;
    one.send_retrying(id, "found again").await;
    for response in [
        one.create_conversation(&[&other]).await,
        other.create_conversation(&[&one]).await,
    ] {
        let found = response.expect_status(200);
        assert_eq!(found["id"], id);
        assert_eq!(found["messages"][0]["content"], "found again");
    }
    let kind = json!({"participants": [other.id], "kind": "direct"});
    assert_eq!(create(&one, kind).await.expect_status(200)["id"], id);
}

#[tokio::test]
async fn concurrent_requests_create_one_direct_conversation() {
    let server = Server::under_test();
    for _ in 0..4 {
        let accounts = Account::register_many(&server, 2).await;
        let (one, other) = (&accounts[0], &accounts[1]);
        let asked = (0..3).map(async |_| {
            let pair = ([one], [other]);
            let (by_one, by_other) = tokio::join!(
                one.create_conversation(&pair.1),
                other.create_conversation(&pair.0)
            );
            [by_one, by_other]
        });
        let responses: Vec<Response> = join_all(asked).await.into_iter().flatten().collect();
        let made = responses
            .iter()
            .filter(|response| response.status == 201)
            .count();
        assert_eq!(made, 1, "{responses:?}");
        let first = id(&responses[0].body);
        assert!(
            responses.iter().all(|response| id(&response.body) == first),
            "{responses:?}"
        );
        let listed = one.api.get(CONVERSATIONS).await.expect_status(200);
        assert_eq!(listed.as_array().map(Vec::len), Some(1), "{listed}");
    }
}

#[tokio::test]
async fn named_conversation_of_two_is_a_new_group() {
    let (one, other, direct) = Group::pair(&Server::under_test()).await;
    for name in [
        "Tea & <b>biscuits</b>",
        "茶",
        "Robert'); drop table conversations;--",
    ] {
        let fields = json!({"participants": [other.id], "name": name});
        let made = create(&one, fields).await.expect_status(201);
        assert_eq!(
            (&made["kind"], &made["name"]),
            (&json!("group"), &json!(name))
        );
        assert_ne!(id(&made), direct);
    }
    let fields = json!({"participants": [other.id], "kind": "group"});
    let made = create(&one, fields).await.expect_status(201);
    assert_eq!(made["kind"], "group");
    assert_ne!(id(&made), direct);
}

#[tokio::test]
async fn conversation_names_and_kinds_are_validated() {
    let accounts = Account::register_many(&Server::under_test(), 3).await;
    let other = accounts[1].id;
    for name in [
        "a\0b".to_owned(),
        "\u{200b}\u{3164}".to_owned(),
        "x".repeat(10_000),
    ] {
        let fields = json!({"participants": [other], "name": name});
        create(&accounts[0], fields).await.expect_invalid("name");
    }
    let fields = json!({"participants": [other], "name": 7});
    create(&accounts[0], fields)
        .await
        .expect_error(400, "malformed");
    let fields = json!({"participants": [other], "kind": "channel"});
    assert_eq!(create(&accounts[0], fields).await.status, 400);
    let fields = json!({"participants": [other, accounts[2].id], "kind": "direct"});
    assert_eq!(create(&accounts[0], fields).await.status, 400);
}

#[tokio::test]
async fn conversation_of_others_is_forbidden_and_missing_one_not_found() {
    let server = Server::under_test();
    let (member, _, id) = Group::pair(&server).await;
    let outsider = Account::new(&server).await;
    member.send_retrying(id, "between us").await;
    for (id, status, code) in [(id, 403, "not_member"), (MISSING_ID, 404, "not_found")] {
        let path = format!("{CONVERSATIONS}{id}/");
        outsider.api.get(&path).await.expect_error(status, code);
        let response = outsider.api.get(&format!("{path}messages/")).await;
        response.expect_error(status, code);
        assert!(!response.text.contains("between us"), "{response}");
        outsider
            .send(id, &unique("m"), "not a member")
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
async fn invalid_ids_in_paths_are_not_found() {
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
            let response = account.api.request(method, &path).send().await;
            assert!(matches!(response.status, 404), "{response}");
        }
        for within in ["messages", "members"] {
            let path = format!("{CONVERSATIONS}{own}/{within}/{id}/");
            let response = account.api.request(Method::DELETE, &path).send().await;
            assert!(matches!(response.status, 404), "{response}");
        }
    }
}

#[tokio::test]
async fn conversation_contains_its_hundred_newest_messages() {
    let server = Server::for_volume().await;
    let group = Group::new(&server, server.sender_count()).await;
    let sent = group.send_many(105).await;
    let seen = group.members[1]
        .api
        .get(&group.path(""))
        .await
        .expect_status(200);
    let messages = colloquy_blackbox::StoredMessage::all_from_rest(
        seen["messages"].as_array().expect("messages"),
    );
    assert_eq!(messages, sent[5..]);
    assert_eq!(
        (&seen["number"], &seen["seq"]),
        (&json!(105), &json!(sent[104].seq))
    );
}
