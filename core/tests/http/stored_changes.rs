//! Edits, deletions and changes of members: responses, and the notification of the Room.

use std::sync::atomic::Ordering;

use axum::body::Body;
use axum::http::{Method, Request};
use colloquy_core::ports::{ChangeOutcome, StoredEvent};
use colloquy_proto::domain::SessionId;
use serde_json::{Value, json};

use crate::fakes::{MESSAGES, edited};
use crate::server::{Server, TestResponse};

const MESSAGE: &str = "/api/chat/conversations/1/messages/1007/";
const MEMBERS: &str = "/api/chat/conversations/1/members/";
const MEMBER: &str = "/api/chat/conversations/1/members/3/";

/// Every request that changes something, with a valid body; null for none.
fn change_requests() -> [(Method, &'static str, Value); 4] {
    [
        (Method::PATCH, MESSAGE, json!({"message": "another"})),
        (Method::DELETE, MESSAGE, Value::Null),
        (Method::POST, MEMBERS, json!({"user_id": 3})),
        (Method::DELETE, MEMBER, Value::Null),
    ]
}

async fn send(server: &Server, (method, path, body): &(Method, &str, Value)) -> TestResponse {
    let request = Request::builder()
        .method(method)
        .uri(*path)
        .header("authorization", format!("Bearer {}", server.token()));
    let request = if body.is_null() {
        request.body(Body::empty())
    } else {
        request
            .header("content-type", "application/json")
            .body(Body::from(body.to_string()))
    };
    server.send(request.unwrap()).await
}

/// Takes the notifications of the Room.
fn take_notifications(server: &Server) -> Vec<Option<StoredEvent>> {
    std::mem::take(&mut *server.rooms.changes.lock().unwrap())
}

fn set_outcome(server: &Server, outcome: ChangeOutcome) {
    *server.store.change_outcome.lock().unwrap() = Some(outcome);
}

#[tokio::test]
async fn successful_change_is_returned_and_notifies_the_room() {
    let server = Server::new().await;
    let bodies = [
        (
            200,
            json!({"id": 1007, "content": "another", "seq": MESSAGES + 1}),
        ),
        (204, Value::Null),
        (201, json!({"user_id": 3})),
        (204, Value::Null),
    ];
    for (request, (status, body)) in change_requests().iter().zip(bodies) {
        let response = send(&server, request).await;
        assert_eq!(response.status, status, "{request:?}: {}", response.text);
        if body.is_null() {
            assert_eq!(response.text, "", "{request:?}");
        } else {
            assert_eq!(response.json(), body, "{request:?}");
        }
        assert_eq!(take_notifications(&server), [Some(edited())], "{request:?}");
    }
}

#[tokio::test]
async fn unchanged_state_is_no_error_and_makes_the_room_reload() {
    let server = Server::new().await;
    set_outcome(&server, ChangeOutcome::Unchanged);
    for (request, status) in change_requests().iter().zip([200, 204, 200, 204]) {
        let response = send(&server, request).await;
        assert_eq!(response.status, status, "{request:?}: {}", response.text);
        if request.0 == Method::PATCH {
            assert_eq!(
                response.json(),
                json!({"id": 1007, "content": "another", "seq": null})
            );
        }
        // An earlier call whose response was lost may have written it.
        assert_eq!(take_notifications(&server), [None], "{request:?}");
    }
}

#[tokio::test]
async fn refused_change_returns_its_code_without_notification() {
    let server = Server::new().await;
    let [edit, delete, add, remove] = change_requests();
    for (request, outcome, status, code) in [
        (&edit, ChangeOutcome::UnknownMessage, 404, "not_found"),
        (&edit, ChangeOutcome::NotSender, 403, "forbidden"),
        (&edit, ChangeOutcome::Deleted, 409, "conflict"),
        (&delete, ChangeOutcome::UnknownMessage, 404, "not_found"),
        (&delete, ChangeOutcome::NotSender, 403, "forbidden"),
        (&add, ChangeOutcome::UnknownUser, 400, "invalid"),
        (&add, ChangeOutcome::Direct, 409, "conflict"),
        (&add, ChangeOutcome::Full, 409, "conflict"),
        (&remove, ChangeOutcome::NotOwner, 403, "forbidden"),
        (&remove, ChangeOutcome::Direct, 409, "conflict"),
    ] {
        set_outcome(&server, outcome.clone());
        let response = send(&server, request).await;
        let got = (response.status.as_u16(), &*response.code());
        assert_eq!(got, (status, code), "{request:?} {outcome:?}");
        if code == "invalid" {
            assert!(response.json()["user_id"].is_array(), "{}", response.text);
        }
        assert!(
            take_notifications(&server).is_empty(),
            "{request:?} {outcome:?}"
        );
    }
}

#[tokio::test]
async fn callers_without_access_change_nothing() {
    let server = Server::new().await;
    for (conversation, status, code) in [(2, 403, "not_member"), (3, 404, "not_found")] {
        for (method, path, body) in change_requests() {
            let path = path.replace("/1/", &format!("/{conversation}/"));
            let response = send(&server, &(method.clone(), &path, body)).await;
            let got = (response.status.as_u16(), &*response.code());
            assert_eq!(got, (status, code), "{method} {path}");
        }
    }
    for (method, path, _) in change_requests() {
        let request = Request::builder().method(&method).uri(path);
        let response = server.send(request.body(Body::empty()).unwrap()).await;
        let got = (response.status.as_u16(), &*response.code());
        assert_eq!(got, (401, "not_authenticated"), "{method} {path}");
    }
    let session = SessionId("s1".into());
    server.store.revoked.lock().unwrap().insert(session);
    for request in change_requests() {
        let response = send(&server, &request).await;
        let got = (response.status.as_u16(), &*response.code());
        assert_eq!(got, (401, "session_revoked"), "{request:?}");
    }
    assert!(take_notifications(&server).is_empty());
}

#[tokio::test]
async fn room_reloads_after_an_unknown_outcome() {
    let server = Server::new().await;
    server.store.failure.store(1, Ordering::Relaxed);
    for request in change_requests() {
        let response = send(&server, &request).await;
        let got = (response.status.as_u16(), &*response.code());
        assert_eq!(got, (503, "unavailable"), "{request:?}");
        assert_eq!(take_notifications(&server), [None], "{request:?}");
    }
    server.store.failure.store(2, Ordering::Relaxed);
    for request in change_requests() {
        let response = send(&server, &request).await;
        let got = (response.status.as_u16(), &*response.code());
        assert_eq!(got, (500, "internal"), "{request:?}");
        assert!(take_notifications(&server).is_empty(), "{request:?}");
    }
}

#[tokio::test]
async fn invalid_ids_are_not_found() {
    let server = Server::with(&[("BUDGET_FACTOR", "0")]).await;
    for id in [
        "x",
        "0",
        "-1",
        "+1",
        "1.5",
        "99999999999999999999",
        "%00",
        "%ff",
        "%2e%2e",
        "1%202",
        "%D9%A1",
    ] {
        for (method, path, body) in change_requests() {
            let mut paths = vec![path.replace("/1/", &format!("/{id}/"))];
            for item in ["/1007/", "/3/"] {
                paths.push(path.replace(item, &format!("/{id}/")));
            }
            for other in paths.into_iter().filter(|other| other != path) {
                let response = send(&server, &(method.clone(), &other, body.clone())).await;
                let got = (response.status.as_u16(), &*response.code());
                assert_eq!(got, (404, "not_found"), "{method} {other}");
            }
        }
    }
    assert!(take_notifications(&server).is_empty());
}

#[tokio::test]
async fn invalid_body_never_reaches_the_store() {
    let server = Server::new().await;
    for (body, code) in [
        (json!({}), "invalid"),
        (json!({"message": null}), "invalid"),
        (json!({"message": ""}), "invalid"),
        (json!({"message": " "}), "invalid"),
        (json!({"message": "a\0b"}), "invalid"),
        (json!({"message": "x".repeat(4_001)}), "invalid"),
        (json!({"message": 7}), "malformed"),
        (json!([]), "malformed"),
    ] {
        let response = send(&server, &(Method::PATCH, MESSAGE, body.clone())).await;
        let got = (response.status.as_u16(), &*response.code());
        assert_eq!(got, (400, code), "{body}");
        if code == "invalid" {
            assert!(response.json()["message"].is_array(), "{body}");
        }
    }
    for (body, code) in [
        (json!({}), "invalid"),
        (json!({"user_id": null}), "invalid"),
        (json!({"user_id": "3"}), "malformed"),
        (json!({"user_id": 1.5}), "malformed"),
        (json!({"user_id": [3]}), "malformed"),
    ] {
        let response = send(&server, &(Method::POST, MEMBERS, body.clone())).await;
        let got = (response.status.as_u16(), &*response.code());
        assert_eq!(got, (400, code), "{body}");
    }
    assert!(take_notifications(&server).is_empty());
}
