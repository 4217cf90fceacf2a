//! Sending messages and reading the history.

use std::sync::atomic::Ordering;

use axum::body::Body;
use axum::http::Request;
use colloquy_proto::domain::{AppendOutcome, Denied, SendOutcome};
use serde_json::{Value, json};

use crate::fakes::{MESSAGES, stored};
use crate::server::Server;

const LIST: &str = "/api/chat/conversations/";
const MESSAGES_PATH: &str = "/api/chat/conversations/1/messages/";

fn numbers(page: &Value) -> Vec<i64> {
    page["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|message| message["number"].as_i64().unwrap())
        .collect()
}

#[tokio::test]
async fn history_is_paginated_by_cursors() {
    let server = Server::new().await;
    let page = server.get_as_ann(MESSAGES_PATH).await.json();
    assert_eq!(numbers(&page), (21..=120).collect::<Vec<_>>());
    assert_eq!(
        (&page["next_after"], &page["as_of_seq"]),
        (&Value::Null, &json!(MESSAGES))
    );
    let before = page["next_before"].as_str().unwrap();
    let page = server
        .get_as_ann(&format!("{MESSAGES_PATH}?before={before}"))
        .await
        .json();
    assert_eq!(numbers(&page), (1..=20).collect::<Vec<_>>());
    assert_eq!(page["next_before"], Value::Null);
    let after = page["next_after"].as_str().unwrap();
    let page = server
        .get_as_ann(&format!("{MESSAGES_PATH}?after={after}&limit=2"))
        .await
        .json();
    assert_eq!(numbers(&page), [21, 22]);
    let page = server
        .get_as_ann(&format!("{MESSAGES_PATH}?around=50&limit=3"))
        .await
        .json();
    assert_eq!(
        (numbers(&page), &page["source"]),
        (vec![49, 50, 51], &json!("database"))
    );
    for query in [
        "before=x",
        "after=-1",
        "around=",
        "before=1&after=2",
        "limit=101",
        "before=MTI&around=1",
    ] {
        let response = server.get_as_ann(&format!("{MESSAGES_PATH}?{query}")).await;
        // An empty parameter counts as absent.
        let status = if query == "around=" { 200 } else { 400 };
        assert_eq!(response.status, status, "{query}");
    }
}

#[tokio::test]
async fn second_read_of_a_history_comes_from_the_cache() {
    let server = Server::new().await;
    let first = server.get_as_ann(MESSAGES_PATH).await.json();
    let second = server.get_as_ann(MESSAGES_PATH).await.json();
    assert_eq!(
        (&first["source"], &second["source"]),
        (&json!("database"), &json!("cache"))
    );
    assert_eq!(first["messages"], second["messages"]);
    let without_source = |page: &Value| {
        let mut page = page.clone();
        page["source"] = Value::Null;
        page
    };
    assert_eq!(without_source(&first), without_source(&second));
}

#[tokio::test]
async fn repeated_send_returns_the_original_message() {
    let server = Server::new().await;
    let set_outcome = |outcome| *server.rooms.outcome.lock().unwrap() = Some(outcome);
    set_outcome(SendOutcome::Appended(AppendOutcome::Stored(stored(7))));
    let response = server
        .post_as_ann(MESSAGES_PATH, r#"{"message":"message 7"}"#)
        .await;
    assert_eq!(response.status, 201);
    let json = response.json();
    assert_eq!(
        (&json["id"], &json["content"], &json["duplicate"]),
        (&json!(1007), &json!("message 7"), &json!(false))
    );
    assert!(
        json["client_message_id"]
            .as_str()
            .is_some_and(|id| id.len() == 22)
    );

    set_outcome(SendOutcome::Appended(AppendOutcome::Duplicate(stored(7))));
    let send = async |key: &str, body: Value| {
        let request = Request::post(MESSAGES_PATH)
            .header("authorization", format!("Bearer {}", server.token()))
            .header("content-type", "application/json")
            .header("idempotency-key", key);
        server
            .send(request.body(Body::from(body.to_string())).unwrap())
            .await
    };
    let response = send("k-1", json!({"message": "message 7"})).await;
    assert_eq!(
        (response.status.as_u16(), &response.json()["duplicate"]),
        (200, &json!(true))
    );
    let command = server.rooms.sent.lock().unwrap().pop().unwrap();
    assert_eq!(command.client_message_id.unwrap().as_str(), "k-1");
    let response = send("k-1", json!({"message": "another"})).await;
    assert_eq!(
        (response.status.as_u16(), &*response.code()),
        (409, "conflict")
    );
    let response = send("k-1", json!({"message": "x", "client_message_id": "k-2"})).await;
    assert!(response.json()["client_message_id"].is_array());
    for key in ["", "with space", "é", &"x".repeat(65)] {
        assert_eq!(
            send(key, json!({"message": "x"})).await.status,
            400,
            "{key}"
        );
    }
}

#[tokio::test]
async fn refused_send_returns_its_error_code() {
    let server = Server::new().await;
    let outcomes = [
        (
            SendOutcome::Throttled {
                retry_after_ms: 640,
            },
            429,
            "throttled",
        ),
        (
            SendOutcome::Appended(AppendOutcome::Denied(Denied::NotMember)),
            403,
            "not_member",
        ),
        (
            SendOutcome::Appended(AppendOutcome::Denied(Denied::NotFound)),
            404,
            "not_found",
        ),
        (
            SendOutcome::Appended(AppendOutcome::Denied(Denied::Session)),
            401,
            "session_revoked",
        ),
        (
            SendOutcome::Appended(AppendOutcome::UnknownReplyTo),
            400,
            "invalid",
        ),
        (SendOutcome::Overloaded, 503, "overloaded"),
        (SendOutcome::Unavailable, 503, "unavailable"),
    ];
    for (outcome, status, code) in outcomes {
        *server.rooms.outcome.lock().unwrap() = Some(outcome);
        let response = server
            .post_as_ann(MESSAGES_PATH, r#"{"message":"x"}"#)
            .await;
        assert_eq!(
            (response.status.as_u16(), &*response.code()),
            (status, code)
        );
        let retry_after = if code == "throttled" {
            "1"
        } else if status == 503 {
            "2"
        } else {
            ""
        };
        assert_eq!(response.header("retry-after"), retry_after);
        if code == "throttled" {
            let json = response.json();
            assert_eq!(
                json["detail"],
                "You are sending messages too fast. Please wait a moment."
            );
            assert_eq!(json["retry_after_ms"], 640);
        }
    }
    for body in [
        json!({}),
        json!({"message": " "}),
        json!({"message": "a\0b"}),
        json!({"message": "x".repeat(4_001)}),
        json!({"message": "x", "mentions": vec![1; 51]}),
    ] {
        let before = server.rooms.sent.lock().unwrap().len();
        assert_eq!(
            server
                .post_as_ann(MESSAGES_PATH, body.to_string())
                .await
                .code(),
            "invalid"
        );
        assert_eq!(server.rooms.sent.lock().unwrap().len(), before);
    }
}

#[tokio::test]
async fn server_errors_do_not_reveal_their_cause() {
    let server = Server::new().await;
    for (failure, status, code) in [(1, 503, "unavailable"), (2, 500, "internal")] {
        server.store.failure.store(failure, Ordering::Relaxed);
        for path in [LIST, MESSAGES_PATH, "/api/users/profile/"] {
            let response = server.get_as_ann(path).await;
            assert_eq!(
                (response.status.as_u16(), &*response.code()),
                (status, code),
                "{path}"
            );
            assert!(
                !response.text.contains("10.1.2.3") && !response.text.contains("secret"),
                "{}",
                response.text
            );
        }
    }
}
