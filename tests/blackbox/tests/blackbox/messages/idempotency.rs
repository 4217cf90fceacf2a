//! Sends with the same `client_message_id` store one message, over sockets and REST alike.

use colloquy_blackbox::{Account, Group, Response, Server, Socket, retry_after, unique};
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

/// How a message is sent.
#[derive(Debug, Clone, Copy)]
enum Path {
    Rest,
    Socket,
}

/// The response of either path.
#[derive(Debug, PartialEq)]
struct Outcome {
    message_id: Value,
    seq: Value,
    number: Value,
    timestamp: Value,
    duplicate: bool,
}

impl Outcome {
    fn of(response: &Value, id: &str) -> Self {
        Self {
            message_id: response[id].clone(),
            seq: response["seq"].clone(),
            number: response["number"].clone(),
            timestamp: response["timestamp"].clone(),
            duplicate: response["duplicate"] == true,
        }
    }

    /// The same result as a duplicate.
    fn repeated(mut self) -> Self {
        self.duplicate = true;
        self
    }
}

async fn send(account: &Account, id: u64, socket: &mut Socket, key: &str, path: Path) -> Outcome {
    match path {
        Path::Rest => {
            let response = account.send(id, key, "the same").await;
            let status = response.status;
            let body = response.body.clone();
            let outcome = Outcome::of(&body, "id");
            assert_eq!(
                status,
                if outcome.duplicate { 200 } else { 201 },
                "{response}"
            );
            outcome
        }
        Path::Socket => {
            let frame = json!({"type": "send", "client_message_id": key, "message": "the same"});
            socket.send(&frame).await;
            Outcome::of(&socket.expect_ack(key).await, "message_id")
        }
    }
}

/// Sends until the message is not throttled. Returns the message.
async fn retry_throttled(send: impl AsyncFn() -> Response) -> Value {
    loop {
        let response = send().await;
        if response.status != 429 {
            return response.expect_status(201);
        }
        tokio::time::sleep(retry_after(&response.body)).await;
    }
}

#[tokio::test]
async fn repeated_send_returns_the_first_result_on_every_path_even_when_throttled() {
    let server = Server::under_test();
    for (first, second) in [
        (Path::Socket, Path::Socket),
        (Path::Socket, Path::Rest),
        (Path::Rest, Path::Socket),
        (Path::Rest, Path::Rest),
    ] {
        let (account, other, id) = Group::pair(&server).await;
        let mut socket = account.socket(id).v2().open().await;
        let mut listener = other.socket(id).v2().open().await;
        let key = unique("m");
        let original = send(&account, id, &mut socket, &key, first).await;
        assert!(!original.duplicate, "{first:?}: {original:?}");
        let expected = original.repeated();
        // At once, within the throttle period.
        for _ in 0..2 {
            let again = send(&account, id, &mut socket, &key, second).await;
            assert_eq!(again, expected, "{first:?}, then {second:?}");
        }
        // Delivered and stored once: the next event is another message.
        listener.expect_message("the same").await;
        other.send_retrying(id, "another").await;
        listener.expect_message("another").await;
        assert_eq!(account.history(id).await.len(), 2);
    }
}

