//! A send repeated with the same `client_message_id` is one message for ever, whichever way it
//! came first and whichever way it comes again.

use colloquy_blackbox::{Account, Group, Response, Server, Socket, retry_after, unique};
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

/// How a send is made.
#[derive(Debug, Clone, Copy)]
enum Way {
    Rest,
    Socket,
}

/// What both ways answer, in one shape.
#[derive(Debug, PartialEq)]
struct Outcome {
    message_id: Value,
    seq: Value,
    number: Value,
    timestamp: Value,
    duplicate: bool,
}

impl Outcome {
    fn of(answer: &Value, id: &str) -> Self {
        Self {
            message_id: answer[id].clone(),
            seq: answer["seq"].clone(),
            number: answer["number"].clone(),
            timestamp: answer["timestamp"].clone(),
            duplicate: answer["duplicate"] == true,
        }
    }

    /// The same, told as a repeat.
    fn repeated(mut self) -> Self {
        self.duplicate = true;
        self
    }
}

async fn send(account: &Account, id: u64, socket: &mut Socket, key: &str, way: Way) -> Outcome {
    match way {
        Way::Rest => {
            let answer = account.send(id, key, "the same").await;
            let status = answer.status;
            let body = answer.body.clone();
            let outcome = Outcome::of(&body, "id");
            assert_eq!(
                status,
                if outcome.duplicate { 200 } else { 201 },
                "{answer}"
            );
            outcome
        }
        Way::Socket => {
            let frame = json!({"type": "send", "client_message_id": key, "message": "the same"});
            socket.send(&frame).await;
            Outcome::of(&socket.expect_ack(key).await, "message_id")
        }
    }
}

/// Sends until the throttle lets it through; the message.
async fn retry_throttled(send: impl AsyncFn() -> Response) -> Value {
    loop {
        let answer = send().await;
        if answer.status != 429 {
            return answer.expect_status(201);
        }
        tokio::time::sleep(retry_after(&answer.body)).await;
    }
}

#[tokio::test]
async fn a_repeat_answers_the_first_result_by_any_way_and_throttled_or_not() {
    let server = Server::under_test();
    for (first, second) in [
        (Way::Socket, Way::Socket),
        (Way::Socket, Way::Rest),
        (Way::Rest, Way::Socket),
        (Way::Rest, Way::Rest),
    ] {
        let (account, other, id) = Group::pair(&server).await;
        let mut socket = account.socket(id).v2().open().await;
        let mut listener = other.socket(id).v2().open().await;
        let key = unique("m");
        let original = send(&account, id, &mut socket, &key, first).await;
        assert!(!original.duplicate, "{first:?}: {original:?}");
        let expected = original.repeated();
        // At once, within the throttle's second.
        for _ in 0..2 {
            let again = send(&account, id, &mut socket, &key, second).await;
            assert_eq!(again, expected, "{first:?}, then {second:?}");
        }
        // Received once, kept once: the next event is another message.
        listener.expect_message("the same").await;
        other.send_retrying(id, "another").await;
        listener.expect_message("another").await;
        assert_eq!(account.history(id).await.len(), 2);
    }
}

#[tokio::test]
async fn a_repeat_costs_the_throttle_nothing() {
    let (account, _, id) = Group::pair(&Server::under_test()).await;
    let first = account.send_retrying(id, "first").await;
    let key = first["client_message_id"]
        .as_str()
        .expect("an id")
        .to_owned();
    // Once the period is over repeats must not start another.
    account.send_retrying(id, "second").await;
    let refusal = loop {
        let answer = account.send(id, &unique("m"), "too soon").await;
        if answer.status == 429 {
            break answer;
        }
        // On a busy machine the period was over before it was asked: this one began the next.
        answer.expect_status(201);
    };
    tokio::time::sleep(retry_after(&refusal.body)).await;
    for _ in 0..3 {
        let again = account.send(id, &key, "first").await;
        assert_eq!(again.expect_status(200)["duplicate"], true);
    }
    account
        .send(id, &unique("m"), "third")
        .await
        .expect_status(201);
}

