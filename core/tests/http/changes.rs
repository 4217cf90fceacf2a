use std::sync::atomic::Ordering;

use axum::body::Body;
use axum::http::{Method, Request};
use colloquy_core::ports::{ChangeOutcome, StoredEvent};
use colloquy_proto::domain::SessionId;
use serde_json::{Value, json};

use crate::fakes::{MESSAGES, edited};
use crate::server::{Answer, Server};

const MESSAGE: &str = "/api/chat/conversations/1/messages/1007/";
const MEMBERS: &str = "/api/chat/conversations/1/members/";
const MEMBER: &str = "/api/chat/conversations/1/members/3/";

/// Every way to change something, with a body that breaks no rule; null for none.
fn ways() -> [(Method, &'static str, Value); 4] {
    [
        (Method::PATCH, MESSAGE, json!({"message": "another"})),
        (Method::DELETE, MESSAGE, Value::Null),
        (Method::POST, MEMBERS, json!({"user_id": 3})),
        (Method::DELETE, MEMBER, Value::Null),
    ]
}

async fn ask(server: &Server, (method, path, body): &(Method, &str, Value)) -> Answer {
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

/// What the Room was told since it was last looked at.
fn told(server: &Server) -> Vec<Option<StoredEvent>> {
    std::mem::take(&mut *server.rooms.changes.lock().unwrap())
}

fn comes_to(server: &Server, changed: ChangeOutcome) {
    *server.store.changed.lock().unwrap() = Some(changed);
}

#[tokio::test]
async fn what_was_done_is_answered_and_the_room_is_told_of_it() {
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
    for (way, (status, body)) in ways().iter().zip(bodies) {
        let answer = ask(&server, way).await;
        assert_eq!(answer.status, status, "{way:?}: {}", answer.text);
        if body.is_null() {
            assert_eq!(answer.text, "", "{way:?}");
        } else {
            assert_eq!(answer.json(), body, "{way:?}");
        }
        assert_eq!(told(&server), [Some(edited())], "{way:?}");
    }
}

#[tokio::test]
async fn what_was_so_already_is_no_error_and_the_room_looks() {
    let server = Server::new().await;
    comes_to(&server, ChangeOutcome::Unchanged);
    for (way, status) in ways().iter().zip([200, 204, 200, 204]) {
        let answer = ask(&server, way).await;
        assert_eq!(answer.status, status, "{way:?}: {}", answer.text);
        if way.0 == Method::PATCH {
            assert_eq!(
                answer.json(),
                json!({"id": 1007, "content": "another", "seq": null})
            );
        }
        // Perhaps an earlier call did it, whose answer was lost.
        assert_eq!(told(&server), [None], "{way:?}");
    }
}

#[tokio::test]
async fn what_the_store_refuses_is_told_by_its_code_and_not_to_the_room() {
    let server = Server::new().await;
    let [edit, delete, add, remove] = ways();
    for (way, changed, status, code) in [
        (&edit, ChangeOutcome::UnknownMessage, 404, "not_found"),
        (&edit, ChangeOutcome::NotSender, 403, "forbidden"),
        (&edit, ChangeOutcome::Deleted, 409, "conflict"),
        (&delete, ChangeOutcome::UnknownMessage, 404, "not_found"),
        (&delete, ChangeOutcome::NotSender, 403, "forbidden"),
        (&add, ChangeOutcome::UnknownUser, 400, "invalid"),
        (&add, ChangeOutcome::Direct, 409, "conflict"),
        (&remove, ChangeOutcome::NotOwner, 403, "forbidden"),
        (&remove, ChangeOutcome::Direct, 409, "conflict"),
    ] {
        comes_to(&server, changed.clone());
        let answer = ask(&server, way).await;
        let got = (answer.status.as_u16(), &*answer.code());
        assert_eq!(got, (status, code), "{way:?} {changed:?}");
        if code == "invalid" {
            assert!(answer.json()["user_id"].is_array(), "{}", answer.text);
        }
        assert!(told(&server).is_empty(), "{way:?} {changed:?}");
    }
}

#[tokio::test]
async fn who_may_not_be_there_changes_nothing() {
    let server = Server::new().await;
    for (conversation, status, code) in [(2, 403, "not_member"), (3, 404, "not_found")] {
        for (method, path, body) in ways() {
            let path = path.replace("/1/", &format!("/{conversation}/"));
            let answer = ask(&server, &(method.clone(), &path, body)).await;
            let got = (answer.status.as_u16(), &*answer.code());
            assert_eq!(got, (status, code), "{method} {path}");
        }
    }
    for (method, path, _) in ways() {
        let request = Request::builder().method(&method).uri(path);
        let answer = server.send(request.body(Body::empty()).unwrap()).await;
        let got = (answer.status.as_u16(), &*answer.code());
        assert_eq!(got, (401, "not_authenticated"), "{method} {path}");
    }
    let session = SessionId("s1".into());
    server.store.revoked.lock().unwrap().insert(session);
    for way in ways() {
        let answer = ask(&server, &way).await;
        let got = (answer.status.as_u16(), &*answer.code());
        assert_eq!(got, (401, "session_revoked"), "{way:?}");
    }
    assert!(told(&server).is_empty());
}

#[tokio::test]
async fn after_an_answer_that_was_lost_the_room_looks_itself() {
    let server = Server::new().await;
    server.store.trouble.store(1, Ordering::Relaxed);
    for way in ways() {
        let answer = ask(&server, &way).await;
        let got = (answer.status.as_u16(), &*answer.code());
        assert_eq!(got, (503, "unavailable"), "{way:?}");
        assert_eq!(told(&server), [None], "{way:?}");
    }
    server.store.trouble.store(2, Ordering::Relaxed);
    for way in ways() {
        let answer = ask(&server, &way).await;
        let got = (answer.status.as_u16(), &*answer.code());
        assert_eq!(got, (500, "internal"), "{way:?}");
        assert!(told(&server).is_empty(), "{way:?}");
    }
}

#[tokio::test]
async fn ids_that_are_no_ids_name_nothing() {
    let server = Server::new().await;
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
        for (method, path, body) in ways() {
            let mut paths = vec![path.replace("/1/", &format!("/{id}/"))];
            for within in ["/1007/", "/3/"] {
                paths.push(path.replace(within, &format!("/{id}/")));
            }
            for other in paths.into_iter().filter(|other| other != path) {
                let answer = ask(&server, &(method.clone(), &other, body.clone())).await;
                let got = (answer.status.as_u16(), &*answer.code());
                assert_eq!(got, (404, "not_found"), "{method} {other}");
            }
        }
    }
    assert!(told(&server).is_empty());
}

#[tokio::test]
async fn a_body_that_breaks_a_rule_never_reaches_the_store() {
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
        let answer = ask(&server, &(Method::PATCH, MESSAGE, body.clone())).await;
        let got = (answer.status.as_u16(), &*answer.code());
        assert_eq!(got, (400, code), "{body}");
        if code == "invalid" {
            assert!(answer.json()["message"].is_array(), "{body}");
        }
    }
    for (body, code) in [
        (json!({}), "invalid"),
        (json!({"user_id": null}), "invalid"),
        (json!({"user_id": "3"}), "malformed"),
        (json!({"user_id": 1.5}), "malformed"),
        (json!({"user_id": [3]}), "malformed"),
    ] {
        let answer = ask(&server, &(Method::POST, MEMBERS, body.clone())).await;
        let got = (answer.status.as_u16(), &*answer.code());
        assert_eq!(got, (400, code), "{body}");
    }
    assert!(told(&server).is_empty());
}
