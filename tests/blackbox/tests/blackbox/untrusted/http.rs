//! HTTP at its edges: methods, types and paths that are wrong, headers that are odd or enormous,
//! the request's id.

use colloquy_blackbox::{Account, Api, Control, RawResponse, Server, send_raw};
use reqwest::Method;
use serde_json::Value;

const LOGIN: &str = "/api/users/login/";

fn anonymous() -> Api {
    Api::anonymous(&Server::under_test())
}

async fn still_works() {
    anonymous().get("/health/").await.expect_status(200);
}

#[tokio::test]
async fn a_body_of_another_type_is_refused() {
    let fields = Account::registration().to_string();
    let api = anonymous();
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/xml",
        "application",
        "json",
    ] {
        let request = api.request(Method::POST, "/api/users/register/");
        let answer = request.raw_body(kind, fields.clone()).send().await;
        answer.expect_error(415, "unsupported_media_type");
    }
    let kind = "application/json; charset=utf-8";
    let request = api.request(Method::POST, "/api/users/register/");
    request
        .raw_body(kind, fields)
        .send()
        .await
        .expect_status(201);
}

#[tokio::test]
async fn bytes_that_are_not_utf_8_are_malformed() {
    let request = anonymous().request(Method::POST, LOGIN);
    let body = b"{\"username\":\"\xff\",\"password\":\"x\"}".to_vec();
    let answer = request.raw_body("application/json", body).send().await;
    answer.expect_error(400, "malformed");
}

#[tokio::test]
async fn a_method_that_is_not_there_is_answered_with_those_that_are() {
    let account = Account::new(&Server::under_test()).await;
    for (method, path, there) in [
        (Method::GET, LOGIN, "POST"),
        (Method::DELETE, LOGIN, "POST"),
        (Method::PUT, "/api/users/register/", "POST"),
        (Method::POST, "/api/users/profile/", "GET"),
        (Method::PATCH, "/api/chat/conversations/", "GET"),
        (
            Method::DELETE,
            "/api/chat/conversations/1/messages/",
            "POST",
        ),
        (
            Method::GET,
            "/api/chat/conversations/1/messages/1/",
            "PATCH",
        ),
        (Method::GET, "/api/chat/conversations/1/members/", "POST"),
        (
            Method::PUT,
            "/api/chat/conversations/1/members/1/",
            "DELETE",
        ),
        (Method::POST, "/health/", "GET"),
        (Method::POST, "/health/live/", "GET"),
        (Method::DELETE, "/api/openapi.json", "GET"),
    ] {
        let answer = account.api.request(method, path).send().await;
        answer.expect_error(405, "method_not_allowed");
        let allow = answer.header("allow").unwrap_or_default();
        assert!(
            allow.split(',').any(|name| name.trim() == there),
            "{allow:?}: {answer}"
        );
    }
}

#[tokio::test]
async fn an_unknown_path_is_not_found() {
    let account = Account::new(&Server::under_test()).await;
    for path in [
        "/",
        "/api/",
        "/api/users/",
        "/api/nothing/",
        "/api/users/login/more/",
        "/api/users/register//",
        "//api/users/login/",
        "/API/USERS/LOGIN/",
        "/ws/",
        "/ws/chat/",
        "/../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/api/users/%00/",
        "/\u{202e}/",
        "/.env",
    ] {
        for api in [anonymous(), account.api.clone()] {
            let answer = api.get(path).await;
            answer.expect_error(404, "not_found");
            assert!(answer.body["detail"].is_string(), "{answer}");
        }
    }
}

#[tokio::test]
async fn a_request_may_bring_its_own_id() {
    let api = anonymous();
    for id in ["a", "my-request_1.2", &"x".repeat(64), "0"] {
        for (method, path) in [(Method::GET, "/health/live/"), (Method::GET, "/nothing/")] {
            let request = api.request(method, path);
            let answer = request.header("x-request-id", id).send().await;
            assert_eq!(answer.header("x-request-id"), Some(id));
        }
    }
}

#[tokio::test]
async fn an_id_that_is_none_is_replaced() {
    let api = anonymous();
    let mut seen = std::collections::HashSet::new();
    for id in [
        "",
        " ",
        "a b",
        "a/b",
        "é",
        "a\tb",
        "<b>",
        &"x".repeat(65),
        &"x".repeat(4_000),
    ] {
        let request = api.request(Method::GET, "/nothing/");
        let answer = request.header("x-request-id", id).send().await;
        // That it is one of the right shape is checked of every answer.
        let given = answer.header("x-request-id").expect("an id").to_owned();
        assert_ne!(given, id);
        assert!(seen.insert(given), "an id was given twice");
    }
}

#[tokio::test]
async fn every_request_without_an_id_gets_its_own() {
    let api = anonymous();
    let mut seen = std::collections::HashSet::new();
    for _ in 0..20 {
        let answer = api.get("/health/live/").await;
        assert!(seen.insert(answer.header("x-request-id").expect("an id").to_owned()));
    }
}

