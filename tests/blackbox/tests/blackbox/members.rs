//! Adding and removing members: permissions, events, and the immediate loss of access.

use colloquy_blackbox::{
    Account, Group, Response, Server, Socket, is_event, next_link, report_skipped, timestamp,
    unique,
};
use serde_json::{Value, json};

/// An id that no account has.
const MISSING_ID: u64 = 999_999_999_999;

async fn open(group: &Group, member: usize) -> Socket {
    group.members[member].socket(group.id).v2().open().await
}

#[track_caller]
fn assert_no_content(response: &Response) {
    assert_eq!(response.status, 204, "{response}");
}

#[track_caller]
fn check_member(event: &Value, change: &str, user: &Account, by: &Account) {
    for (name, value) in [
        ("type", json!("member")),
        ("change", json!(change)),
        ("user_id", json!(user.id)),
        ("username", json!(user.username)),
        ("by", json!(by.id)),
    ] {
        assert_eq!(event[name], value, "{name} of {event}");
    }
}

/// Asserts that every request of a removed member is refused.
async fn check_no_access(account: &Account, conversation: u64, message: u64) {
    let path = format!("/api/chat/conversations/{conversation}/");
    for path in [
        path.clone(),
        format!("{path}messages/"),
        format!("{path}members/"),
    ] {
        account.api.get(&path).await.expect_error(403, "not_member");
    }
    for response in [
        account.send(conversation, &unique("m"), "still here").await,
        account.edit(conversation, message, "still here").await,
        account.delete(conversation, message).await,
        account.add_member(conversation, account.id).await,
        account.remove_member(conversation, account.id).await,
    ] {
        response.expect_error(403, "not_member");
    }
    let listed = account.api.get("/api/chat/conversations/").await;
    assert_eq!(listed.expect_status(200), json!([]));
    let socket = account.socket(conversation);
    assert_eq!(socket.clone().expect_refusal().await.code, 4403);
    assert_eq!(socket.v2().expect_refusal().await.code, 4403);
}

#[tokio::test]
async fn removed_member_loses_access_at_once_and_others_receive_the_event() {
    let group = Group::new(&Server::under_test(), 3).await;
    let [creator, other, removed] = &group.members[..] else {
        panic!("three members");
    };
    let mut staying = open(&group, 1).await;
    let mut removed_sockets = [
        open(&group, 2).await,
        open(&group, 2).await,
        removed.socket(group.id).open().await,
    ];
    let (key, text) = (unique("m"), "before the removal");
    let own = removed.send(group.id, &key, text).await.expect_status(201);
    assert_no_content(&creator.remove_member(group.id, removed.id).await);
    other.send_retrying(group.id, "after the removal").await;
    let received = staying.expect_events(3).await;
    check_member(&received[1], "left", removed, creator);
    assert_eq!(
        (&received[1]["seq"], &received[2]["seq"]),
        (&json!(2), &json!(3))
    );
    for socket in &mut removed_sockets {
        assert_eq!(socket.expect_close().await.code, 4403);
        let events: Vec<&Value> = socket
            .received()
            .iter()
            .filter(|one| is_event(one))
            .collect();
        // They receive the events before the removal, and none after it.
        assert!(events.iter().all(|event| event["seq"] == 1), "{events:?}");
    }
    let message = own["id"].as_u64().expect("an id");
    check_no_access(removed, group.id, message).await;
    let repeat = removed.send(group.id, &key, text).await;
    repeat.expect_error(403, "not_member");
    // Their messages remain.
    let history = other.history(group.id).await;
    assert_eq!(history[0]["content"], text);
    let seen = other.api.get(&group.path("")).await.expect_status(200);
    let accounts = seen["participants"].as_array().expect("participants");
    assert!(
        accounts
            .iter()
            .all(|participant| participant["id"] != removed.id)
    );
    // Repeating the removal is no error and causes no event.
    assert_no_content(&creator.remove_member(group.id, removed.id).await);
    creator.send_retrying(group.id, "next").await;
    assert_eq!(staying.expect_message("next").await["seq"], 4);
}

#[tokio::test]
async fn added_member_has_access_at_once_and_others_receive_the_event() {
    let server = Server::under_test();
    let group = Group::new(&server, 3).await;
    let newcomer = Account::new(&server).await;
    group.members[0].send_retrying(group.id, "before").await;
    newcomer.socket(group.id).v2().expect_refusal().await;
    let mut others = open(&group, 0).await;
    // Any member may add others.
    let by = &group.members[2];
    let added = by
        .add_member(group.id, newcomer.id)
        .await
        .expect_status(201);
    assert_eq!(added, json!({"user_id": newcomer.id}));
    let again = group.members[0].add_member(group.id, newcomer.id).await;
    assert_eq!(again.expect_status(200), added);
    check_member(
        &others.expect_frame("member").await,
        "joined",
        &newcomer,
        by,
    );
    // A new member may read the earlier messages.
    let mut socket = newcomer.socket(group.id).v2().open().await;
    let epoch = socket.epoch();
    socket.resume(0, &epoch).await;
    let events = socket.expect_events(2).await;
    assert_eq!(events[0]["message"], "before");
    check_member(&events[1], "joined", &newcomer, by);
    assert_eq!(newcomer.history(group.id).await.len(), 1);
    newcomer.send_retrying(group.id, "hello").await;
    // Repeating the addition causes no event.
    assert_eq!(others.expect_message("hello").await["seq"], 3);
    let listed = newcomer.api.get("/api/chat/conversations/").await;
    assert_eq!(listed.expect_status(200)[0]["id"], group.id);
}

