//! Settings, health check, signals and logs of the binary.

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
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    (output, stderr)
}

#[test]
fn missing_and_malformed_settings_are_named_together() {
    let (output, stderr) = run(&[], &[("PORT", "many"), ("REDIS_URL", "http://secret")]);
    assert!(!output.status.success() && output.stdout.is_empty());
    for name in ["PORT", "REDIS_HTTP_TOKEN", "REDIS_URL"] {
        assert!(stderr.contains(name), "{stderr}");
    }
    assert!(!stderr.contains("secret"), "{stderr}");
}

#[test]
fn unknown_argument_prints_the_usage() {
    let (output, stderr) = run(&["--help-me"], &[]);
    assert!(
        !output.status.success() && stderr.contains("usage"),
        "{stderr}"
    );
}

#[test]
fn health_check_distinguishes_healthy_unhealthy_and_missing() {
    let mut redis = Redis::start();
    let proxy = Proxy::start(&redis);
    let port = proxy.url.rsplit(':').next().expect("a port").to_owned();
    // As in a container that listens on every address.
    let environment = [("HOST", "0.0.0.0"), ("PORT", port.as_str())];
    let (output, stderr) = run(&["--healthcheck"], &environment);
    assert!(output.status.success(), "{stderr}");
    redis.kill();
    let (output, stderr) = run(&["--healthcheck"], &environment);
    assert!(
        !output.status.success() && stderr.contains("503"),
        "{stderr}"
    );
    drop(proxy);
    let (output, stderr) = run(&["--healthcheck"], &environment);
    assert!(
        !output.status.success() && stderr.contains("no proxy responds"),
        "{stderr}"
    );
}

#[test]
fn port_in_use_is_reported() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener
        .local_addr()
        .expect("an address")
        .port()
        .to_string();
    let (output, stderr) = run(&[], &[("PORT", &port), ("REDIS_HTTP_TOKEN", TOKEN)]);
    assert!(
        !output.status.success() && stderr.contains("cannot listen"),
        "{stderr}"
    );
}

#[tokio::test]
async fn signal_finishes_in_flight_requests() {
    for name in ["TERM", "INT"] {
        let redis = Redis::start();
        let mut proxy = Proxy::start(&redis);
        // Runs for about 400 ms; the signal arrives during that time.
        let script = "local t=redis.call('TIME') local e=t[1]*1000+t[2]/1000+400 \
             repeat t=redis.call('TIME') until t[1]*1000+t[2]/1000>e return 'done'";
        let body = serde_json::json!(["EVAL", script, 0]).to_string();
        let in_flight = tokio::spawn(answer(proxy.post("/", body)));
        tokio::time::sleep(Duration::from_millis(150)).await;
        let started = Instant::now();
        proxy.signal(name);
        let (status, body) = in_flight.await.expect("no panic");
        assert_eq!((status, &body["result"]), (200, &"done".into()), "{name}");
        let ended = tokio::task::spawn_blocking(move || proxy.process.wait()).await;
        assert!(
            ended.expect("no panic").expect("a status").success(),
            "{name}"
        );
        assert!(started.elapsed() < Duration::from_secs(3), "{name}");
    }
}

/// INVARIANT: no token, key or value reaches the log, at any level.
#[tokio::test]
async fn log_contains_neither_tokens_nor_values() {
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
