//! This crate's client against the proxy.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use colloquy_redis_http::{Client, ClientError, Command, CommandError, Reply};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};

use crate::support::{Proxy, Redis, TOKEN, free_port};

const TIMEOUT: Duration = Duration::from_secs(5);

fn text(text: &str) -> Reply {
    Reply::Text(text.to_owned())
}

#[tokio::test]
async fn pipeline_returns_outcomes_in_order() {
    let redis = Redis::start();
    let proxy = Proxy::start(&redis);
    let client = Client::new(&proxy.url, TOKEN, TIMEOUT).expect("a client");
    let value = "naïve \u{0} \"quoted\" 日本 👩‍👩‍👧";
    let outcomes = client
        .pipeline(&[
            Command::new("SET").arg("k").arg(value),
            Command::new("GET").arg("k"),
            Command::new("ZADD")
                .arg("z")
                .int(7)
                .arg("m")
                .args(["8", "n"]),
            Command::from(["ZRANGE", "z", "0", "-1", "WITHSCORES"]),
            Command::from(["LPUSH", "k", "x"]),
            Command::from(["GET", "none"]),
        ])
        .await
        .expect("a response");
    let wrong = "WRONGTYPE Operation against a key holding the wrong kind of value";
    assert_eq!(
        outcomes,
        [
            Ok(text("OK")),
            Ok(text(value)),
            Ok(Reply::Integer(2)),
            Ok(Reply::Array(vec![
                text("m"),
                text("7"),
                text("n"),
                text("8")
            ])),
            Err(CommandError::new(wrong)),
            Ok(Reply::Nil),
        ]
    );
}

#[tokio::test]
async fn no_commands_need_no_server() {
    let client = Client::new(&format!("http://127.0.0.1:{}", free_port()), TOKEN, TIMEOUT);
    assert_eq!(
        client
            .expect("a client")
            .pipeline(&[])
            .await
            .expect("nothing"),
        []
    );
}

#[tokio::test]
async fn concurrent_calls_all_succeed() {
    let redis = Redis::start();
    let proxy = Proxy::start(&redis);
    let client = Client::new(&proxy.url, TOKEN, TIMEOUT).expect("a client");
    let calls: Vec<_> = (0..200)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.pipeline(&[Command::from(["INCR", "n"])]).await })
        })
        .collect();
    for call in calls {
        call.await.expect("no panic").expect("a response");
    }
    let outcomes = client
        .pipeline(&[Command::from(["GET", "n"])])
        .await
        .expect("a response");
    assert_eq!(outcomes, [Ok(text("200"))]);
}

#[tokio::test]
async fn sequential_calls_share_a_connection() {
    let redis = Redis::start();
    let proxy = Proxy::start(&redis);
    let (url, accepted) = counting_relay(&proxy.url).await;
    let client = Client::new(&url, TOKEN, TIMEOUT).expect("a client");
    for _ in 0..10 {
        client
            .clone()
            .pipeline(&[Command::new("PING")])
            .await
            .expect("a response");
    }
    assert_eq!(accepted.load(Ordering::Relaxed), 1);
}

/// Relays bytes to the server at `url` and counts accepted connections.
async fn counting_relay(url: &str) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let own = format!("http://{}", listener.local_addr().expect("an address"));
    let target = url.strip_prefix("http://").expect("an address").to_owned();
    let accepted = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&accepted);
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::Relaxed);
            let mut far = TcpStream::connect(&target).await.expect("the proxy");
            tokio::spawn(async move { copy_bidirectional(&mut near, &mut far).await });
        }
    });
    (own, accepted)
}

#[tokio::test]
async fn wrong_token_is_reported_without_its_value() {
    let redis = Redis::start();
    let proxy = Proxy::start(&redis);
    let client = Client::new(&proxy.url, "another-secret", TIMEOUT).expect("a client");
    let error = client
        .pipeline(&[Command::new("PING")])
        .await
        .expect_err("rejected");
    assert!(matches!(error, ClientError::Unauthorized), "{error:?}");
    assert!(!format!("{client:?} {error:?} {error}").contains("secret"));
}

#[tokio::test]
async fn missing_server_is_unreachable() {
    let url = format!("http://127.0.0.1:{}/some-path", free_port());
    let client = Client::new(&url, TOKEN, TIMEOUT).expect("a client");
    let error = client
        .pipeline(&[Command::new("PING")])
        .await
        .expect_err("no server");
    assert!(matches!(error, ClientError::Unreachable(_)), "{error:?}");
    assert!(!format!("{error:?}").contains("some-path"), "{error:?}");
}

#[tokio::test]
async fn unresponsive_server_times_out() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", silent.local_addr().expect("an address"));
    let client = Client::new(&url, TOKEN, Duration::from_millis(200)).expect("a client");
    let error = client
        .pipeline(&[Command::new("PING")])
        .await
        .expect_err("a timeout");
    assert!(matches!(error, ClientError::Timeout), "{error:?}");
}

#[tokio::test]
async fn wrong_path_is_reported_as_rejected() {
    let redis = Redis::start();
    let proxy = Proxy::start(&redis);
    let client =
        Client::new(&format!("{}/elsewhere", proxy.url), TOKEN, TIMEOUT).expect("a client");
    let error = client
        .pipeline(&[Command::new("PING")])
        .await
        .expect_err("not found");
    let ClientError::Rejected { status: 404, text } = error else {
        panic!("{error:?}")
    };
    assert!(text.starts_with("ERR not found"), "{text}");
}
