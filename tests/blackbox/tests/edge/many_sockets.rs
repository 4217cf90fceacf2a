//! A Room of a thousand sockets, active and restored.

use colloquy_blackbox::{Group, Socket};
use futures_util::future::join_all;
use futures_util::stream::{StreamExt as _, iter};

use crate::server_and_log;
use crate::server_log::{ATTEMPTS, ServerLog};

/// The most sockets of one user in a conversation, and enough users.
const SOCKETS_PER_USER: usize = 20;
const USERS: usize = 50;

/// Handshakes in flight at once.
const CONCURRENT_HANDSHAKES: usize = 50;

async fn expect_on_all(sockets: &mut [Socket], text: &str) {
    let receiving = sockets.iter_mut().map(async |socket| {
        socket.expect_message(text).await;
    });
    join_all(receiving).await;
}

#[tokio::test]
async fn thousand_sockets_receive_messages_before_and_after_hibernation() {
    let (_no_restarts, server, log) = server_and_log().await;
    let group = Group::new(&server, USERS).await;
    let opening = (0..USERS * SOCKETS_PER_USER).map(async |turn| {
        let member = &group.members[turn % USERS];
        member.socket(group.id).v2().open().await
    });
    let mut sockets: Vec<Socket> = iter(opening)
        .buffer_unordered(CONCURRENT_HANDSHAKES)
        .collect()
        .await;
    group.members[0].send_retrying(group.id, "all here").await;
    expect_on_all(&mut sockets, "all here").await;
    for turn in 1..=ATTEMPTS {
        let (before, _) = log.restores(group.id).await;
        ServerLog::wait_until_idle().await;
        let text = format!("good morning {turn}");
        group.members[turn].send_retrying(group.id, &text).await;
        expect_on_all(&mut sockets, &text).await;
        let (after, connections) = log.restores(group.id).await;
        if after > before {
            assert_eq!((after - before, connections), (1, 1_000));
            return;
        }
    }
    panic!("the Room never hibernated");
}
