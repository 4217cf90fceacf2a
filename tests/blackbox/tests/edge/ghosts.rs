//! Sockets whose client is gone without a word: nobody but the last ping tells.

use std::time::Duration;

use colloquy_tests::{Close, Group, Heard, Server, Socket};
use serde_json::json;

use crate::{FAULTS, undisturbed};

const PING: &str = r#"{"type":"ping"}"#;

/// What `hello` asks for.
const HEARTBEAT: Duration = Duration::from_secs(25);

/// Until the Room looks: when it wakes to announce the end of a token, here of 150 seconds.
const LOOKED: usize = 5;

#[tokio::test]
async fn who_stops_pinging_is_closed_and_who_goes_on_is_not() {
    let _undisturbed = undisturbed().await;
    let server = Server::faulty().await.expect("a server of short tokens");
    let answered = FAULTS.lock().await;
    let group = Group::of(&server, 3).await;
    let mut silent = group.members[0].socket(group.id).v2().open().await;
    let mut alive = group.members[1].socket(group.id).v2().open().await;
    // A client of the first version that never pinged promised nothing.
    let mut old = group.members[2].socket(group.id).open().await;
    silent.send_text(PING).await;
    assert_eq!(silent.next().await, json!({"type": "pong"}));
    drop(answered);
    let close = pinging_until_closed(&mut alive, &mut silent).await;
    assert_eq!(close.code, 4002, "{close:?}");
    let _answered = FAULTS.lock().await;
    group.members[1].say(group.id, "still here").await;
    alive.find("the message", colloquy_tests::is_event).await;
    old.events(1).await;
}

async fn pinging_until_closed(alive: &mut Socket, silent: &mut Socket) -> Close {
    for _ in 0..LOOKED {
        alive.send_text(PING).await;
        alive
            .find("the answer", |frame| frame["type"] == "pong")
            .await;
        match silent.hear(HEARTBEAT).await {
            Heard::Closed(close) => return close,
            Heard::Nothing => {}
            Heard::Frame(frame) => panic!("it was to be told nothing more: {frame}"),
        }
    }
    panic!("the silent socket was kept");
}
