//! Redis goes away and comes back: answers stay prompt, and nothing needs a restart but Redis.

use std::time::{Duration, Instant};

use colloquy_redis_http::{Client, ClientError, Command};
use serde_json::json;

use crate::support::{Proxy, Redis, TOKEN, answer, free_port};

/// The proxy gives Redis two seconds; more than three is a hang.
const PROMPT: Duration = Duration::from_secs(3);

async fn unavailable(proxy: &Proxy, text: &str) {
    for (path, body) in [
        ("/", r#"["PING"]"#),
        ("/pipeline", r#"[["PING"]]"#),
        ("/multi-exec", r#"[["PING"]]"#),
    ] {
        let begun = Instant::now();
        let (status, body) = proxy.call(path, body).await;
        assert_eq!(status, 503, "{path}");
        assert!(
            body["error"].as_str().expect("text").starts_with(text),
            "{path}: {body}"
        );
        assert!(
            begun.elapsed() < PROMPT,
            "{path} took {:?}",
            begun.elapsed()
        );
    }
    assert_eq!(answer(proxy.get("/health")).await.0, 503);
}

#[tokio::test]
async fn a_killed_redis_is_told_promptly_and_found_again() {
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
    assert_eq!(log.matches("WARN").count(), 3, "one line an outage: {log}");
}

#[tokio::test]
async fn a_restart_between_two_requests_costs_none_of_them() {
    let mut redis = Redis::start();
    let proxy = Proxy::start(&redis);
    for _ in 0..5 {
        assert_eq!(proxy.call("/", r#"["PING"]"#).await.0, 200);
        redis.restart();
    }
    assert_eq!(proxy.call("/", r#"["PING"]"#).await.0, 200);
}

#[tokio::test]
async fn a_redis_killed_under_load_leaves_no_request_hanging() {
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
async fn a_redis_that_hangs_is_told_in_time_and_found_again() {
    let redis = Redis::start();
    let proxy = Proxy::start(&redis);
    assert_eq!(proxy.call("/", r#"["PING"]"#).await.0, 200);
    redis.signal("STOP");
    let (begun, (status, body)) = (Instant::now(), proxy.call("/", r#"["INCR","n"]"#).await);
    assert_eq!(status, 503, "{body}");
    assert!(begun.elapsed() < PROMPT);
    unavailable(&proxy, "ERR redis").await;
    redis.signal("CONT");
    assert_eq!(proxy.call("/", r#"["PING"]"#).await.0, 200);
}

#[tokio::test]
async fn the_front_may_start_before_its_redis() {
    let proxy = Proxy::over(&format!("redis://127.0.0.1:{}", free_port()));
    unavailable(&proxy, "ERR redis is not reachable").await;
}

#[tokio::test]
async fn our_client_sees_an_outage_as_a_refusal_with_503() {
    let mut redis = Redis::start();
    let proxy = Proxy::start(&redis);
    let client = Client::new(&proxy.url, TOKEN, PROMPT).expect("a client");
    redis.kill();
    let error = client
        .pipeline(&[Command::new("PING")])
        .await
        .expect_err("away");
    assert!(
        matches!(error, ClientError::Refused { status: 503, .. }),
        "{error:?}"
    );
    redis.restart();
    client
        .pipeline(&[Command::new("PING")])
        .await
        .expect("back");
}
