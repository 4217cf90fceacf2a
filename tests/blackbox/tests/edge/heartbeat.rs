//! Half-open connections: a client is gone when it stops sending pings.

use std::time::Duration;

use colloquy_blackbox::{Close, Group, Received, Server, Socket};
use serde_json::json;

use crate::{FAULTS, without_restarts};

const PING: &str = r#"{"type":"ping"}"#;

/// The `heartbeat_s` of `hello`.
const HEARTBEAT: Duration = Duration::from_secs(25);

/// Heartbeats until the Room checks: when its alarm announces that a token expires, here after
/// 150 seconds.
const HEARTBEATS: usize = 5;

#[tokio::test]
async fn client_without_pings_is_closed_and_others_stay_connected() {
    let _no_restarts = without_restarts().await;
    let server = Server::faulty()
        .await
        .expect("a server with short-lived tokens");
    let no_faults = FAULTS.lock().await;
    let group = Group::new(&server, 3).await;
    let mut silent = group.members[0].socket(group.id).v2().open().await;
    let mut alive = group.members[1].socket(group.id).v2().open().await;
    // A v1 client that never sent a ping is not checked.
    let mut old = group.members[2].socket(group.id).open().await;
    silent.send_text(PING).await;
    assert_eq!(silent.next().await, json!({"type": "pong"}));
    drop(no_faults);
    let close = ping_until_closed(&mut alive, &mut silent).await;
    assert_eq!(close.code, 4002, "{close:?}");
    let _no_faults = FAULTS.lock().await;
    group.members[1].send_retrying(group.id, "still here").await;
    alive.find("the message", colloquy_blackbox::is_event).await;
    old.expect_events(1).await;
}

async fn ping_until_closed(alive: &mut Socket, silent: &mut Socket) -> Close {
    for _ in 0..HEARTBEATS {
        alive.send_text(PING).await;
        alive.find("a pong", |frame| frame["type"] == "pong").await;
        match silent.receive(HEARTBEAT).await {
            Received::Closed(close) => return close,
            Received::TimedOut => {}
            Received::Frame(frame) => panic!("expected no frame: {frame}"),
        }
    }
    panic!("the silent socket was never closed");
}
