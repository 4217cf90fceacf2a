//! Redis becomes unavailable and recovers: responses stay prompt, and only Redis needs a restart.

use std::time::{Duration, Instant};

use colloquy_redis_http::{Client, ClientError, Command};
use serde_json::json;

use crate::support::{Proxy, Redis, TOKEN, answer, free_port};

/// The proxy's timeout for Redis is two seconds; more than three counts as a hang.
const PROMPT: Duration = Duration::from_secs(3);

async fn unavailable(proxy: &Proxy, text: &str) {
    for (path, body) in [
        ("/", r#"["PING"]"#),
        ("/pipeline", r#"[["PING"]]"#),
        ("/multi-exec", r#"[["PING"]]"#),
    ] {
        let started = Instant::now();
        let (status, body) = proxy.call(path, body).await;
        assert_eq!(status, 503, "{path}");
        assert!(
            body["error"].as_str().expect("text").starts_with(text),
            "{path}: {body}"
        );
        assert!(
            started.elapsed() < PROMPT,
            "{path} took {:?}",
            started.elapsed()
        );
    }
    assert_eq!(answer(proxy.get("/health")).await.0, 503);
}

#[tokio::test]
async fn killed_redis_is_reported_promptly_and_recovers() {
    let mut redis = Redis::start();
    let proxy = Proxy::start(&redis);
    assert_eq!(proxy.call("/", r#"["SET","k","v"]"#).await.0, 200);
    for _ in 0..3 {
        redis.kill();
        unavailable(&proxy, "ERR redis is not reachable").await;
        redis.restart();
        assert_eq!(
            proxy.call("/", r#"["GET","k"]"#).await,
            (200, json!({"result": null}))
        );
        assert_eq!(answer(proxy.get("/health")).await.0, 200);
    }
    let log = proxy.log();
    assert_eq!(log.matches("WARN").count(), 3, "one line per outage: {log}");
}

#[tokio::test]
async fn restart_between_requests_fails_no_request() {
    let mut redis = Redis::start();
    let proxy = Proxy::start(&redis);
    for _ in 0..5 {
        assert_eq!(proxy.call("/", r#"["PING"]"#).await.0, 200);
        redis.restart();
    }
    assert_eq!(proxy.call("/", r#"["PING"]"#).await.0, 200);
}

#[tokio::test]
async fn redis_killed_under_load_leaves_no_request_hanging() {
    let mut redis = Redis::start();
    let proxy = Proxy::start(&redis);
    let call = || {
        tokio::spawn(answer(
            proxy.post("/pipeline", r#"[["INCR","n"],["INCR","n"]]"#),
        ))
    };
    let mut calls: Vec<_> = (0..200).map(|_| call()).collect();
    tokio::time::sleep(Duration::from_millis(20)).await;
    redis.kill();
    calls.extend((0..50).map(|_| call()));
    for call in calls {
        let (status, body) = tokio::time::timeout(2 * PROMPT, call)
            .await
            .expect("no hang")
            .expect("no panic");
        assert!(status == 200 || status == 503, "{status} {body}");
    }
    redis.restart();
    let (status, body) = proxy.call("/pipeline", r#"[["GET","n"]]"#).await;
    assert_eq!((status, body), (200, json!([{"result": null}])));
}

#[tokio::test]
async fn hanging_redis_times_out_and_recovers() {
    let redis = Redis::start();
    let proxy = Proxy::start(&redis);
    assert_eq!(proxy.call("/", r#"["PING"]"#).await.0, 200);
    redis.signal("STOP");
    let (started, (status, body)) = (Instant::now(), proxy.call("/", r#"["INCR","n"]"#).await);
    assert_eq!(status, 503, "{body}");
    assert!(started.elapsed() < PROMPT);
    unavailable(&proxy, "ERR redis").await;
    redis.signal("CONT");
    assert_eq!(proxy.call("/", r#"["PING"]"#).await.0, 200);
}

#[tokio::test]
async fn proxy_starts_before_its_redis() {
    let proxy = Proxy::over(&format!("redis://127.0.0.1:{}", free_port()));
    unavailable(&proxy, "ERR redis is not reachable").await;
}

#[tokio::test]
async fn client_reports_an_outage_as_rejected_with_503() {
    let mut redis = Redis::start();
    let proxy = Proxy::start(&redis);
    let client = Client::new(&proxy.url, TOKEN, PROMPT).expect("a client");
    redis.kill();
    let error = client
        .pipeline(&[Command::new("PING")])
        .await
        .expect_err("unavailable");
    assert!(
        matches!(error, ClientError::Rejected { status: 503, .. }),
        "{error:?}"
    );
    redis.restart();
    client
        .pipeline(&[Command::new("PING")])
        .await
        .expect("recovered");
}

#[tokio::test]
async fn errors_of_redis_are_passed_on_in_its_own_words() {
    let redis = Redis::start();
    let proxy = Proxy::start(&redis);
    let (status, body) = proxy.call("/", r#"["CONFIG-is-no-command"]"#).await;
    assert_eq!(status, 400, "{body}");
    assert!(
        body["error"].as_str().unwrap().contains("unknown command"),
        "{body}"
    );
    redis.require_password("right");
    // The open connection stays logged in; a new one without the password is not.
    let without = Proxy::over(&redis.url());
    let (status, body) = without.call("/", r#"["GET","k"]"#).await;
    assert_eq!(status, 400, "{body}");
    assert!(
        body["error"].as_str().unwrap().starts_with("NOAUTH "),
        "{body}"
    );
    let (status, body) = answer(without.get("/health")).await;
    assert_eq!(status, 503);
    assert!(
        body["error"].as_str().unwrap().starts_with("NOAUTH "),
        "{body}"
    );
    for (login, text) in [
        (":wrong@", "ERR redis rejected the login: WRONGPASS "),
        ("unknown:right@", "ERR redis rejected the login: WRONGPASS "),
    ] {
        let url = redis.url().replace("://", &format!("://{login}"));
        let proxy = Proxy::over(&url);
        unavailable(&proxy, text).await;
        assert!(proxy.log().contains("WRONGPASS"), "{}", proxy.log());
        assert!(!proxy.log().contains("wrong@"), "{}", proxy.log());
    }
    let select = redis.url().replace("://", "://:right@") + "/99";
    unavailable(&Proxy::over(&select), "ERR redis rejected the login: ERR ").await;
    let right = redis.url().replace("://", "://:right@") + "/3";
    let proxy = Proxy::over(&right);
    assert_eq!(proxy.call("/", r#"["SET","k","v"]"#).await.0, 200);
    assert_eq!(answer(proxy.get("/health")).await.0, 200);
}