#[tokio::test]
async fn an_id_of_a_conversation_gone_quiet_is_known_while_throttled() {
    let (account, _, id) = Group::pair(&Server::under_test()).await;
    let first = account.send_retrying(id, "first").await;
    let key = first["client_message_id"]
        .as_str()
        .expect("an id")
        .to_owned();
    // Long enough for a server to put a conversation away that nobody is connected to. The rule
    // is "for ever": what the Room remembers must not matter.
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    account.send_retrying(id, "second").await;
    let again = account.send(id, &key, "first").await;
    assert_eq!(again.expect_status(200)["id"], first["id"]);
}

#[tokio::test]
async fn on_two_sockets_at_once_it_is_one_message() {
    let server = Server::under_test();
    for _ in 0..5 {
        let (account, other, id) = Group::pair(&server).await;
        let laptop = account.log_in().await;
        let mut listener = other.socket(id).v2().open().await;
        let mut one = account.socket(id).v2().open().await;
        let mut two = laptop.socket(id).v2().open().await;
        let key = unique("m");
        let frame = json!({"type": "send", "client_message_id": key, "message": "the same"});
        let ((), (), by_rest) = tokio::join!(
            one.send(&frame),
            two.send(&frame),
            account.send(id, &key, "the same")
        );
        let acks = [one.expect_ack(&key).await, two.expect_ack(&key).await];
        let ids = [
            &acks[0]["message_id"],
            &acks[1]["message_id"],
            &by_rest.body["id"],
        ];
        assert!(ids.iter().all(|id| *id == ids[0]), "{acks:?} {by_rest}");
        let first = [&acks[0], &acks[1], &by_rest.body]
            .into_iter()
            .filter(|answer| answer["duplicate"] != true)
            .count();
        assert_eq!(first, 1, "{acks:?} {by_rest}");
        listener.expect_message("the same").await;
        assert_eq!(account.history(id).await.len(), 1);
    }
}

#[tokio::test]
async fn in_one_frame_twice_it_is_one_message() {
    let (account, _, id) = Group::pair(&Server::under_test()).await;
    let mut socket = account.socket(id).v2().open().await;
    let key = unique("m");
    let frame = json!({"type": "send", "client_message_id": key, "message": "the same"});
    socket.send(&json!([frame, frame])).await;
    let (first, second) = (socket.expect_ack(&key).await, socket.expect_ack(&key).await);
    assert_eq!(first["message_id"], second["message_id"]);
    assert_eq!(
        [&first["duplicate"], &second["duplicate"]],
        [&json!(false), &json!(true)]
    );
    assert_eq!(account.history(id).await.len(), 1);
}

#[tokio::test]
async fn the_header_is_the_fields_equal() {
    let (account, _, id) = Group::pair(&Server::under_test()).await;
    let path = format!("/api/chat/conversations/{id}/messages/");
    let key = unique("m");
    let post = async || {
        let request = account.api.request(Method::POST, &path);
        let request = request.header("idempotency-key", &key);
        request.json(&json!({"message": "by header"})).send().await
    };
    let first = post().await.expect_status(201);
    assert_eq!(first["client_message_id"], key);
    let again = post().await.expect_status(200);
    assert_eq!(
        (&again["id"], &again["duplicate"]),
        (&first["id"], &json!(true))
    );
    let again = account.send(id, &key, "by header").await.expect_status(200);
    assert_eq!(again["id"], first["id"]);
    let request = account.api.request(Method::POST, &path);
    let request = request.header("idempotency-key", "not a key");
    let answer = request.json(&json!({"message": "x"})).send().await;
    assert_eq!(answer.status, 400, "{answer}");
}

#[tokio::test]
async fn without_an_id_every_send_is_its_own() {
    let (account, _, id) = Group::pair(&Server::under_test()).await;
    let path = format!("/api/chat/conversations/{id}/messages/");
    let fields = json!({"message": "no id"});
    let first = account.api.post(&path, &fields).await.expect_status(201);
    let second = retry_throttled(async || account.api.post(&path, &fields).await).await;
    assert_ne!(first["id"], second["id"]);
}