#[tokio::test]
async fn readmitted_member_resumes_across_its_absence() {
    let group = Group::new(&Server::under_test(), 3).await;
    let [creator, other, guest] = &group.members[..] else {
        panic!("three members");
    };
    guest.send_retrying(group.id, "first").await;
    let mut before = open(&group, 2).await;
    let (since, epoch) = (before.position(), before.epoch());
    assert_no_content(&creator.remove_member(group.id, guest.id).await);
    assert_eq!(before.expect_close().await.code, 4403);
    let missed = other.send_retrying(group.id, "while removed").await;
    let id = missed["id"].as_u64().expect("an id");
    other
        .edit(group.id, id, "edited while removed")
        .await
        .expect_status(200);
    creator
        .add_member(group.id, guest.id)
        .await
        .expect_status(201);
    let mut socket = open(&group, 2).await;
    socket.resume(since, &epoch).await;
    let events = socket.expect_events(4).await;
    assert_eq!(socket.expect_frame("sync").await["to"], 5);
    check_member(&events[0], "left", guest, creator);
    assert_eq!(events[1]["message_id"], missed["id"]);
    assert_eq!(events[2]["message"], "edited while removed");
    check_member(&events[3], "joined", guest, creator);
    let history = guest.history(group.id).await;
    assert_eq!(history.len(), 2, "{history:?}");
    assert_eq!(history[1]["content"], "edited while removed");
    // Live delivery works on both versions.
    let mut old = guest.socket(group.id).open().await;
    guest.send_retrying(group.id, "back").await;
    assert_eq!(socket.expect_message("back").await["seq"], 6);
    old.expect_message("back").await;
    // The member can be removed again.
    assert_no_content(&creator.remove_member(group.id, guest.id).await);
    assert_eq!(socket.expect_close().await.code, 4403);
    assert_eq!(old.expect_close().await.code, 4403);
    check_no_access(guest, group.id, id).await;
}

#[tokio::test]
async fn only_the_creator_removes_others_and_every_member_may_leave() {
    let server = Server::under_test();
    let group = Group::new(&server, 4).await;
    let outsider = Account::new(&server).await;
    let mut staying = open(&group, 3).await;
    for (user, code) in [(&group.members[1], "forbidden"), (&outsider, "not_member")] {
        for target in [&group.members[0], &group.members[2]] {
            let response = user.remove_member(group.id, target.id).await;
            response.expect_error(403, code);
        }
    }
    outsider
        .add_member(group.id, outsider.id)
        .await
        .expect_error(403, "not_member");
    for index in [1, 0] {
        let user = &group.members[index];
        let mut socket = open(&group, index).await;
        assert_no_content(&user.remove_member(group.id, user.id).await);
        assert_eq!(socket.expect_close().await.code, 4403);
        check_member(&staying.expect_frame("member").await, "left", user, user);
    }
    // The creator is no member any more and has lost its rights.
    let creator = &group.members[0];
    let response = creator.remove_member(group.id, group.members[2].id).await;
    response.expect_error(403, "not_member");
    group.members[2]
        .send_retrying(group.id, "without the creator")
        .await;
    assert_eq!(
        staying.expect_message("without the creator").await["seq"],
        3
    );
}

#[tokio::test]
async fn direct_conversation_keeps_its_members() {
    let server = Server::under_test();
    let (one, other, id) = Group::pair(&server).await;
    let third = Account::new(&server).await;
    let mut socket = other.socket(id).v2().open().await;
    for response in [
        one.add_member(id, third.id).await,
        one.add_member(id, other.id).await,
        one.remove_member(id, other.id).await,
        one.remove_member(id, one.id).await,
        other.remove_member(id, one.id).await,
    ] {
        response.expect_error(409, "conflict");
    }
    one.send_retrying(id, "still here").await;
    assert_eq!(socket.expect_message("still here").await["seq"], 1);
    third.socket(id).expect_refusal().await;
}

