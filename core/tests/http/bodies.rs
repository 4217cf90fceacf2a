//! JSON bodies: form, size and content type.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::Body;
use axum::http::Request;
use colloquy_core::http::{BodyTimeout, RequestDeadline};
use futures_util::{StreamExt as _, stream};
use serde_json::json;

use crate::server::Server;

const LOGIN: &str = "/api/users/login/";
const CREATE: &str = "/api/chat/conversations/";

#[tokio::test]
async fn body_that_is_no_json_object_is_malformed() {
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
        let response = server.post(LOGIN, body.to_vec()).await;
        let excerpt = String::from_utf8_lossy(body);
        assert_eq!(
            (response.status.as_u16(), &*response.code()),
            (400, "malformed"),
            "{excerpt:.40}: {}",
            response.text
        );
        assert!(response.text.len() < 400);
    }
    // Unknown fields are ignored at any depth.
    let deep = deep.replace("username", "unknown");
    assert_eq!(server.post(LOGIN, deep).await.code(), "invalid");
}

#[tokio::test]
async fn wrong_type_is_reported_by_path_without_the_value() {
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
        let response = server.post_as_ann(CREATE, body.to_string()).await;
        assert_eq!(
            (response.status.as_u16(), &*response.code()),
            (400, "malformed"),
            "{body}"
        );
        let detail = response.json()["detail"].as_str().unwrap().to_owned();
        assert!(
            detail.contains(&format!("'{path}'")) && !detail.contains("hunter2"),
            "{detail}"
        );
    }
    let twice = r#"{"participants":[2],"participants":[3]}"#;
    assert_eq!(server.post_as_ann(CREATE, twice).await.code(), "malformed");
}

#[tokio::test]
async fn body_is_limited_to_64_kib() {
    let server = Server::new().await;
    let body = |length: usize| format!("{{\"username\":\"{}\"}}", "x".repeat(length - 15));
    assert_eq!(body(65_536).len(), 65_536);
    assert_eq!(server.post(LOGIN, body(65_536)).await.code(), "invalid");
    let response = server.post(LOGIN, body(65_537)).await;
    assert_eq!(
        (response.status.as_u16(), &*response.code()),
        (413, "too_large")
    );
}

/// A client that is still sending when the response arrives may never read it.
#[tokio::test]
async fn oversized_body_is_drained_up_to_a_limit_before_the_error() {
    let server = Server::new().await;
    for (path, chunks, read) in [
        (LOGIN, 200, 200),
        (LOGIN, 9_999, 1_025),
        ("/nowhere/", 200, 200),
    ] {
        let polled = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&polled);
        let chunks = stream::iter(0..chunks).map(move |_| {
            counter.fetch_add(1, Ordering::Relaxed);
            Ok::<_, std::io::Error>(vec![b'x'; 1_024])
        });
        let response = server.post(path, Body::from_stream(chunks)).await;
        assert_eq!(
            (response.status.as_u16(), &*response.code()),
            (413, "too_large")
        );
        assert_eq!(polled.load(Ordering::Relaxed), read);
    }
    let broken = stream::iter([Ok(vec![b'{']), Err(std::io::Error::other("gone"))]);
    assert_eq!(
        server.post(LOGIN, Body::from_stream(broken)).await.code(),
        "malformed"
    );
}

#[tokio::test]
async fn content_type_must_be_json() {
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
        let response = send(Some(content_type), "{}").await;
        assert_eq!(
            (response.status.as_u16(), &*response.code()),
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

#[tokio::test]
async fn encoded_body_is_an_unsupported_media_type() {
    let server = Server::new().await;
    for (encoding, code) in [
        ("gzip", "unsupported_media_type"),
        ("identity, br", "unsupported_media_type"),
        ("", "unsupported_media_type"),
        ("Identity", "invalid"),
    ] {
        let request = Request::post(LOGIN)
            .header("content-type", "application/json")
            .header("content-encoding", encoding);
        let response = server.send(request.body(Body::from("{}")).unwrap()).await;
        assert_eq!(response.code(), code, "{encoding}");
        if response.status == 415 {
            assert_eq!(response.header("accept-encoding"), "identity");
        }
    }
}

#[tokio::test]
async fn body_that_an_adapter_stops_waiting_for_is_answered_with_408() {
    let server = Server::new().await;
    let late = stream::iter([Ok(vec![b'{']), Err(BodyTimeout)]);
    let response = server.post(LOGIN, Body::from_stream(late)).await;
    assert_eq!(
        (response.status.as_u16(), &*response.code()),
        (408, "request_timeout")
    );
    assert_eq!(response.header("connection"), "close");
}

#[tokio::test]
async fn request_is_answered_with_503_when_its_deadline_passes() {
    let server = Server::new().await;
    let endless = stream::pending::<Result<Vec<u8>, std::io::Error>>();
    let deadline = RequestDeadline::default();
    let mut request = Request::post(LOGIN)
        .body(Body::from_stream(endless))
        .unwrap();
    request.extensions_mut().insert(deadline.clone());
    let (response, ()) = tokio::join!(server.send(request), async { deadline.pass() });
    assert_eq!(
        (response.status.as_u16(), &*response.code()),
        (503, "unavailable")
    );
}
