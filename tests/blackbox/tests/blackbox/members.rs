//! Members who come and go: who may bring that about, who hears of it, and that a removed member is
//! out at once.

use colloquy_blackbox::{Account, Group, Response, Server, Socket, is_event, unique};
use serde_json::{Value, json};

/// An id no account has.
const MISSING_ID: u64 = 999_999_999_999;

async fn open(group: &Group, member: usize) -> Socket {
    group.members[member].socket(group.id).v2().open().await
}

#[track_caller]
fn done(answer: &Response) {
    assert_eq!(answer.status, 204, "{answer}");
}

#[track_caller]
fn check_member(event: &Value, change: &str, who: &Account, by: &Account) {
    for (name, value) in [
        ("type", json!("member")),
        ("change", json!(change)),
        ("user_id", json!(who.id)),
        ("username", json!(who.username)),
        ("by", json!(by.id)),
    ] {
        assert_eq!(event[name], value, "{name} of {event}");
    }
}

/// That somebody is out: whatever they try there is refused.
async fn check_out(account: &Account, conversation: u64, message: u64) {
    let path = format!("/api/chat/conversations/{conversation}/");
    for path in [path.clone(), format!("{path}messages/")] {
        account.api.get(&path).await.expect_error(403, "not_member");
    }
    for answer in [
        account.send(conversation, &unique("m"), "still here").await,
        account.edit(conversation, message, "still here").await,
        account.delete(conversation, message).await,
        account.add_member(conversation, account.id).await,
        account.remove_member(conversation, account.id).await,
    ] {
        answer.expect_error(403, "not_member");
    }
    let listed = account.api.get("/api/chat/conversations/").await;
    assert_eq!(listed.expect_status(200), json!([]));
    let socket = account.socket(conversation);
    assert_eq!(socket.clone().expect_refusal().await.code, 4403);
    assert_eq!(socket.v2().expect_refusal().await.code, 4403);
}

#[tokio::test]
async fn a_removed_member_is_out_at_once_and_the_others_hear_of_it() {
    let group = Group::new(&Server::under_test(), 3).await;
    let [maker, other, removed] = &group.members[..] else {
        panic!("three members");
    };
    let mut staying = open(&group, 1).await;
    let mut leaving = [
        open(&group, 2).await,
        open(&group, 2).await,
        removed.socket(group.id).open().await,
    ];
    let (key, text) = (unique("m"), "while I was here");
    let own = removed.send(group.id, &key, text).await.expect_status(201);
    done(&maker.remove_member(group.id, removed.id).await);
    other.send_retrying(group.id, "among us").await;
    let received = staying.expect_events(3).await;
    check_member(&received[1], "left", removed, maker);
    assert_eq!(
        (&received[1]["seq"], &received[2]["seq"]),
        (&json!(2), &json!(3))
    );
    for socket in &mut leaving {
        assert_eq!(socket.expect_close().await.code, 4403);
        let events: Vec<&Value> = socket
            .received()
            .iter()
            .filter(|one| is_event(one))
            .collect();
        // What came before is theirs, and nothing from there on.
        assert!(events.iter().all(|event| event["seq"] == 1), "{events:?}");
    }
    let message = own["id"].as_u64().expect("an id");
    check_out(removed, group.id, message).await;
    let repeat = removed.send(group.id, &key, text).await;
    repeat.expect_error(403, "not_member");
    // What they wrote stays.
    let history = other.history(group.id).await;
    assert_eq!(history[0]["content"], text);
    let seen = other.api.get(&group.path("")).await.expect_status(200);
    let people = seen["participants"].as_array().expect("participants");
    assert!(people.iter().all(|person| person["id"] != removed.id));
    // Once more is no error, and no event.
    done(&maker.remove_member(group.id, removed.id).await);
    maker.send_retrying(group.id, "next").await;
    assert_eq!(staying.expect_message("next").await["seq"], 4);
}

#[tokio::test]
async fn whoever_is_added_is_in_at_once_and_the_others_hear_of_it() {
    let server = Server::under_test();
    let group = Group::new(&server, 3).await;
    let newcomer = Account::new(&server).await;
    group.members[0].send_retrying(group.id, "before").await;
    newcomer.socket(group.id).v2().expect_refusal().await;
    let mut others = open(&group, 0).await;
    // Any member may.
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
    // What was said before is theirs to read as well.
    let mut socket = newcomer.socket(group.id).v2().open().await;
    let epoch = socket.epoch();
    socket.resume(0, &epoch).await;
    let events = socket.expect_events(2).await;
    assert_eq!(events[0]["message"], "before");
    check_member(&events[1], "joined", &newcomer, by);
    assert_eq!(newcomer.history(group.id).await.len(), 1);
    newcomer.send_retrying(group.id, "hello").await;
    // The second time was no event.
    assert_eq!(others.expect_message("hello").await["seq"], 3);
    let listed = newcomer.api.get("/api/chat/conversations/").await;
    assert_eq!(listed.expect_status(200)[0]["id"], group.id);
}

