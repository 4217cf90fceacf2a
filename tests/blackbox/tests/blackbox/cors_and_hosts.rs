//! `CORS_ALLOWED_ORIGINS` and `ALLOWED_HOSTS`, as the host sets them.

use colloquy_blackbox::{Account, Api, Control, Server, report_skipped, send_raw};
use reqwest::Method;

/// An origin that no host allows.
const FOREIGN_ORIGIN: &str = "https://outsider.example";

/// An origin that the server under test allows.
async fn allowed_origin() -> Option<String> {
    let origins = Control::from_env().setting("CORS_ALLOWED_ORIGINS").await?;
    let first = origins.split(',').next()?.trim().to_owned();
    (!first.is_empty() && first != "*").then_some(first)
}

fn preflight(api: &Api, origin: &str) -> colloquy_blackbox::Request {
    api.request(Method::OPTIONS, "/api/users/login/")
        .header("origin", origin)
        .header("access-control-request-method", "POST")
        .header(
            "access-control-request-headers",
            "authorization,content-type,idempotency-key",
        )
}

#[tokio::test]
async fn allowed_origin_may_read_responses() {
    let Some(origin) = allowed_origin().await else {
        report_skipped(
            "CORS for an allowed origin",
            "the host sets no CORS_ALLOWED_ORIGINS",
        );
        return;
    };
    let api = Api::anonymous(&Server::under_test());
    let response = preflight(&api, &origin).send().await;
    assert!((200..300).contains(&response.status), "{response}");
    assert_eq!(
        response.header("access-control-allow-origin"),
        Some(origin.as_str())
    );
    let allowed = |name: &str| response.header(name).unwrap_or_default().to_lowercase();
    assert!(
        allowed("access-control-allow-methods").contains("post"),
        "{:?}",
        response.headers
    );
    for name in ["authorization", "content-type", "idempotency-key"] {
        let names = allowed("access-control-allow-headers");
        assert!(names.contains(name) || names == "*", "{names}");
    }
    // Errors too: a page must be able to read them.
    for path in ["/health/live/", "/api/users/profile/", "/nothing/"] {
        let request = api.request(Method::GET, path).header("origin", &origin);
        let response = request.send().await;
        let given = response.header("access-control-allow-origin");
        assert_eq!(given, Some(origin.as_str()), "{response}");
    }
}

#[tokio::test]
async fn other_origins_may_not_read_responses() {
    let setting = Control::from_env().setting("CORS_ALLOWED_ORIGINS").await;
    if setting.as_deref() == Some("*") {
        report_skipped("CORS for a foreign origin", "the host allows every origin");
        return;
    }
    let account = Account::new(&Server::under_test()).await;
    for origin in [
        FOREIGN_ORIGIN,
        "null",
        "https://outsider.example.evil.example",
    ] {
        let response = preflight(&account.api, origin).send().await;
        assert_eq!(
            response.header("access-control-allow-origin"),
            None,
            "{response}"
        );
        let request = account.api.request(Method::GET, "/api/users/profile/");
        let response = request.header("origin", origin).send().await;
        assert_eq!(
            response.header("access-control-allow-origin"),
            None,
            "{response}"
        );
    }
}

fn get(host: &str) -> String {
    format!("GET /api/users/profile/ HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")
}

#[tokio::test]
async fn unknown_hosts_are_rejected_except_for_health_checks() {
    let setting = Control::from_env().setting("ALLOWED_HOSTS").await;
    if setting.is_none_or(|hosts| hosts.contains('*')) {
        report_skipped(
            "requests for another host",
            "the host sets no ALLOWED_HOSTS",
        );
        return;
    }
    let skipped = "the response to an invalid host name";
    let reads_http = Control::with_capability("raw-http", skipped)
        .await
        .is_some();
    let server = Server::under_test();
    for host in [
        "outsider.example",
        "127.0.0.1.outsider.example",
        "",
        "a b",
        "localhost@outsider.example",
    ] {
        let Some(response) = send_raw(&server, get(host).as_bytes()).await else {
            continue;
        };
        if !reads_http && !response.has_request_id() {
            assert_ne!(response.status, 200, "{host}: {response:?}");
            continue;
        }
        assert_eq!(response.status, 400, "{host}: {response:?}");
        // An invalid name may be rejected earlier, without the error code.
        if host.ends_with(".example") && !host.contains('@') {
            assert!(
                response.body.contains("\"invalid_host\""),
                "{host}: {response:?}"
            );
        }
    }
    // The host of an absolute target replaces the header (RFC 9112 §3.2.2).
    if reads_http {
        let own = server.authority();
        let request = get(own).replace(" /api", " http://outsider.example/api");
        let response = send_raw(&server, request.as_bytes()).await;
        assert_eq!(response.expect("a response").status, 400);
        let request = get("outsider.example").replace(" /api", &format!(" http://{own}/api"));
        let response = send_raw(&server, request.as_bytes()).await;
        assert_eq!(response.expect("a response").status, 401);
    }
    // Health checks use the address as the host.
    for path in ["/health/", "/health/live/", "/health/ready/"] {
        let request = get("outsider.example").replace("/api/users/profile/", path);
        let response = send_raw(&server, request.as_bytes())
            .await
            .expect("a response");
        assert_eq!(response.status, 200, "{path}: {response:?}");
    }
    let own = send_raw(&server, get(server.authority()).as_bytes()).await;
    assert_eq!(own.expect("a response").status, 401);
}

#[tokio::test]
async fn every_allowed_host_is_accepted() {
    let Some(setting) = Control::from_env().setting("ALLOWED_HOSTS").await else {
        report_skipped(
            "each of the allowed hosts",
            "the host sets no ALLOWED_HOSTS",
        );
        return;
    };
    let server = Server::under_test();
    for pattern in setting.split(',').map(str::trim) {
        let host = match pattern.strip_prefix('.') {
            Some(domain) => format!("any.thing.{domain}"),
            None if pattern == "*" => "outsider.example".to_owned(),
            None => pattern.to_owned(),
        };
        for host in [host.clone(), format!("{host}:8000"), host.to_uppercase()] {
            let response = send_raw(&server, get(&host).as_bytes())
                .await
                .expect("a response");
            assert_eq!(response.status, 401, "{host}: {response:?}");
        }
    }
}