#[tokio::test]
async fn repeated_send_starts_no_throttle_period() {
    let (account, _, id) = Group::pair(&Server::under_test()).await;
    let first = account.send_retrying(id, "first").await;
    let key = first["client_message_id"]
        .as_str()
        .expect("an id")
        .to_owned();
    // After the period, repeats must not start another one.
    account.send_retrying(id, "second").await;
    let error = loop {
        let response = account.send(id, &unique("m"), "too soon").await;
        if response.status == 429 {
            break response;
        }
        // On a busy machine the period may have ended: then this send started the next one.
        response.expect_status(201);
    };
    tokio::time::sleep(retry_after(&error.body)).await;
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
async fn client_message_id_is_known_after_the_room_is_gone() {
    let (account, _, id) = Group::pair(&Server::under_test()).await;
    let first = account.send_retrying(id, "first").await;
    let key = first["client_message_id"]
        .as_str()
        .expect("an id")
        .to_owned();
    // Long enough for the server to drop the Room, which has no connections. An id is unique
    // without a time limit, also when no Room remembers it.
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    account.send_retrying(id, "second").await;
    let again = account.send(id, &key, "first").await;
    assert_eq!(again.expect_status(200)["id"], first["id"]);
}

#[tokio::test]
async fn concurrent_sends_with_one_id_store_one_message() {
    let server = Server::under_test();
    for _ in 0..5 {
        let (account, other, id) = Group::pair(&server).await;
        let second_session = account.log_in().await;
        let mut listener = other.socket(id).v2().open().await;
        let mut one = account.socket(id).v2().open().await;
        let mut two = second_session.socket(id).v2().open().await;
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
            .filter(|response| response["duplicate"] != true)
            .count();
        assert_eq!(first, 1, "{acks:?} {by_rest}");
        listener.expect_message("the same").await;
        assert_eq!(account.history(id).await.len(), 1);
    }
}

#[tokio::test]
async fn same_id_twice_in_one_frame_stores_one_message() {
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
async fn idempotency_key_header_equals_client_message_id() {
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
    let response = request.json(&json!({"message": "x"})).send().await;
    assert_eq!(response.status, 400, "{response}");
}

#[tokio::test]
async fn sends_without_an_id_are_distinct() {
    let (account, _, id) = Group::pair(&Server::under_test()).await;
    let path = format!("/api/chat/conversations/{id}/messages/");
    let fields = json!({"message": "no id"});
    let first = account.api.post(&path, &fields).await.expect_status(201);
    let second = retry_throttled(async || account.api.post(&path, &fields).await).await;
    assert_ne!(first["id"], second["id"]);
}

#[tokio::test]
async fn client_message_ids_are_scoped_to_user_and_conversation() {
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
async fn reused_id_with_other_content_is_a_conflict() {
    let (account, other, id) = Group::pair(&Server::under_test()).await;
    let question = other.send_retrying(id, "a question").await;
    let path = format!("/api/chat/conversations/{id}/messages/");
    let key = unique("m");
    let first = account.send(id, &key, "the first").await.expect_status(201);
    let text = account.send(id, &key, "something else").await;
    text.expect_error(409, "conflict");
    let fields = json!({
        "message": "the first", "client_message_id": key, "reply_to": question["id"],
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
async fn conflicting_header_and_field_are_rejected() {
    let (account, _, id) = Group::pair(&Server::under_test()).await;
    let path = format!("/api/chat/conversations/{id}/messages/");
    let key = unique("m");
    let post = async |header: &str| {
        let request = account.api.request(Method::POST, &path);
        let request = request.header("idempotency-key", header);
        let fields = json!({"message": "in both", "client_message_id": key});
        request.json(&fields).send().await
    };
    assert_eq!(post(&unique("m")).await.status, 400);
    assert_eq!(
        post(&key).await.expect_status(201)["client_message_id"],
        key
    );
}

#[tokio::test]
async fn client_message_ids_are_case_sensitive() {
    let group = Group::new(&Server::under_test(), 2).await;
    let (account, id) = (&group.members[0], group.id);
    let key = unique("m");
    account.send(id, &key, "small").await.expect_status(201);
    let key = key.to_uppercase();
    retry_throttled(async || account.send(id, &key, "large").await).await;
}

#[tokio::test]
async fn retry_after_a_lost_connection_stores_one_message() {
    let group = Group::new(&Server::under_test(), 12).await;
    let retries = group.members.iter().map(async |member| {
        let mut socket = member.socket(group.id).v2().open().await;
        let key = socket.send_message("sent before the connection was lost").await;
        socket.drop_connection();
        let mut socket = member.socket(group.id).v2().open().await;
        let frame =
            json!({"type": "send", "client_message_id": key, "message": "sent before the connection was lost"});
        socket.send(&frame).await;
        let response = socket.expect_ack(&key).await;
        (key, response["message_id"].clone())
    });
    let acknowledged = join_all(retries).await;
    let history = group.members[0].history(group.id).await;
    assert_eq!(history.len(), 12, "{history:?}");
    for (key, id) in acknowledged {
        let stored: Vec<&Value> = history
            .iter()
            .filter(|message| message["client_message_id"] == key)
            .collect();
        assert_eq!(stored.len(), 1, "{key}: {stored:?}");
        assert_eq!(stored[0]["id"], id);
    }
}
