//! A client that stops reading: the server closes its socket, no other client waits for it, and it
//! loses nothing.

use colloquy_blackbox::{
    Account, Control, Group, Received, Server, Socket, StoredMessage, TIMEOUT, report_skipped,
    unique,
};
use serde_json::json;

/// 19 MB of text: more than the buffers between two processes hold.
const MESSAGES: usize = 1_200;

/// Four bytes per character: 16 kB per message, so that four fit into a frame.
const TEXT: &str = "🐌";
const CHARACTERS: usize = 3_950;
const MESSAGES_PER_FRAME: usize = 4;

/// Sends everything, frame by frame. Returns the last `seq`.
async fn send_all(sender: &Account, id: u64) -> u64 {
    let text = TEXT.repeat(CHARACTERS);
    let mut socket = sender.socket(id).v2().open().await;
    let mut last = 0;
    for _ in 0..MESSAGES / MESSAGES_PER_FRAME {
        let keys: Vec<String> = (0..MESSAGES_PER_FRAME).map(|_| unique("m")).collect();
        let commands: Vec<_> = keys
            .iter()
            .map(|key| json!({"type": "send", "client_message_id": key, "message": text}))
            .collect();
        socket.send(&json!(commands)).await;
        for key in &keys {
            last = socket.expect_ack(key).await["seq"].as_u64().expect("a seq");
        }
        // The socket has checked these frames.
        while let Received::Frame(_) = socket.receive(std::time::Duration::ZERO).await {}
    }
    last
}

/// How many messages the fast reader receives between two pings. A host that cannot see what a client
/// has read limits what it sends without a sign of life.
const MESSAGES_PER_PING: usize = 200;

/// Reads everything that a server buffered, or the close of a socket that gave no sign of life.
async fn read_late(socket: &mut Socket, last: u64) {
    while socket.position() < last {
        match socket.receive(TIMEOUT).await {
            Received::Frame(_) => {}
            Received::Closed(close) if close.code == 4001 => return,
            other => panic!("at {} of {last}: {other:?}", socket.position()),
        }
    }
}

/// Reads until the server closes the socket. Returns the position and the close code.
async fn read_until_closed(socket: &mut Socket) -> (u64, u16) {
    loop {
        match socket.receive(TIMEOUT).await {
            Received::Frame(_) => {}
            Received::Closed(close) => return (socket.position(), close.code),
            Received::TimedOut => panic!("neither closed nor served at {}", socket.position()),
        }
    }
}

#[tokio::test]
async fn slow_reader_is_closed_and_loses_nothing() {
    let Some(server) = Server::unthrottled().await else {
        report_skipped(
            "a reader too slow for its conversation",
            "the host offers no unthrottled server",
        );
        return;
    };
    let group = Group::new(&server, 3).await;
    let (sender, fast, slow) = (&group.members[0], &group.members[1], &group.members[2]);
    let mut fast_socket = fast.socket(group.id).v2().open().await;
    let mut slow_socket = slow
        .socket(group.id)
        .v2()
        .receive_buffer(4_096)
        .open()
        .await;
    let reading = async {
        for message in 1..=MESSAGES {
            fast_socket.expect_events(1).await;
            if message.is_multiple_of(MESSAGES_PER_PING) {
                fast_socket.send_text(r#"{"type":"ping"}"#).await;
            }
        }
        fast_socket.position()
    };
    // The sender is acknowledged and the fast reader receives everything while the slow one does not
    // read.
    let (last, received) = tokio::join!(send_all(sender, group.id), reading);
    assert_eq!((last, received), (MESSAGES as u64, MESSAGES as u64));
    if Control::with_capability("slow-reader-close", "the close of a slow reader")
        .await
        .is_none()
    {
        return read_late(&mut slow_socket, last).await;
    }
    let (reached, code) = read_until_closed(&mut slow_socket).await;
    assert!(
        reached < last,
        "the server buffered everything for a client that does not read"
    );
    // 1006 where the close frame does not get through the full buffers.
    assert!(matches!(code, 4001 | 1006), "{code}");
    recover(&group, slow, reached, last).await;
}

/// Reconnects and gets what it missed, by resume or from the history.
async fn recover(group: &Group, slow: &Account, reached: u64, last: u64) {
    let mut socket = slow.socket(group.id).v2().open().await;
    let epoch = socket.epoch();
    socket.resume(reached, &epoch).await;
    let response = socket.expect_resumed().await;
    if last - reached > 300 {
        assert_eq!(
            (&response["type"], &response["reason"]),
            (&json!("reset"), &json!("too_old"))
        );
    } else {
        assert_eq!(
            (&response["type"], &response["to"]),
            (&json!("sync"), &json!(last))
        );
    }
    let page = slow
        .history_page(group.id, &format!("?after={reached}&limit=100"))
        .await;
    let next = StoredMessage::all_from_rest(page["messages"].as_array().expect("messages"));
    assert_eq!(next[0].number, reached + 1);
    assert_eq!(next[0].text, TEXT.repeat(CHARACTERS));
}
