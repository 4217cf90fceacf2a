use std::sync::atomic::Ordering;

use axum::body::Body;
use axum::http::Request;
use colloquy_core::ports::CachedSummaries;
use colloquy_proto::domain::{AppendOutcome, ConversationId, Denied, Epoch, SendOutcome, Seq};
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
async fn a_conversation_is_made_or_found() {
    let server = Server::new().await;
    assert_eq!(
        server
            .post_as_ann(LIST, r#"{"participants":[2,3,1,3]}"#)
            .await
            .status,
        201
    );
    assert_eq!(
        server
            .post_as_ann(LIST, r#"{"participants":[2]}"#)
            .await
            .status,
        200
    );
    let answer = server
        .post_as_ann(LIST, r#"{"participants":[2,98,99]}"#)
        .await;
    assert_eq!(answer.status, 400);
    assert_eq!(
        answer.json()["participants"],
        json!([
            "Invalid pk \"98\" - object does not exist.",
            "Invalid pk \"99\" - object does not exist."
        ])
    );
    for body in [
        "{}",
        r#"{"participants":[]}"#,
        r#"{"participants":[1]}"#,
        r#"{"participants":null}"#,
    ] {
        let answer = server.post_as_ann(LIST, body).await;
        assert!(
            answer.status == 400 && answer.json()["participants"].is_array(),
            "{body}"
        );
    }
    let answer = server
        .post_as_ann(LIST, r#"{"participants":[2],"kind":"channel"}"#)
        .await;
    assert!(answer.json()["kind"].is_array());
}

/// Also when all of it, or none of it, is told anew.
#[tokio::test]
async fn a_list_read_again_asks_only_for_what_has_moved_on() {
    let server = Server::new().await;
    let first = server.get_as_ann(LIST).await;
    assert_eq!(
        *server.store.held.lock().unwrap(),
        CachedSummaries::default()
    );
    assert_eq!(first.json().as_array().unwrap().len(), 5);
    assert_eq!(server.get_as_ann(LIST).await.json(), first.json());
    let held = |seq| CachedSummaries {
        epoch: Some(Epoch("e1".into())),
        at: (1..=5)
            .rev()
            .map(|id| (ConversationId(id), Seq(seq)))
            .collect(),
    };
    assert_eq!(*server.store.held.lock().unwrap(), held(0));
    server.store.listed_seq.store(7, Ordering::Relaxed);
    let moved_on = server.get_as_ann(LIST).await.json();
    assert_eq!(*server.store.held.lock().unwrap(), held(0));
    assert!(
        moved_on
            .as_array()
            .unwrap()
            .iter()
            .all(|one| one["seq"] == 7)
    );
    assert_eq!(server.get_as_ann(LIST).await.json(), moved_on);
    assert_eq!(*server.store.held.lock().unwrap(), held(7));
}

#[tokio::test]
async fn the_list_goes_on_where_its_link_says() {
    let server = Server::new().await;
    let mut path = format!("{LIST}?limit=2");
    let mut seen = Vec::new();
    loop {
        let answer = server.get_as_ann(&path).await;
        seen.extend(
            answer
                .json()
                .as_array()
                .unwrap()
                .iter()
                .map(|one| one["id"].as_i64().unwrap()),
        );
        let Some((next, rest)) = answer.header("link").split_once('>') else {
            break;
        };
        assert_eq!(rest, "; rel=\"next\"");
        path = next.trim_start_matches('<').to_owned();
    }
    assert_eq!(seen, [5, 4, 3, 2, 1]);
    for query in [
        "limit=0",
        "limit=201",
        "limit=x",
        "limit=-1",
        "cursor=x",
        "cursor=MTI",
    ] {
        let answer = server.get_as_ann(&format!("{LIST}?{query}")).await;
        assert_eq!(
            (answer.status.as_u16(), &*answer.code()),
            (400, "invalid"),
            "{query}"
        );
    }
}

#[tokio::test]
async fn a_path_that_names_no_conversation_is_not_found() {
    let server = Server::new().await;
    for id in [
        "x",
        "0",
        "-1",
        "+1",
        "1.5",
        "99",
        "99999999999999999999",
        "%00",
        "%ff",
        "%2e%2e",
        "1%202",
        "١",
    ] {
        let path = format!("{LIST}{}/", id.replace('١', "%D9%A1"));
        let answer = server.get_as_ann(&path).await;
        assert_eq!(
            (answer.status.as_u16(), &*answer.code()),
            (404, "not_found"),
            "{id}"
        );
    }
    for path in [
        "/api/chat/conversations/2/",
        "/api/chat/conversations/2/messages/",
    ] {
        let answer = server.get_as_ann(path).await;
        assert_eq!(
            (answer.status.as_u16(), &*answer.code()),
            (403, "not_member")
        );
    }
}

#[tokio::test]
async fn a_history_is_read_page_by_page() {
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
        let answer = server.get_as_ann(&format!("{MESSAGES_PATH}?{query}")).await;
        // A blank parameter is as good as none.
        let status = if query == "around=" { 200 } else { 400 };
        assert_eq!(answer.status, status, "{query}");
    }
}

#[tokio::test]
async fn a_history_read_twice_comes_from_the_cache() {
    let server = Server::new().await;
    let first = server.get_as_ann(MESSAGES_PATH).await.json();
    let second = server.get_as_ann(MESSAGES_PATH).await.json();
    assert_eq!(
        (&first["source"], &second["source"]),
        (&json!("database"), &json!("cache"))
    );
    assert_eq!(first["messages"], second["messages"]);
    let shape = |page: &Value| {
        let mut page = page.clone();
        page["source"] = Value::Null;
        page
    };
    assert_eq!(shape(&first), shape(&second));
}

#[tokio::test]
async fn a_message_is_sent_once_whatever_is_repeated() {
    let server = Server::new().await;
    let tell = |outcome| *server.rooms.outcome.lock().unwrap() = Some(outcome);
    tell(SendOutcome::Appended(AppendOutcome::Stored(stored(7))));
    let answer = server
        .post_as_ann(MESSAGES_PATH, r#"{"message":"message 7"}"#)
        .await;
    assert_eq!(answer.status, 201);
    let json = answer.json();
    assert_eq!(
        (&json["id"], &json["content"], &json["duplicate"]),
        (&json!(1007), &json!("message 7"), &json!(false))
    );
    assert!(
        json["client_message_id"]
            .as_str()
            .is_some_and(|id| id.len() == 22)
    );

    tell(SendOutcome::Appended(AppendOutcome::Duplicate(stored(7))));
    let send = async |key: &str, body: Value| {
        let request = Request::post(MESSAGES_PATH)
            .header("authorization", format!("Bearer {}", server.token()))
            .header("content-type", "application/json")
            .header("idempotency-key", key);
        server
            .send(request.body(Body::from(body.to_string())).unwrap())
            .await
    };
    let answer = send("k-1", json!({"message": "message 7"})).await;
    assert_eq!(
        (answer.status.as_u16(), &answer.json()["duplicate"]),
        (200, &json!(true))
    );
    let command = server.rooms.sent.lock().unwrap().pop().unwrap();
    assert_eq!(command.client_message_id.unwrap().as_str(), "k-1");
    let answer = send("k-1", json!({"message": "another"})).await;
    assert_eq!((answer.status.as_u16(), &*answer.code()), (409, "conflict"));
    let answer = send("k-1", json!({"message": "x", "client_message_id": "k-2"})).await;
    assert!(answer.json()["client_message_id"].is_array());
    for key in ["", "with space", "é", &"x".repeat(65)] {
        assert_eq!(
            send(key, json!({"message": "x"})).await.status,
            400,
            "{key}"
        );
    }
}

#[tokio::test]
async fn a_send_that_is_refused_says_why() {
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
        let answer = server
            .post_as_ann(MESSAGES_PATH, r#"{"message":"x"}"#)
            .await;
        assert_eq!((answer.status.as_u16(), &*answer.code()), (status, code));
        let wait = if code == "throttled" {
            "1"
        } else if status == 503 {
            "2"
        } else {
            ""
        };
        assert_eq!(answer.header("retry-after"), wait);
        if code == "throttled" {
            let json = answer.json();
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
async fn trouble_is_told_without_its_cause() {
    let server = Server::new().await;
    for (trouble, status, code) in [(1, 503, "unavailable"), (2, 500, "internal")] {
        server.store.trouble.store(trouble, Ordering::Relaxed);
        for path in [LIST, MESSAGES_PATH, "/api/users/profile/"] {
            let answer = server.get_as_ann(path).await;
            assert_eq!(
                (answer.status.as_u16(), &*answer.code()),
                (status, code),
                "{path}"
            );
            assert!(
                !answer.text.contains("10.1.2.3") && !answer.text.contains("secret"),
                "{}",
                answer.text
            );
        }
    }
}