#[tokio::test]
async fn unknown_users_cannot_be_added() {
    let group = Group::new(&Server::under_test(), 2).await;
    let creator = &group.members[0];
    for user in [MISSING_ID, 0] {
        creator
            .add_member(group.id, user)
            .await
            .expect_invalid("user_id");
    }
    let path = group.path("members/");
    let response = creator.api.post(&path, &json!({})).await;
    response.expect_invalid("user_id");
    for user in [json!("x"), json!(1.5), json!([1]), json!(u64::MAX)] {
        let response = creator.api.post(&path, &json!({"user_id": user})).await;
        response.expect_error(400, "malformed");
    }
    // Removing a non-member is no error.
    assert_no_content(&creator.remove_member(group.id, MISSING_ID).await);
    let seen = creator.api.get(&group.path("")).await.expect_status(200);
    assert_eq!(seen["seq"], 0);
}

#[tokio::test]
async fn removed_member_receives_no_event_after_its_removal() {
    let server = Server::for_volume().await;
    let group = Group::new(&server, server.sender_count() + 1).await;
    let (removed, others) = group.members.split_last().expect("members");
    let others = Group {
        id: group.id,
        members: others.to_vec(),
    };
    let mut staying = open(&group, 0).await;
    let mut removed_socket = removed.socket(group.id).v2().open().await;
    let removing = async {
        // While messages are in flight.
        removed_socket.expect_events(5).await;
        assert_no_content(&others.members[0].remove_member(group.id, removed.id).await);
        assert_eq!(removed_socket.expect_close().await.code, 4403);
        removed_socket.position()
    };
    let (_, last) = tokio::join!(others.send_many(40), removing);
    let received = staying.expect_events(41).await;
    let left = received.iter().find(|event| event["type"] == "member");
    let left = left.and_then(|event| event["seq"].as_u64()).expect("a seq");
    assert!(last < left, "received up to {last}, removed at {left}");
}

#[tokio::test]
async fn members_are_listed_in_pages_without_email_addresses() {
    let group = Group::new(&Server::under_test(), 4).await;
    let mut expected: Vec<&Account> = group.members.iter().collect();
    expected.sort_by_key(|member| member.id);
    let reader = &group.members[2];
    for limit in [1, 3, 4, 100] {
        let (mut listed, mut pages) = (Vec::new(), 0);
        let mut next = Some(group.path(&format!("members/?limit={limit}")));
        while let Some(path) = next {
            let response = reader.api.get(&path).await;
            next = next_link(&response);
            let page = response.expect_status(200);
            let page = page.as_array().expect("an array");
            assert!(page.len() <= limit, "{} of {limit}", page.len());
            listed.extend(page.clone());
            pages += 1;
        }
        assert_eq!(pages, 4_usize.div_ceil(limit));
        for (member, account) in listed.iter().zip(&expected) {
            let profile = account.profile().await.expect_status(200);
            for name in ["id", "username", "first_name", "last_name"] {
                assert_eq!(member[name], profile[name], "{name}");
            }
            timestamp(&member["joined_at"]);
            assert!(member.get("email").is_none(), "{member}");
        }
        assert_eq!(listed.len(), 4);
    }
    let other = expected.iter().find(|member| member.id != reader.id);
    let other = other.expect("another member");
    let direct = reader.create_conversation(&[other]).await.body["id"].clone();
    let path = format!("/api/chat/conversations/{direct}/members/");
    let listed = reader.api.get(&path).await.expect_status(200);
    assert_eq!(listed.as_array().map(Vec::len), Some(2));
    for query in ["limit=0", "limit=101", "limit=x", "cursor=x", "cursor=MTI"] {
        let response = reader
            .api
            .get(&group.path(&format!("members/?{query}")))
            .await;
        assert_eq!(response.status, 400, "{query}: {response}");
    }
}

#[tokio::test]
async fn full_group_refuses_further_members() {
    let Some(server) = Server::unthrottled().await else {
        report_skipped(
            "members beyond the limit of a group",
            "the host offers no server with a low MAX_GROUP_MEMBERS",
        );
        return;
    };
    let accounts = Account::register_many(&server, 9).await;
    let ids: Vec<u64> = accounts.iter().map(|account| account.id).collect();
    let creator = &accounts[0];
    let fields = json!({"participants": ids[1..]});
    let rejected = creator.api.post("/api/chat/conversations/", &fields).await;
    let sentences = rejected.expect_invalid("participants");
    assert!(sentences.contains("at most 8 members"), "{sentences}");
    let group = Group::with_members(accounts[..7].to_vec()).await;
    creator
        .add_member(group.id, ids[7])
        .await
        .expect_status(201);
    let refused = creator.add_member(group.id, ids[8]).await;
    refused.expect_error(409, "conflict");
    let detail = refused.body["detail"].as_str().expect("a text");
    assert!(detail.contains("full"), "{detail}");
    // Adding a member again is no error, and a place becomes free when one leaves.
    creator
        .add_member(group.id, ids[7])
        .await
        .expect_status(200);
    let seen = creator.api.get(&group.path("")).await.expect_status(200);
    assert_eq!(
        (&seen["member_count"], &seen["seq"]),
        (&json!(8), &json!(1))
    );
    assert_no_content(&accounts[1].remove_member(group.id, ids[1]).await);
    creator
        .add_member(group.id, ids[8])
        .await
        .expect_status(201);
}
