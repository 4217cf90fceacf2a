//! Request ids, paths, methods, hosts, origins, health and the OpenAPI document.

use std::sync::atomic::Ordering;

use axum::body::Body;
use axum::http::{Method, Request, Version};
use colloquy_proto::protocol::ErrorCode;
use serde_json::{Value, json};

use crate::server::Server;

fn get(path: &str) -> axum::http::request::Builder {
    Request::get(path)
}

#[tokio::test]
async fn valid_request_id_is_kept_and_an_invalid_one_replaced() {
    let server = Server::new().await;
    let id = async |id: &[u8]| {
        let request = get("/health/live/")
            .header("x-request-id", id)
            .body(Body::empty())
            .unwrap();
        server.send(request).await.header("x-request-id").to_owned()
    };
    for valid in ["a", "0af7651916cd43dd-8448.eb_211c", &"x".repeat(64)] {
        assert_eq!(id(valid.as_bytes()).await, *valid);
    }
    for invalid in [
        &b""[..],
        b"a b",
        b"a\"b",
        b"a,b",
        b"\xff",
        b"<x>",
        "x".repeat(65).as_bytes(),
    ] {
        let replacement = id(invalid).await;
        assert!(
            replacement.as_bytes() != invalid && replacement.len() == 22,
            "{replacement}"
        );
    }
}

#[tokio::test]
async fn header_injection_is_impossible() {
    for name in ["x-request-id", "idempotency-key", "authorization"] {
        assert!(
            Request::get("/")
                .header(name, "a\r\nset-cookie: x")
                .body(())
                .is_err()
        );
    }
    // Line breaks encoded in a path or query stay inside the response's body.
    let server = Server::new().await;
    let response = server
        .get_as_ann("/api/chat/conversations/?cursor=%0d%0aset-cookie:x&limit=1%0d%0a")
        .await;
    assert_eq!(response.status, 400);
    assert!(response.headers.get("set-cookie").is_none());
    assert_eq!(server.get("/%0d%0aset-cookie:x").await.status, 404);
}

