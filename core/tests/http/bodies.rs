use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::Body;
use axum::http::Request;
use futures_util::{StreamExt as _, stream};
use serde_json::json;

use crate::server::Server;

const LOGIN: &str = "/api/users/login/";
const CREATE: &str = "/api/chat/conversations/";

#[tokio::test]
async fn what_is_no_json_object_is_malformed() {
    let server = Server::new().await;
    let deep = format!(
        "{{\"username\":{}{}}}",
        "[".repeat(10_000),
        "]".repeat(10_000)
    );
    let bodies: [&[u8]; 14] = [
        b"",
        b" ",
        b"{",
        b"null",
        b"[]",
        b"7",
        b"\"x\"",
        b"{}{}",
        b"{} x",
        b"{\"username\":\"\\ud800\"}",
        b"{\"username\":\"\xff\xfe\"}",
        b"{'username':1}",
        b"\xef\xbb\xbf{}",
        deep.as_bytes(),
    ];
    for body in bodies {
        let answer = server.post(LOGIN, body.to_vec()).await;
        let shown = String::from_utf8_lossy(body);
        assert_eq!(
            (answer.status.as_u16(), &*answer.code()),
            (400, "malformed"),
            "{shown:.40}: {}",
            answer.text
        );
        assert!(answer.text.len() < 400);
    }
    // Unknown fields are ignored, however deep.
    let deep = deep.replace("username", "unknown");
    assert_eq!(server.post(LOGIN, deep).await.code(), "invalid");
}

#[tokio::test]
async fn a_wrong_type_is_told_by_its_path_and_not_repeated() {
    let server = Server::new().await;
    for (body, path) in [
        (json!({"participants": [2, "hunter2"]}), "participants[1]"),
        (json!({"participants": [2.5]}), "participants[0]"),
        (json!({"participants": 2}), "participants"),
        (
            json!({"participants": [9_223_372_036_854_775_808_u64]}),
            "participants[0]",
        ),
        (json!({"participants": [2], "name": ["hunter2"]}), "name"),
    ] {
        let answer = server.post_as_ann(CREATE, body.to_string()).await;
        assert_eq!(
            (answer.status.as_u16(), &*answer.code()),
            (400, "malformed"),
            "{body}"
        );
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(
            detail.contains(&format!("'{path}'")) && !detail.contains("hunter2"),
            "{detail}"
        );
    }
    let twice = r#"{"participants":[2],"participants":[3]}"#;
    assert_eq!(server.post_as_ann(CREATE, twice).await.code(), "malformed");
}

#[tokio::test]
async fn a_body_has_at_most_64_kib() {
    let server = Server::new().await;
    let body = |length: usize| format!("{{\"username\":\"{}\"}}", "x".repeat(length - 15));
    assert_eq!(body(65_536).len(), 65_536);
    assert_eq!(server.post(LOGIN, body(65_536)).await.code(), "invalid");
    let answer = server.post(LOGIN, body(65_537)).await;
    assert_eq!(
        (answer.status.as_u16(), &*answer.code()),
        (413, "too_large")
    );
}

/// A client that is still sending when the answer comes never reads it.
#[tokio::test]
async fn a_body_too_large_is_read_on_for_a_while_before_it_is_refused() {
    let server = Server::new().await;
    for (path, chunks, read) in [
        (LOGIN, 200, 200),
        (LOGIN, 9_999, 1_025),
        ("/nowhere/", 200, 200),
    ] {
        let taken = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&taken);
        let chunks = stream::iter(0..chunks).map(move |_| {
            counter.fetch_add(1, Ordering::Relaxed);
            Ok::<_, std::io::Error>(vec![b'x'; 1_024])
        });
        let answer = server.post(path, Body::from_stream(chunks)).await;
        assert_eq!(
            (answer.status.as_u16(), &*answer.code()),
            (413, "too_large")
        );
        assert_eq!(taken.load(Ordering::Relaxed), read);
    }
    let broken = stream::iter([Ok(vec![b'{']), Err(std::io::Error::other("gone"))]);
    assert_eq!(
        server.post(LOGIN, Body::from_stream(broken)).await.code(),
        "malformed"
    );
}

#[tokio::test]
async fn a_body_says_that_it_is_json() {
    let server = Server::new().await;
    let send = async |content_type: Option<&str>, body: &'static str| {
        let mut request = Request::post(LOGIN);
        if let Some(content_type) = content_type {
            request = request.header("content-type", content_type);
        }
        server.send(request.body(Body::from(body)).unwrap()).await
    };
    for content_type in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/jsonx",
        "",
    ] {
        let answer = send(Some(content_type), "{}").await;
        assert_eq!(
            (answer.status.as_u16(), &*answer.code()),
            (415, "unsupported_media_type"),
            "{content_type}"
        );
    }
    assert_eq!(send(None, "{}").await.status, 415);
    assert_eq!(send(None, "").await.code(), "invalid");
    for content_type in [
        "Application/JSON; charset=utf-8",
        "application/merge-patch+json",
    ] {
        assert_eq!(
            send(Some(content_type), "{}").await.code(),
            "invalid",
            "{content_type}"
        );
    }
}