#[tokio::test]
async fn enormous_headers_are_refused_or_ignored() {
    let api = anonymous();
    let many = "x-filler: y\r\n".repeat(500);
    for (name, size) in [
        ("x-filler", 100_000),
        ("authorization", 100_000),
        ("cookie", 1_000_000),
    ] {
        let request = api.request(Method::GET, "/health/live/");
        let request = request.header(name, &"x".repeat(size));
        // Hanging up is an answer too, from whatever stands in front.
        let _ = request.attempt_unchecked().await;
        send_raw(api.server(), get("/health/live/", &many).as_bytes()).await;
    }
    let request = api.request(Method::GET, "/api/users/profile/");
    let long = format!("Bearer {}", "x".repeat(5_000));
    let answer = request.header("authorization", &long).send().await;
    answer.expect_error(401, "token_invalid");
    still_works().await;
}

fn get(path: &str, headers: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n{headers}\r\n")
}

/// An answer, if there is one, that does not speak of a fault.
fn no_fault(what: &str, answer: Option<&RawResponse>) {
    if let Some(answer) = answer {
        assert!(answer.status < 500, "{what}: {answer:?}");
        assert!(!answer.body.contains("panicked"), "{what}: {answer:?}");
    }
}

#[tokio::test]
async fn requests_that_are_hardly_http_do_no_harm() {
    let server = Server::under_test();
    let requests: [(&str, Vec<u8>); 9] = [
        ("nonsense", b"nonsense\r\n\r\n".to_vec()),
        ("zeroes", vec![0; 4_096]),
        (
            "a TLS greeting",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(),
        ),
        (
            "no host",
            b"GET /health/live/ HTTP/1.1\r\nConnection: close\r\n\r\n".to_vec(),
        ),
        (
            "header without a name",
            get("/health/live/", ": x\r\n").into_bytes(),
        ),
        (
            "bytes in a header",
            [get("/health/live/", "X-Odd: "), "\r\n".into()]
                .concat()
                .into_bytes(),
        ),
        (
            "an absolute path",
            get("http://other.example/health/live/", "").into_bytes(),
        ),
        (
            "an endless path",
            get(&format!("/{}", "x".repeat(60_000)), "").into_bytes(),
        ),
        (
            "two lengths",
            get(
                "/health/live/",
                "Content-Length: 5\r\nContent-Length: 6\r\n",
            )
            .into_bytes(),
        ),
    ];
    let left_out = "what is answered to requests that are hardly HTTP";
    let reads_http = Control::with_capability("http", left_out).await.is_some();
    for (what, request) in requests {
        // The end of sending is the end of the request, however odd.
        let answer = send_raw(&server, &request).await;
        // What reads HTTP in a server's place may answer as it likes, but not in its name.
        no_fault(
            what,
            answer
                .as_ref()
                .filter(|answer| reads_http || answer.has_request_id()),
        );
    }
    still_works().await;
}

#[tokio::test]
async fn headers_of_a_request_do_not_come_back_as_headers() {
    let server = Server::under_test();
    let path = "/nothing/%0d%0aSet-Cookie:%20a=b/";
    let answer = send_raw(
        &server,
        get(path, "X-Request-Id: a%0d%0aX-Evil: 1\r\n").as_bytes(),
    )
    .await;
    let answer = answer.expect("an answer");
    assert_eq!(answer.status, 404, "{answer:?}");
    let head = answer.head.to_lowercase();
    assert!(
        !head.contains("set-cookie") && !head.contains("x-evil"),
        "{head}"
    );
}

#[tokio::test]
async fn an_upgrade_of_the_wrong_kind_is_no_socket() {
    let account = Account::new(&Server::under_test()).await;
    let other = Account::new(&Server::under_test()).await;
    let id = account
        .create_conversation(&[&other])
        .await
        .expect_status(201)["id"]
        .clone();
    let path = format!("/ws/chat/{id}/?token={}", account.tokens.access);
    for headers in [
        "Upgrade: h2c\r\nConnection: Upgrade\r\n",
        "Upgrade: websocket\r\n",
        "Upgrade: websocket\r\nConnection: Upgrade\r\n",
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 7\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
    ] {
        let request = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{headers}\r\n");
        let answer = send_raw(account.api.server(), request.as_bytes()).await;
        let status = answer.as_ref().map(|answer| answer.status);
        assert!(
            status.is_none_or(|status| (400..500).contains(&status)),
            "{headers}: {answer:?}"
        );
    }
    still_works().await;
}

#[tokio::test]
async fn refusals_tell_nothing_of_the_inside() {
    let api = anonymous();
    for body in ["{", "[1,2", "{\"username\": tru}"] {
        let request = api.request(Method::POST, LOGIN);
        let answer = request.raw_body("application/json", body).send().await;
        let text = answer.text.to_lowercase();
        for word in [
            ".rs", "serde", "sqlx", "panicked", "stack", "select ", "/src/",
        ] {
            assert!(!text.contains(word), "{word}: {answer}");
        }
    }
}

#[tokio::test]
async fn head_answers_like_get_without_a_body() {
    let answer = anonymous()
        .request(Method::HEAD, "/health/live/")
        .send()
        .await;
    assert_eq!(
        (answer.status, &answer.body),
        (200, &Value::Null),
        "{answer}"
    );
}
