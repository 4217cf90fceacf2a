//! Which web pages and which names of the server are let in, as the host's settings say.

use colloquy_blackbox::{Account, Api, Control, Server, report_skipped, send_raw};
use reqwest::Method;

/// A page nobody has received of.
const FOREIGN_ORIGIN: &str = "https://outsider.example";

/// An origin the server under test allows.
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
async fn a_page_that_is_allowed_may_read_the_answers() {
    let Some(origin) = allowed_origin().await else {
        report_skipped(
            "CORS for an allowed origin",
            "the host sets no CORS_ALLOWED_ORIGINS",
        );
        return;
    };
    let api = Api::anonymous(&Server::under_test());
    let answer = preflight(&api, &origin).send().await;
    assert!((200..300).contains(&answer.status), "{answer}");
    assert_eq!(
        answer.header("access-control-allow-origin"),
        Some(origin.as_str())
    );
    let allowed = |name: &str| answer.header(name).unwrap_or_default().to_lowercase();
    assert!(
        allowed("access-control-allow-methods").contains("post"),
        "{:?}",
        answer.headers
    );
    for name in ["authorization", "content-type", "idempotency-key"] {
        let names = allowed("access-control-allow-headers");
        assert!(names.contains(name) || names == "*", "{names}");
    }
    // Refusals too: a page that cannot read them cannot act on them.
    for path in ["/health/live/", "/api/users/profile/", "/nothing/"] {
        let request = api.request(Method::GET, path).header("origin", &origin);
        let answer = request.send().await;
        let given = answer.header("access-control-allow-origin");
        assert_eq!(given, Some(origin.as_str()), "{answer}");
    }
}

#[tokio::test]
async fn a_page_that_is_not_allowed_may_not() {
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
        let answer = preflight(&account.api, origin).send().await;
        assert_eq!(
            answer.header("access-control-allow-origin"),
            None,
            "{answer}"
        );
        let request = account.api.request(Method::GET, "/api/users/profile/");
        let answer = request.header("origin", origin).send().await;
        assert_eq!(
            answer.header("access-control-allow-origin"),
            None,
            "{answer}"
        );
    }
}

fn get(host: &str) -> String {
    format!("GET /api/users/profile/ HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")
}

#[tokio::test]
async fn a_host_that_is_not_the_servers_is_refused() {
    let setting = Control::from_env().setting("ALLOWED_HOSTS").await;
    if setting.is_none_or(|hosts| hosts.contains('*')) {
        report_skipped(
            "requests for another host",
            "the host sets no ALLOWED_HOSTS",
        );
        return;
    }
    let left_out = "what is answered for a host that is no name";
    let reads_http = Control::with_capability("http", left_out).await.is_some();
    let server = Server::under_test();
    for host in [
        "outsider.example",
        "127.0.0.1.outsider.example",
        "",
        "a b",
        "localhost@outsider.example",
    ] {
        let Some(answer) = send_raw(&server, get(host).as_bytes()).await else {
            continue;
        };
        if !reads_http && !answer.has_request_id() {
            assert_ne!(answer.status, 200, "{host}: {answer:?}");
            continue;
        }
        assert_eq!(answer.status, 400, "{host}: {answer:?}");
        // An answer of the server itself says so; what is no name at all may not get that far.
        if host.ends_with(".example") && !host.contains('@') {
            assert!(
                answer.body.contains("\"invalid_host\""),
                "{host}: {answer:?}"
            );
        }
    }
    // Those who ask for its health ask by address.
    for path in ["/health/", "/health/live/", "/health/ready/"] {
        let request = get("outsider.example").replace("/api/users/profile/", path);
        let answer = send_raw(&server, request.as_bytes())
            .await
            .expect("an answer");
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
    }
    let own = send_raw(&server, get(server.authority()).as_bytes()).await;
    assert_eq!(own.expect("an answer").status, 401);
}

#[tokio::test]
async fn every_host_of_the_settings_is_answered() {
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
            let answer = send_raw(&server, get(&host).as_bytes())
                .await
                .expect("an answer");
            assert_eq!(answer.status, 401, "{host}: {answer:?}");
        }
    }
}
