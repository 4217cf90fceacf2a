//! The binary's life: settings, the health check, signals, and what its log may say.

use std::process::{Command, Output};
use std::time::{Duration, Instant};

use crate::support::{BINARY, Proxy, Redis, TOKEN, answer};

fn run(arguments: &[&str], environment: &[(&str, &str)]) -> (Output, String) {
    let mut command = Command::new(BINARY);
    let output = command
        .args(arguments)
        .env_clear()
        .envs(environment.iter().copied())
        .output();
    let output = output.expect("the binary runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output, said)
}

#[test]
fn missing_and_malformed_settings_are_named_together() {
    let (output, said) = run(&[], &[("PORT", "many"), ("REDIS_URL", "http://secret")]);
    assert!(!output.status.success() && output.stdout.is_empty());
    for name in ["PORT", "REDIS_HTTP_TOKEN", "REDIS_URL"] {
        assert!(said.contains(name), "{said}");
    }
    assert!(!said.contains("secret"), "{said}");
}

#[test]
fn an_unknown_argument_is_answered_with_the_usage() {
    let (output, said) = run(&["--help-me"], &[]);
    assert!(!output.status.success() && said.contains("usage"), "{said}");
}

#[test]
fn the_health_check_tells_well_from_ill_from_absent() {
    let mut redis = Redis::start();
    let proxy = Proxy::start(&redis);
    let port = proxy.url.rsplit(':').next().expect("a port").to_owned();
    // As in a container that listens everywhere.
    let environment = [("HOST", "0.0.0.0"), ("PORT", port.as_str())];
    let (output, said) = run(&["--healthcheck"], &environment);
    assert!(output.status.success(), "{said}");
    redis.kill();
    let (output, said) = run(&["--healthcheck"], &environment);
    assert!(!output.status.success() && said.contains("503"), "{said}");
    drop(proxy);
    let (output, said) = run(&["--healthcheck"], &environment);
    assert!(
        !output.status.success() && said.contains("no proxy answers"),
        "{said}"
    );
}

#[test]
fn a_taken_port_is_told() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port().to_string();
    let (output, said) = run(&[], &[("PORT", &port), ("REDIS_HTTP_TOKEN", TOKEN)]);
    assert!(
        !output.status.success() && said.contains("cannot listen"),
        "{said}"
    );
}

#[tokio::test]
async fn a_signal_lets_requests_in_flight_finish() {
    for name in ["TERM", "INT"] {
        let redis = Redis::start();
        let mut proxy = Proxy::start(&redis);
        // Busy for about 400 ms, during which the signal comes.
        let script = "local t=redis.call('TIME') local e=t[1]*1000+t[2]/1000+400 \
             repeat t=redis.call('TIME') until t[1]*1000+t[2]/1000>e return 'done'";
        let body = serde_json::json!(["EVAL", script, 0]).to_string();
        let busy = tokio::spawn(answer(proxy.post("/", body)));
        tokio::time::sleep(Duration::from_millis(150)).await;
        let begun = Instant::now();
        proxy.signal(name);
        let (status, body) = busy.await.expect("no panic");
        assert_eq!((status, &body["result"]), (200, &"done".into()), "{name}");
        let ended = tokio::task::spawn_blocking(move || proxy.process.wait()).await;
        assert!(
            ended.expect("no panic").expect("a status").success(),
            "{name}"
        );
        assert!(begun.elapsed() < Duration::from_secs(3), "{name}");
    }
}

/// INVARIANT: no token, key or value reaches the log, at any level.
#[tokio::test]
async fn the_log_tells_neither_tokens_nor_values() {
    let mut redis = Redis::start();
    let proxy = Proxy::start(&redis);
    proxy
        .call("/", r#"["SET","secret-key","secret-value"]"#)
        .await;
    proxy
        .call(
            "/pipeline",
            r#"[["NOSUCH","secret-value"],["GET","secret-key"]]"#,
        )
        .await;
    proxy.call("/", r#"["SET","secret-key",null]"#).await;
    answer(proxy.get("/").bearer_auth("secret-token")).await;
    redis.kill();
    proxy.call("/", r#"["GET","secret-key"]"#).await;
    let log = proxy.log();
    assert!(log.contains("redis is not reachable"), "{log}");
    assert!(!log.contains("secret") && !log.contains(TOKEN), "{log}");
}
