//! Members who come and go: who may bring that about, who hears of it, and that a removed member is
//! out at once.

use colloquy_tests::{Account, Answer, Group, Server, Socket, is_event, unique};
use serde_json::{Value, json};

/// An id no account has.
const NOBODY: u64 = 999_999_999_999;

async fn open(group: &Group, member: usize) -> Socket {
    group.members[member].socket(group.id).v2().open().await
}

#[track_caller]
fn done(answer: &Answer) {
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
        account.api.get(&path).await.refused(403, "not_member");
    }
    for answer in [
        account.send(conversation, &unique("m"), "still here").await,
        account.edit(conversation, message, "still here").await,
        account.delete(conversation, message).await,
        account.add(conversation, account.id).await,
        account.remove(conversation, account.id).await,
    ] {
        answer.refused(403, "not_member");
    }
    let listed = account.api.get("/api/chat/conversations/").await;
    assert_eq!(listed.expect(200), json!([]));
    let socket = account.socket(conversation);
    assert_eq!(socket.clone().refused().await.code, 4403);
    assert_eq!(socket.v2().refused().await.code, 4403);
}

#[tokio::test]
async fn a_removed_member_is_out_at_once_and_the_others_hear_of_it() {
    let group = Group::of(&Server::under_test(), 3).await;
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
    let own = removed.send(group.id, &key, text).await.expect(201);
    done(&maker.remove(group.id, removed.id).await);
    other.say(group.id, "among us").await;
    let heard = staying.events(3).await;
    check_member(&heard[1], "left", removed, maker);
    assert_eq!((&heard[1]["seq"], &heard[2]["seq"]), (&json!(2), &json!(3)));
    for socket in &mut leaving {
        assert_eq!(socket.closed().await.code, 4403);
        let events: Vec<&Value> = socket.heard().iter().filter(|one| is_event(one)).collect();
        // What came before is theirs, and nothing from there on.
        assert!(events.iter().all(|event| event["seq"] == 1), "{events:?}");
    }
    let message = own["id"].as_u64().expect("an id");
    check_out(removed, group.id, message).await;
    let repeat = removed.send(group.id, &key, text).await;
    repeat.refused(403, "not_member");
    // What they wrote stays.
    let history = other.history(group.id).await;
    assert_eq!(history[0]["content"], text);
    let seen = other.api.get(&group.path("")).await.expect(200);
    let people = seen["participants"].as_array().expect("participants");
    assert!(people.iter().all(|person| person["id"] != removed.id));
    // Once more is no error, and no event.
    done(&maker.remove(group.id, removed.id).await);
    maker.say(group.id, "next").await;
    assert_eq!(staying.expect_message("next").await["seq"], 4);
}

#[tokio::test]
async fn whoever_is_added_is_in_at_once_and_the_others_hear_of_it() {
    let server = Server::under_test();
    let group = Group::of(&server, 3).await;
    let newcomer = Account::new(&server).await;
    group.members[0].say(group.id, "before").await;
    newcomer.socket(group.id).v2().refused().await;
    let mut others = open(&group, 0).await;
    // Any member may.
    let by = &group.members[2];
    let added = by.add(group.id, newcomer.id).await.expect(201);
    assert_eq!(added, json!({"user_id": newcomer.id}));
    let again = group.members[0].add(group.id, newcomer.id).await;
    assert_eq!(again.expect(200), added);
    check_member(&others.expect("member").await, "joined", &newcomer, by);
    // What was said before is theirs to read as well.
    let mut socket = newcomer.socket(group.id).v2().open().await;
    let epoch = socket.epoch();
    socket.resume(0, &epoch).await;
    let events = socket.events(2).await;
    assert_eq!(events[0]["message"], "before");
    check_member(&events[1], "joined", &newcomer, by);
    assert_eq!(newcomer.history(group.id).await.len(), 1);
    newcomer.say(group.id, "hello").await;
    // The second time was no event.
    assert_eq!(others.expect_message("hello").await["seq"], 3);
    let listed = newcomer.api.get("/api/chat/conversations/").await;
    assert_eq!(listed.expect(200)[0]["id"], group.id);
}