#[tokio::test]
async fn whoever_is_added_again_resumes_across_it_all() {
    let group = Group::new(&Server::under_test(), 3).await;
    let [maker, other, guest] = &group.members[..] else {
        panic!("three members");
    };
    guest.send_retrying(group.id, "first").await;
    let mut before = open(&group, 2).await;
    let (since, epoch) = (before.position(), before.epoch());
    done(&maker.remove_member(group.id, guest.id).await);
    assert_eq!(before.expect_close().await.code, 4403);
    let missed = other.send_retrying(group.id, "in their absence").await;
    let id = missed["id"].as_u64().expect("an id");
    other
        .edit(group.id, id, "behind their back")
        .await
        .expect_status(200);
    maker
        .add_member(group.id, guest.id)
        .await
        .expect_status(201);
    let mut socket = open(&group, 2).await;
    socket.resume(since, &epoch).await;
    let events = socket.expect_events(4).await;
    assert_eq!(socket.expect_frame("sync").await["to"], 5);
    check_member(&events[0], "left", guest, maker);
    assert_eq!(events[1]["message_id"], missed["id"]);
    assert_eq!(events[2]["message"], "behind their back");
    check_member(&events[3], "joined", guest, maker);
    let history = guest.history(group.id).await;
    assert_eq!(history.len(), 2, "{history:?}");
    assert_eq!(history[1]["content"], "behind their back");
    // And live, over both versions.
    let mut old = guest.socket(group.id).open().await;
    guest.send_retrying(group.id, "back").await;
    assert_eq!(socket.expect_message("back").await["seq"], 6);
    old.expect_message("back").await;
    // A second time is as good as the first.
    done(&maker.remove_member(group.id, guest.id).await);
    assert_eq!(socket.expect_close().await.code, 4403);
    assert_eq!(old.expect_close().await.code, 4403);
    check_out(guest, group.id, id).await;
}

#[tokio::test]
async fn others_are_removed_by_who_made_the_group_alone_and_everybody_may_leave() {
    let server = Server::under_test();
    let group = Group::new(&server, 4).await;
    let outsider = Account::new(&server).await;
    let mut staying = open(&group, 3).await;
    for (who, code) in [(&group.members[1], "forbidden"), (&outsider, "not_member")] {
        for target in [&group.members[0], &group.members[2]] {
            let answer = who.remove_member(group.id, target.id).await;
            answer.expect_error(403, code);
        }
    }
    outsider
        .add_member(group.id, outsider.id)
        .await
        .expect_error(403, "not_member");
    for index in [1, 0] {
        let who = &group.members[index];
        let mut socket = open(&group, index).await;
        done(&who.remove_member(group.id, who.id).await);
        assert_eq!(socket.expect_close().await.code, 4403);
        check_member(&staying.expect_frame("member").await, "left", who, who);
    }
    // Who made it is no member any more, and has no say.
    let maker = &group.members[0];
    let answer = maker.remove_member(group.id, group.members[2].id).await;
    answer.expect_error(403, "not_member");
    group.members[2]
        .send_retrying(group.id, "the two of us")
        .await;
    assert_eq!(staying.expect_message("the two of us").await["seq"], 3);
}

#[tokio::test]
async fn a_conversation_of_two_keeps_its_members() {
    let server = Server::under_test();
    let (one, other, id) = Group::pair(&server).await;
    let third = Account::new(&server).await;
    let mut socket = other.socket(id).v2().open().await;
    for answer in [
        one.add_member(id, third.id).await,
        one.add_member(id, other.id).await,
        one.remove_member(id, other.id).await,
        one.remove_member(id, one.id).await,
        other.remove_member(id, one.id).await,
    ] {
        answer.expect_error(409, "conflict");
    }
    one.send_retrying(id, "still here").await;
    assert_eq!(socket.expect_message("still here").await["seq"], 1);
    third.socket(id).expect_refusal().await;
}

#[tokio::test]
async fn nobody_is_added_who_is_not_there() {
    let group = Group::new(&Server::under_test(), 2).await;
    let maker = &group.members[0];
    for user in [MISSING_ID, 0] {
        maker
            .add_member(group.id, user)
            .await
            .expect_invalid("user_id");
    }
    let path = group.path("members/");
    let answer = maker.api.post(&path, &json!({})).await;
    answer.expect_invalid("user_id");
    for user in [json!("x"), json!(1.5), json!([1]), json!(u64::MAX)] {
        let answer = maker.api.post(&path, &json!({"user_id": user})).await;
        answer.expect_error(400, "malformed");
    }
    // Who is no member needs no removing.
    done(&maker.remove_member(group.id, MISSING_ID).await);
    let seen = maker.api.get(&group.path("")).await.expect_status(200);
    assert_eq!(seen["seq"], 0);
}

#[tokio::test]
async fn nothing_reaches_a_removed_member_however_much_is_said() {
    let server = Server::for_volume().await;
    let group = Group::new(&server, server.sender_count() + 1).await;
    let (removed, others) = group.members.split_last().expect("members");
    let others = Group {
        id: group.id,
        members: others.to_vec(),
    };
    let mut staying = open(&group, 0).await;
    let mut leaving = removed.socket(group.id).v2().open().await;
    let removing = async {
        // Once the talk is under way.
        leaving.expect_events(5).await;
        done(&others.members[0].remove_member(group.id, removed.id).await);
        assert_eq!(leaving.expect_close().await.code, 4403);
        leaving.position()
    };
    let (_, last) = tokio::join!(others.send_many(40), removing);
    let received = staying.expect_events(41).await;
    let left = received.iter().find(|event| event["type"] == "member");
    let left = left.and_then(|event| event["seq"].as_u64()).expect("a seq");
    assert!(last < left, "received up to {last}, removed at {left}");
}
