//! Header fields that must occur once, request bodies with an encoding, and WebSocket handshakes that
//! break RFC 6455. Every host answers them alike, although the edge runtime joins repeated fields.

use colloquy_blackbox::{Account, Api, Control, Group, RawResponse, Server, send_raw};
use reqwest::Method;

/// A request with these header lines in addition to those it needs.
fn request(line: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "{line} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}",
        Server::under_test().authority()
    )
}

async fn response(request: &str) -> RawResponse {
    let response = send_raw(&Server::under_test(), request.as_bytes()).await;
    response.unwrap_or_else(|| panic!("no response to {request}"))
}

#[track_caller]
fn assert_error(response: &RawResponse, status: u16, code: &str) {
    let quoted = format!("\"{code}\"");
    assert!(
        response.status == status && response.body.contains(&quoted) && response.has_request_id(),
        "expected {status} {code}: {response:?}"
    );
}

#[tokio::test]
async fn repeated_authorization_header_is_rejected() {
    let account = Account::new(&Server::under_test()).await;
    let token = &account.tokens.access;
    for headers in [
        format!("Authorization: Bearer {token}\r\nAuthorization: Bearer {token}\r\n"),
        format!("Authorization: Basic eDp5\r\nAuthorization: Bearer {token}\r\n"),
        format!("Authorization: Bearer {token}, Bearer {token}\r\n"),
    ] {
        let response = response(&request("GET /api/users/profile/", &headers, "")).await;
        assert_error(&response, 401, "token_invalid");
    }
}

#[tokio::test]
async fn repeated_content_type_and_idempotency_key_are_rejected() {
    let (account, _, id) = Group::pair(&Server::under_test()).await;
    let line = format!("POST /api/chat/conversations/{id}/messages/");
    let json = "Content-Type: application/json\r\n";
    for (more, status, code) in [
        (json, 415, "unsupported_media_type"),
        (
            "Idempotency-Key: k-1\r\nIdempotency-Key: k-2\r\n",
            400,
            "invalid",
        ),
        ("Idempotency-Key: k-1, k-2\r\n", 400, "invalid"),
    ] {
        let headers = format!(
            "Authorization: Bearer {}\r\n{json}{more}",
            account.tokens.access
        );
        let response = response(&request(&line, &headers, r#"{"message":"Hello"}"#)).await;
        assert_error(&response, status, code);
    }
    assert!(account.history(id).await.is_empty());
}

#[tokio::test]
async fn encoded_request_body_is_rejected() {
    let api = Api::anonymous(&Server::under_test());
    for (encoding, status, code) in [
        ("gzip", 415, "unsupported_media_type"),
        ("br", 415, "unsupported_media_type"),
        ("identity", 400, "invalid"),
    ] {
        let request = api
            .request(Method::POST, "/api/users/login/")
            .header("content-encoding", encoding);
        let request = request.raw_body("application/json", "{}");
        request.send().await.expect_error(status, code);
    }
}

#[tokio::test]
async fn request_needs_exactly_one_valid_host() {
    let skipped = "the response to a missing or repeated Host header";
    let reads_http = Control::with_capability("raw-http", skipped)
        .await
        .is_some();
    let server = Server::under_test();
    for hosts in [
        "",
        "Host: localhost\r\nHost: localhost\r\n",
        "Host: local host\r\n",
        "Host: user@localhost\r\n",
        "Host:\r\n",
    ] {
        let request = format!("GET /health/live/ HTTP/1.1\r\nConnection: close\r\n{hosts}\r\n");
        let response = send_raw(&server, request.as_bytes()).await;
        match response {
            Some(response) if reads_http || response.has_request_id() => {
                assert_error(&response, 400, "invalid_host");
            }
            // A runtime that parses HTTP itself may reject it in its own way.
            response => assert!(
                response
                    .as_ref()
                    .is_none_or(|response| response.status >= 400),
                "{hosts}: {response:?}"
            ),
        }
    }
}

#[tokio::test]
async fn malformed_handshake_is_answered_in_the_shape_of_errors() {
    let skipped = "the response to a malformed WebSocket handshake";
    let reads_http = Control::with_capability("raw-http", skipped)
        .await
        .is_some();
    let (account, _, id) = Group::pair(&Server::under_test()).await;
    let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let version = "Sec-WebSocket-Version: 13\r\n";
    let upgrade = "Upgrade: websocket\r\n";
    for (method, headers, status, code) in [
        (
            "GET",
            format!("Connection: close\r\n{upgrade}{version}{key}"),
            400,
            "malformed",
        ),
        (
            "GET",
            format!("Connection: Upgrade\r\n{upgrade}{version}"),
            400,
            "malformed",
        ),
        (
            "GET",
            format!("Connection: Upgrade\r\n{upgrade}{version}{key}{key}"),
            400,
            "malformed",
        ),
        (
            "GET",
            format!("Connection: Upgrade\r\n{upgrade}{version}Sec-WebSocket-Key: c2hvcnQ=\r\n"),
            400,
            "malformed",
        ),
        (
            "GET",
            format!("Connection: Upgrade\r\n{upgrade}{key}"),
            426,
            "upgrade_required",
        ),
        (
            "GET",
            format!("Connection: Upgrade\r\n{upgrade}{key}Sec-WebSocket-Version: 8\r\n"),
            426,
            "upgrade_required",
        ),
        (
            "GET",
            "Connection: Upgrade\r\nUpgrade: h2c\r\n".to_owned(),
            426,
            "upgrade_required",
        ),
        (
            "POST",
            format!("Connection: Upgrade\r\n{upgrade}{version}{key}"),
            405,
            "method_not_allowed",
        ),
    ] {
        let path = format!("/ws/chat/{id}/?token={}", account.tokens.access);
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\n{headers}\r\n",
            account.api.server().authority()
        );
        let response = send_raw(account.api.server(), request.as_bytes()).await;
        match response {
            Some(response) if reads_http || response.has_request_id() => {
                assert_error(&response, status, code);
            }
            response => assert!(
                response
                    .as_ref()
                    .is_none_or(|response| response.status >= 400),
                "{headers}: {response:?}"
            ),
        }
    }
}