#[tokio::test]
async fn another_users_or_conversations_same_id_is_another_message() {
    let (account, other, id) = Group::pair(&Server::under_test()).await;
    let elsewhere = Group::with_members(vec![account.clone(), other.clone()]).await;
    let key = unique("m");
    let mine = account.send(id, &key, "mine").await.expect_status(201);
    let theirs = other.send(id, &key, "theirs").await.expect_status(201);
    let there = account
        .send(elsewhere.id, &key, "there")
        .await
        .expect_status(201);
    assert_ne!(mine["id"], theirs["id"]);
    assert_ne!(mine["id"], there["id"]);
    assert_eq!(theirs["content"], "theirs");
    assert_eq!(there["content"], "there");
}

#[tokio::test]
async fn an_id_used_for_something_else_is_a_conflict_and_the_first_stands() {
    let (account, other, id) = Group::pair(&Server::under_test()).await;
    let answered = other.send_retrying(id, "a question").await;
    let path = format!("/api/chat/conversations/{id}/messages/");
    let key = unique("m");
    let first = account.send(id, &key, "the first").await.expect_status(201);
    let text = account.send(id, &key, "something else").await;
    text.expect_error(409, "conflict");
    let fields = json!({
        "message": "the first", "client_message_id": key, "reply_to": answered["id"],
    });
    let reply = account.api.post(&path, &fields).await;
    reply.expect_error(409, "conflict");
    let again = account.send(id, &key, "the first").await.expect_status(200);
    assert_eq!(again["id"], first["id"]);
    let history = account.history(id).await;
    assert_eq!(history.len(), 2, "{history:?}");
    assert_eq!(history[1]["content"], "the first");
}

#[tokio::test]
async fn the_header_and_the_field_must_agree() {
    let (account, _, id) = Group::pair(&Server::under_test()).await;
    let path = format!("/api/chat/conversations/{id}/messages/");
    let key = unique("m");
    let post = async |header: &str| {
        let request = account.api.request(Method::POST, &path);
        let request = request.header("idempotency-key", header);
        let fields = json!({"message": "said twice", "client_message_id": key});
        request.json(&fields).send().await
    };
    assert_eq!(post(&unique("m")).await.status, 400);
    assert_eq!(
        post(&key).await.expect_status(201)["client_message_id"],
        key
    );
}

#[tokio::test]
async fn ids_differ_by_case() {
    let group = Group::new(&Server::under_test(), 2).await;
    let (account, id) = (&group.members[0], group.id);
    let key = unique("m");
    account.send(id, &key, "small").await.expect_status(201);
    let key = key.to_uppercase();
    retry_throttled(async || account.send(id, &key, "large").await).await;
}

#[tokio::test]
async fn a_socket_lost_right_after_the_send_leaves_one_message_after_a_retry() {
    let group = Group::new(&Server::under_test(), 12).await;
    let retries = group.members.iter().map(async |member| {
        let mut socket = member.socket(group.id).v2().open().await;
        let key = socket.send_message("sent before the line broke").await;
        socket.drop_connection();
        let mut socket = member.socket(group.id).v2().open().await;
        let frame =
            json!({"type": "send", "client_message_id": key, "message": "sent before the line broke"});
        socket.send(&frame).await;
        let answer = socket.expect_ack(&key).await;
        (key, answer["message_id"].clone())
    });
    let acknowledged = join_all(retries).await;
    let history = group.members[0].history(group.id).await;
    assert_eq!(history.len(), 12, "{history:?}");
    for (key, id) in acknowledged {
        let kept: Vec<&Value> = history
            .iter()
            .filter(|message| message["client_message_id"] == key)
            .collect();
        assert_eq!(kept.len(), 1, "{key}: {kept:?}");
        assert_eq!(kept[0]["id"], id);
    }
}
