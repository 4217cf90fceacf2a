//! Unusual and malformed HTTP: methods, content types, paths, headers and request ids.

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
async fn other_content_types_are_rejected() {
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
        let response = request.raw_body(kind, fields.clone()).send().await;
        response.expect_error(415, "unsupported_media_type");
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
async fn invalid_utf_8_in_a_body_is_malformed() {
    let request = anonymous().request(Method::POST, LOGIN);
    let body = b"{\"username\":\"\xff\",\"password\":\"x\"}".to_vec();
    let response = request.raw_body("application/json", body).send().await;
    response.expect_error(400, "malformed");
}

#[tokio::test]
async fn unsupported_methods_return_405_with_allow() {
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
        (Method::PUT, "/api/chat/conversations/1/members/", "POST"),
        (
            Method::PUT,
            "/api/chat/conversations/1/members/1/",
            "DELETE",
        ),
        (Method::POST, "/health/", "GET"),
        (Method::POST, "/health/live/", "GET"),
        (Method::DELETE, "/api/openapi.json", "GET"),
    ] {
        let response = account.api.request(method, path).send().await;
        response.expect_error(405, "method_not_allowed");
        let allow = response.header("allow").unwrap_or_default();
        assert!(
            allow.split(',').any(|name| name.trim() == there),
            "{allow:?}: {response}"
        );
    }
}

#[tokio::test]
async fn unknown_paths_are_not_found() {
    let account = Account::new(&Server::under_test()).await;
    for path in [
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
            let response = api.get(path).await;
            response.expect_error(404, "not_found");
            assert!(response.body["detail"].is_string(), "{response}");
        }
    }
}

#[tokio::test]
async fn valid_request_ids_are_returned() {
    let api = anonymous();
    for id in ["a", "my-request_1.2", &"x".repeat(64), "0"] {
        for (method, path) in [(Method::GET, "/health/live/"), (Method::GET, "/nothing/")] {
            let request = api.request(method, path);
            let response = request.header("x-request-id", id).send().await;
            assert_eq!(response.header("x-request-id"), Some(id));
        }
    }
}

#[tokio::test]
async fn invalid_request_ids_are_replaced() {
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
        let response = request.header("x-request-id", id).send().await;
        // Every response is checked for a valid request id.
        let given = response.header("x-request-id").expect("an id").to_owned();
        assert_ne!(given, id);
        assert!(seen.insert(given), "a request id was used twice");
    }
}

#[tokio::test]
async fn requests_without_an_id_get_unique_ids() {
    let api = anonymous();
    let mut seen = std::collections::HashSet::new();
    for _ in 0..20 {
        let response = api.get("/health/live/").await;
        assert!(seen.insert(response.header("x-request-id").expect("an id").to_owned()));
    }
}

#[tokio::test]
async fn oversized_headers_are_rejected_or_ignored() {
    let api = anonymous();
    let many = "x-filler: y\r\n".repeat(500);
    for (name, size) in [
        ("x-filler", 100_000),
        ("authorization", 100_000),
        ("cookie", 1_000_000),
    ] {
        let request = api.request(Method::GET, "/health/live/");
        let request = request.header(name, &"x".repeat(size));
        // A proxy in front of the server may close the connection.
        let _ = request.attempt_unchecked().await;
        send_raw(api.server(), get("/health/live/", &many).as_bytes()).await;
    }
    let request = api.request(Method::GET, "/api/users/profile/");
    let long = format!("Bearer {}", "x".repeat(5_000));
    let response = request.header("authorization", &long).send().await;
    response.expect_error(401, "token_invalid");
    still_works().await;
}

fn get(path: &str, headers: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n{headers}\r\n")
}

/// Asserts that a response, if there is one, is no server error.
fn assert_no_server_error(what: &str, response: Option<&RawResponse>) {
    if let Some(response) = response {
        assert!(response.status < 500, "{what}: {response:?}");
        assert!(!response.body.contains("panicked"), "{what}: {response:?}");
    }
}

#[tokio::test]
async fn malformed_http_causes_no_server_error() {
    let server = Server::under_test();
    let requests: [(&str, Vec<u8>); 9] = [
        ("no HTTP", b"nonsense\r\n\r\n".to_vec()),
        ("zero bytes", vec![0; 4_096]),
        (
            "a TLS ClientHello",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(),
        ),
        (
            "no host",
            b"GET /health/live/ HTTP/1.1\r\nConnection: close\r\n\r\n".to_vec(),
        ),
        (
            "a header without a name",
            get("/health/live/", ": x\r\n").into_bytes(),
        ),
        (
            "invalid bytes in a header",
            [get("/health/live/", "X-Odd: "), "\r\n".into()]
                .concat()
                .into_bytes(),
        ),
        (
            "an absolute path",
            get("http://other.example/health/live/", "").into_bytes(),
        ),
        (
            "a very long path",
            get(&format!("/{}", "x".repeat(60_000)), "").into_bytes(),
        ),
        (
            "two Content-Length headers",
            get(
                "/health/live/",
                "Content-Length: 5\r\nContent-Length: 6\r\n",
            )
            .into_bytes(),
        ),
    ];
    let skipped = "the response to malformed HTTP";
    let reads_http = Control::with_capability("raw-http", skipped)
        .await
        .is_some();
    for (what, request) in requests {
        // The end of the bytes is the end of the request.
        let response = send_raw(&server, &request).await;
        // A runtime that parses HTTP itself may respond as it likes, but without a request id.
        assert_no_server_error(
            what,
            response
                .as_ref()
                .filter(|response| reads_http || response.has_request_id()),
        );
    }
    still_works().await;
}

#[tokio::test]
async fn request_data_is_not_injected_into_response_headers() {
    let server = Server::under_test();
    let path = "/nothing/%0d%0aSet-Cookie:%20a=b/";
    let response = send_raw(
        &server,
        get(path, "X-Request-Id: a%0d%0aX-Evil: 1\r\n").as_bytes(),
    )
    .await;
    let response = response.expect("a response");
    assert_eq!(response.status, 404, "{response:?}");
    let head = response.head.to_lowercase();
    assert!(
        !head.contains("set-cookie") && !head.contains("x-evil"),
        "{head}"
    );
}

#[tokio::test]
async fn errors_reveal_no_implementation_details() {
    let api = anonymous();
    for body in ["{", "[1,2", "{\"username\": tru}"] {
        let request = api.request(Method::POST, LOGIN);
        let response = request.raw_body("application/json", body).send().await;
        let text = response.text.to_lowercase();
        for word in [
            ".rs", "serde", "sqlx", "panicked", "stack", "select ", "/src/",
        ] {
            assert!(!text.contains(word), "{word}: {response}");
        }
    }
}

#[tokio::test]
async fn head_returns_get_headers_without_a_body() {
    let response = anonymous()
        .request(Method::HEAD, "/health/live/")
        .send()
        .await;
    assert_eq!(
        (response.status, &response.body),
        (200, &Value::Null),
        "{response}"
    );
}