#[tokio::test]
async fn whoever_is_added_again_resumes_across_it_all() {
    let group = Group::of(&Server::under_test(), 3).await;
    let [maker, other, guest] = &group.members[..] else {
        panic!("three members");
    };
    guest.say(group.id, "first").await;
    let mut before = open(&group, 2).await;
    let (since, epoch) = (before.position(), before.epoch());
    done(&maker.remove(group.id, guest.id).await);
    assert_eq!(before.closed().await.code, 4403);
    let missed = other.say(group.id, "in their absence").await;
    let id = missed["id"].as_u64().expect("an id");
    other
        .edit(group.id, id, "behind their back")
        .await
        .expect(200);
    maker.add(group.id, guest.id).await.expect(201);
    let mut socket = open(&group, 2).await;
    socket.resume(since, &epoch).await;
    let events = socket.events(4).await;
    assert_eq!(socket.expect("sync").await["to"], 5);
    check_member(&events[0], "left", guest, maker);
    assert_eq!(events[1]["message_id"], missed["id"]);
    assert_eq!(events[2]["message"], "behind their back");
    check_member(&events[3], "joined", guest, maker);
    let history = guest.history(group.id).await;
    assert_eq!(history.len(), 2, "{history:?}");
    assert_eq!(history[1]["content"], "behind their back");
    // And live, over both versions.
    let mut old = guest.socket(group.id).open().await;
    guest.say(group.id, "back").await;
    assert_eq!(socket.expect_message("back").await["seq"], 6);
    old.expect_message("back").await;
    // A second time is as good as the first.
    done(&maker.remove(group.id, guest.id).await);
    assert_eq!(socket.closed().await.code, 4403);
    assert_eq!(old.closed().await.code, 4403);
    check_out(guest, group.id, id).await;
}

#[tokio::test]
async fn others_are_removed_by_who_made_the_group_alone_and_everybody_may_leave() {
    let server = Server::under_test();
    let group = Group::of(&server, 4).await;
    let stranger = Account::new(&server).await;
    let mut staying = open(&group, 3).await;
    for (who, code) in [(&group.members[1], "forbidden"), (&stranger, "not_member")] {
        for target in [&group.members[0], &group.members[2]] {
            let answer = who.remove(group.id, target.id).await;
            answer.refused(403, code);
        }
    }
    stranger
        .add(group.id, stranger.id)
        .await
        .refused(403, "not_member");
    for index in [1, 0] {
        let who = &group.members[index];
        let mut socket = open(&group, index).await;
        done(&who.remove(group.id, who.id).await);
        assert_eq!(socket.closed().await.code, 4403);
        check_member(&staying.expect("member").await, "left", who, who);
    }
    // Who made it is no member any more, and has no say.
    let maker = &group.members[0];
    let answer = maker.remove(group.id, group.members[2].id).await;
    answer.refused(403, "not_member");
    group.members[2].say(group.id, "the two of us").await;
    assert_eq!(staying.expect_message("the two of us").await["seq"], 3);
}

#[tokio::test]
async fn a_conversation_of_two_keeps_its_members() {
    let server = Server::under_test();
    let (one, other, id) = Group::pair(&server).await;
    let third = Account::new(&server).await;
    let mut socket = other.socket(id).v2().open().await;
    for answer in [
        one.add(id, third.id).await,
        one.add(id, other.id).await,
        one.remove(id, other.id).await,
        one.remove(id, one.id).await,
        other.remove(id, one.id).await,
    ] {
        answer.refused(409, "conflict");
    }
    one.say(id, "still here").await;
    assert_eq!(socket.expect_message("still here").await["seq"], 1);
    third.socket(id).refused().await;
}

#[tokio::test]
async fn nobody_is_added_who_is_not_there() {
    let group = Group::of(&Server::under_test(), 2).await;
    let maker = &group.members[0];
    for user in [NOBODY, 0] {
        maker.add(group.id, user).await.invalid("user_id");
    }
    let path = group.path("members/");
    let answer = maker.api.post(&path, &json!({})).await;
    answer.invalid("user_id");
    for user in [json!("x"), json!(1.5), json!([1]), json!(u64::MAX)] {
        let answer = maker.api.post(&path, &json!({"user_id": user})).await;
        answer.refused(400, "malformed");
    }
    // Who is no member needs no removing.
    done(&maker.remove(group.id, NOBODY).await);
    let seen = maker.api.get(&group.path("")).await.expect(200);
    assert_eq!(seen["seq"], 0);
}

#[tokio::test]
async fn nothing_reaches_a_removed_member_however_much_is_said() {
    let server = Server::for_volume().await;
    let group = Group::of(&server, server.crowd() + 1).await;
    let (removed, others) = group.members.split_last().expect("members");
    let others = Group {
        id: group.id,
        members: others.to_vec(),
    };
    let mut staying = open(&group, 0).await;
    let mut leaving = removed.socket(group.id).v2().open().await;
    let removing = async {
        // Once the talk is under way.
        leaving.events(5).await;
        done(&others.members[0].remove(group.id, removed.id).await);
        assert_eq!(leaving.closed().await.code, 4403);
        leaving.position()
    };
    let (_, last) = tokio::join!(others.fill(40), removing);
    let heard = staying.events(41).await;
    let left = heard.iter().find(|event| event["type"] == "member");
    let left = left.and_then(|event| event["seq"].as_u64()).expect("a seq");
    assert!(last < left, "heard up to {last}, removed at {left}");
}
