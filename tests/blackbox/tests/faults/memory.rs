//! Clients that ask and never read: what the server holds for each of them is bounded, and other clients
//! are served.

use colloquy_blackbox::{Account, Control, Group, Server, Socket, report_skipped, unique};
use futures_util::future::join_all;

use crate::exclusive;

/// The name of the server without a throttle.
const SERVICE: &str = "unthrottled";

/// A resume of everything is five megabytes.
const MESSAGES: usize = 300;

/// The sockets of one user in a conversation, and how many users have as many.
const SOCKETS_PER_USER: usize = 20;
const READERS: usize = 3;

/// What the server may need for all of these sockets. Whole resumes would take 300 MB, the pongs of one
/// second more.
const MAX_GROWTH: u64 = 40_000_000;

/// A socket whose client reads nothing, so that a few kilobytes fill the buffers between the processes.
async fn deaf_socket(account: &Account, id: u64) -> Socket {
    let opening = account.socket(id).v2().receive_buffer(4_096);
    opening.open().await
}

/// Asks for all events, and pings as often as the server permits.
async fn ask_for_everything(socket: &mut Socket) {
    let epoch = socket.epoch();
    socket.resume(0, &epoch).await;
    for _ in 0..400 {
        socket.send_text(r#"{"type":"ping"}"#).await;
    }
}

#[tokio::test]
async fn sockets_that_never_read_leave_memory_bounded() {
    let what = "the memory of sockets that never read";
    let Some(control) = Control::with_capability("slow-reader-close", what).await else {
        return;
    };
    let _exclusive = exclusive(&control).await;
    let Some(server) = Server::unthrottled().await else {
        return report_skipped(what, "the host offers no unthrottled server");
    };
    let group = Group::new(&server, READERS + 2).await;
    let text = "\u{1f418}".repeat(4_000);
    group.send_many_with(MESSAGES, |_| text.clone()).await;
    let (readers, honest) = group.members.split_at(READERS);
    let mut listener = honest[0].socket(group.id).v2().open().await;
    let mut sender = honest[1].socket(group.id).v2().open().await;
    let before = control.memory(SERVICE).await;
    let opening = readers.iter().flat_map(|reader| {
        let sockets = 0..SOCKETS_PER_USER;
        sockets.map(|_| deaf_socket(reader, group.id))
    });
    let mut deaf = join_all(opening).await;
    join_all(deaf.iter_mut().map(ask_for_everything)).await;
    // Honest members of the same Room are served at the same time. Their messages are handled after the
    // resumes.
    for turn in 0..20 {
        let text = unique(&format!("message {turn}"));
        let key = sender.send_message(&text).await;
        sender.expect_ack(&key).await;
        listener.expect_message(&text).await;
        let growth = control.memory(SERVICE).await.saturating_sub(before);
        assert!(growth < MAX_GROWTH, "{growth} bytes more in turn {turn}");
    }
    drop(deaf);
}