#[tokio::test]
async fn path_works_with_and_without_trailing_slash() {
    let server = Server::new().await;
    for path in ["/health", "/health/", "/health/live", "/health/ready"] {
        assert_eq!(server.get(path).await.status, 200, "{path}");
    }
    assert_eq!(
        server.post("/api/users/login", "{}").await.code(),
        "invalid"
    );
    let page = server
        .get_as_ann("/api/chat/conversations/1/messages?limit=3")
        .await
        .json();
    assert_eq!(
        page["messages"].as_array().unwrap().len(),
        3,
        "the query was lost"
    );
    for path in [
        "/",
        "",
        "/api",
        "/api/",
        "//",
        "/api//users/profile/",
        "/health/x",
        "/api/users/profile/x",
    ] {
        let response = server.get(if path.is_empty() { "/" } else { path }).await;
        assert_eq!(
            (response.status.as_u16(), &*response.code()),
            (404, "not_found"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn unsupported_method_returns_405_with_allow() {
    let server = Server::new().await;
    for (method, path, allow) in [
        (Method::GET, "/api/users/login/", "POST"),
        (Method::DELETE, "/api/users/profile/", "GET,HEAD"),
        (Method::PUT, "/api/chat/conversations", "GET,HEAD,POST"),
        (Method::from_bytes(b"BREW").unwrap(), "/health/", "GET,HEAD"),
    ] {
        let request = Request::builder()
            .method(method.clone())
            .uri(path)
            .body(Body::empty())
            .unwrap();
        let response = server.send(request).await;
        assert_eq!(
            (response.status.as_u16(), &*response.code()),
            (405, "method_not_allowed"),
            "{method} {path}"
        );
        assert_eq!(response.header("allow"), allow);
    }
    let request = Request::options("/api/users/login/")
        .body(Body::empty())
        .unwrap();
    let response = server.send(request).await;
    assert_eq!(
        (
            response.status.as_u16(),
            response.header("allow"),
            &*response.text
        ),
        (204, "POST", "")
    );
    let request = Request::head("/health/").body(Body::empty()).unwrap();
    let response = server.send(request).await;
    assert_eq!((response.status.as_u16(), &*response.text), (200, ""));
}

#[tokio::test]
async fn host_is_checked_except_for_health_probes() {
    let server = Server::with(&[("ALLOWED_HOSTS", "chat.example.com,.example.org,[::1]")]).await;
    let request_code = async |host: &str, path: &str| {
        server
            .send(get(path).header("host", host).body(Body::empty()).unwrap())
            .await
            .code()
    };
    for host in [
        "chat.example.com",
        "CHAT.EXAMPLE.COM:8000",
        "a.example.org",
        "[::1]:8000",
        "[::1]",
    ] {
        assert_eq!(
            request_code(host, "/api/users/profile/").await,
            "not_authenticated",
            "{host}"
        );
    }
    for host in [
        "evil.example",
        "chat.example.com.evil.example",
        "",
        "[::2]:8000",
        "chat.example.com@evil.example",
    ] {
        assert_eq!(
            request_code(host, "/api/users/profile/").await,
            "invalid_host",
            "{host}"
        );
    }
    let request = get("/health/")
        .header("host", "10.0.0.7:8000")
        .body(Body::empty())
        .unwrap();
    assert_eq!(server.send(request).await.status, 200);
}

#[tokio::test]
async fn missing_repeated_and_invalid_hosts_are_rejected_on_every_path() {
    let server = Server::new().await;
    for (path, hosts) in [
        ("/health/live/", [].as_slice()),
        ("/health/live/", &["localhost", "localhost"]),
        ("/health/live/", &["localhost, localhost"]),
        ("/nothing/", &["local host"]),
        ("/api/users/profile/", &[""]),
        ("http://localhost/health/live/", &[]),
    ] {
        let mut request = get(path);
        for host in hosts {
            request = request.header("host", *host);
        }
        let request = request.body(Body::empty()).unwrap();
        let response = server.send_unchanged(request).await;
        assert_eq!(
            (response.status.as_u16(), &*response.code()),
            (400, "invalid_host"),
            "{path} {hosts:?}"
        );
    }
    let mut old = get("/health/live/").body(Body::empty()).unwrap();
    *old.version_mut() = Version::HTTP_10;
    assert_eq!(server.send_unchanged(old).await.status, 200);
}

#[tokio::test]
async fn host_of_an_absolute_target_is_the_one_that_counts() {
    let server = Server::with(&[("ALLOWED_HOSTS", "chat.example.com")]).await;
    for (target, host, code) in [
        (
            "http://chat.example.com/api/users/profile/",
            "other.example",
            "not_authenticated",
        ),
        (
            "http://other.example/api/users/profile/",
            "chat.example.com",
            "invalid_host",
        ),
        (
            "ftp://chat.example.com/api/users/profile/",
            "chat.example.com",
            "malformed",
        ),
    ] {
        let request = get(target).header("host", host);
        let response = server.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(response.code(), code, "{target}");
    }
}

#[tokio::test]
async fn repeated_header_is_rejected_however_it_arrives() {
    let server = Server::new().await;
    let bearer = format!("Bearer {}", server.token());
    for lines in [
        vec![bearer.clone(), bearer.clone()],
        vec!["Basic eDp5".to_owned(), bearer.clone()],
        vec![format!("{bearer}, {bearer}")],
    ] {
        let mut request = get("/api/users/profile/");
        for line in &lines {
            request = request.header("authorization", line);
        }
        let response = server.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(
            (response.status.as_u16(), &*response.code()),
            (401, "token_invalid"),
            "{lines:?}"
        );
    }
    let path = "/api/chat/conversations/1/messages/";
    for (name, lines, status) in [
        ("content-type", ["application/json"; 2].as_slice(), 415),
        ("content-type", &["application/json; a=b, text/plain"], 415),
        ("idempotency-key", &["k-1", "k-2"], 400),
        ("idempotency-key", &["k-1, k-2"], 400),
    ] {
        let mut request = Request::post(path).header("authorization", &bearer);
        for line in lines {
            request = request.header(name, *line);
        }
        if name != "content-type" {
            request = request.header("content-type", "application/json");
        }
        let request = request.body(Body::from(r#"{"message":"Hello"}"#)).unwrap();
        let response = server.send(request).await;
        assert_eq!(response.status, status, "{name}: {lines:?}");
    }
    let request = get("/health/live/")
        .header("x-request-id", "a")
        .header("x-request-id", "a");
    let response = server.send(request.body(Body::empty()).unwrap()).await;
    assert_ne!(response.header("x-request-id"), "a");
}

#[tokio::test]
async fn allowed_origins_may_read_responses_and_errors() {
    let request = async |server: &Server, method: Method, origin: &str| {
        let request = Request::builder()
            .method(method)
            .uri("/api/users/profile/")
            .header("origin", origin)
            .header("access-control-request-method", "GET")
            .header("access-control-request-headers", "authorization");
        server.send(request.body(Body::empty()).unwrap()).await
    };
    let server = Server::with(&[("CORS_ALLOWED_ORIGINS", "https://chat.example.com")]).await;
    let response = request(&server, Method::GET, "https://chat.example.com").await;
    assert_eq!(
        (response.status.as_u16(), &*response.code()),
        (401, "not_authenticated")
    );
    assert_eq!(
        response.header("access-control-allow-origin"),
        "https://chat.example.com"
    );
    assert!(
        response
            .header("access-control-expose-headers")
            .contains("x-request-id")
    );
    let response = request(&server, Method::OPTIONS, "https://chat.example.com").await;
    assert_eq!(response.status, 200);
    assert!(
        response
            .header("access-control-allow-headers")
            .contains("authorization")
    );
    for origin in ["https://evil.example", "http://chat.example.com", "null"] {
        for method in [Method::GET, Method::OPTIONS] {
            assert_eq!(
                request(&server, method, origin)
                    .await
                    .header("access-control-allow-origin"),
                "",
                "{origin}"
            );
        }
    }
    let server = Server::new().await;
    assert_eq!(
        request(&server, Method::GET, "https://chat.example.com")
            .await
            .header("access-control-allow-origin"),
        ""
    );
}

#[tokio::test]
async fn health_reports_the_dependencies() {
    let server = Server::new().await;
    let response = server.get("/health/").await;
    assert_eq!(
        response.json(),
        json!({"status": "healthy", "database": true, "redis": true})
    );
    server.store.failure.store(1, Ordering::Relaxed);
    // The result of a probe is used for a second.
    assert_eq!(server.get("/health/").await.status, 200);
    server.clock.0.fetch_add(1_000, Ordering::Relaxed);
    let response = server.get("/health/").await;
    assert_eq!(response.status, 503);
    // A fixed text, without the address in the store's error.
    let reason = "database does not respond";
    assert_eq!(
        response.json(),
        json!({"status": "unhealthy", "database": false, "redis": true, "reason": reason})
    );
    let response = server.get("/health/ready/").await;
    assert_eq!(response.status, 503);
    assert_eq!(
        response.json(),
        json!({"status": "unready", "reason": reason})
    );
    assert_eq!(server.get("/health/live/").await.status, 200);
}

#[tokio::test]
async fn openapi_document_is_complete() {
    let server = Server::new().await;
    let response = server.get("/api/openapi.json").await;
    assert_eq!(
        (response.status.as_u16(), response.header("content-type")),
        (200, "application/json")
    );
    let document = response.json();
    let mut dangling = Vec::new();
    find_dangling(&document, &document, &mut dangling);
    assert!(dangling.is_empty(), "{dangling:?}");
    let mut count = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            count += 1;
            for (status, response) in operation["responses"].as_object().unwrap() {
                let without_body = ["101", "204", "205", "304"].contains(&status.as_str())
                    || path.ends_with("api.json");
                assert!(
                    without_body || response["content"]["application/json"]["schema"].is_object(),
                    "{method} {path} {status}"
                );
            }
        }
    }
    assert_eq!(count, 22);
    assert!(ErrorCode::ALL.iter().all(|code| code.status() >= 400));
}

fn find_dangling(value: &Value, document: &Value, dangling: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::String(reference)) = fields.get("$ref")
                && document
                    .pointer(reference.trim_start_matches('#'))
                    .is_none()
            {
                dangling.push(reference.clone());
            }
            fields
                .values()
                .for_each(|value| find_dangling(value, document, dangling));
        }
        Value::Array(items) => items
            .iter()
            .for_each(|value| find_dangling(value, document, dangling)),
        _ => {}
    }
}
