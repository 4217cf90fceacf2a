//! A client that stops reading: it is let go, nobody else waits for it, and it loses nothing.

use colloquy_blackbox::{
    Account, Control, Group, Received, Server, Socket, StoredMessage, TIMEOUT, report_skipped,
    unique,
};
use serde_json::json;

/// More than the buffers between two processes hold: 19 MB of text.
const MESSAGES: usize = 1_200;

/// Four bytes a letter: 16 kB a message, so that four fit a frame.
const TEXT: &str = "🐌";
const LETTERS: usize = 3_950;
const FRAME: usize = 4;

/// Sends everything, a few frames ahead of the acknowledgements.
async fn pour(sender: &Account, id: u64) -> u64 {
    let text = TEXT.repeat(LETTERS);
    let mut socket = sender.socket(id).v2().open().await;
    let mut last = 0;
    for _ in 0..MESSAGES / FRAME {
        let keys: Vec<String> = (0..FRAME).map(|_| unique("m")).collect();
        let commands: Vec<_> = keys
            .iter()
            .map(|key| json!({"type": "send", "client_message_id": key, "message": text}))
            .collect();
        socket.send(&json!(commands)).await;
        for key in &keys {
            last = socket.expect_ack(key).await["seq"].as_u64().expect("a seq");
        }
        // Received, checked and of no further interest here.
        while let Received::Frame(_) = socket.receive(std::time::Duration::ZERO).await {}
    }
    last
}

/// Reads everything there is, from a server that keeps all of it.
async fn read_everything(socket: &mut Socket, last: u64) {
    while socket.position() < last {
        match socket.receive(TIMEOUT).await {
            Received::Frame(_) => {}
            other => panic!("at {} of {last}: {other:?}", socket.position()),
        }
    }
}

/// Reads until the server lets go; how far it came.
async fn read_to_the_end(socket: &mut Socket) -> (u64, u16) {
    loop {
        match socket.receive(TIMEOUT).await {
            Received::Frame(_) => {}
            Received::Closed(close) => return (socket.position(), close.code),
            Received::TimedOut => panic!("neither let go nor served: at {}", socket.position()),
        }
    }
}

#[tokio::test]
async fn a_slow_reader_is_let_go_and_loses_nothing() {
    let Some(server) = Server::unthrottled().await else {
        report_skipped(
            "a reader too slow for its conversation",
            "the host offers no server without a throttle, and a throttled one is never that fast",
        );
        return;
    };
    let group = Group::new(&server, 3).await;
    let (sender, quick, slow) = (&group.members[0], &group.members[1], &group.members[2]);
    let mut quick_socket = quick.socket(group.id).v2().open().await;
    let mut slow_socket = slow
        .socket(group.id)
        .v2()
        .receive_buffer(4_096)
        .open()
        .await;
    let reading = async {
        for _ in 0..MESSAGES {
            quick_socket.expect_events(1).await;
        }
        quick_socket.position()
    };
    // The sender is acknowledged and the quick one hears everything while the slow one sleeps.
    let (last, received) = tokio::join!(pour(sender, group.id), reading);
    assert_eq!((last, received), (MESSAGES as u64, MESSAGES as u64));
    if Control::with_capability("outbox", "that a slow reader is let go")
        .await
        .is_none()
    {
        return read_everything(&mut slow_socket, last).await;
    }
    let (reached, code) = read_to_the_end(&mut slow_socket).await;
    assert!(
        reached < last,
        "a server that kept all of it for a reader who does not read"
    );
    // 4001 where the close frame still gets through the full line.
    assert!(matches!(code, 4001 | 1006), "{code}");
    comes_back(&group, slow, reached, last).await;
}

/// Resumes, learns that too much was missed, and finds it in the history.
async fn comes_back(group: &Group, slow: &Account, reached: u64, last: u64) {
    let mut socket = slow.socket(group.id).v2().open().await;
    let epoch = socket.epoch();
    socket.resume(reached, &epoch).await;
    let answer = socket.expect_resumed().await;
    if last - reached > 300 {
        assert_eq!(
            (&answer["type"], &answer["reason"]),
            (&json!("reset"), &json!("too_old"))
        );
    } else {
        assert_eq!(
            (&answer["type"], &answer["to"]),
            (&json!("sync"), &json!(last))
        );
    }
    let page = slow
        .history_page(group.id, &format!("?after={reached}&limit=100"))
        .await;
    let next = StoredMessage::all_from_rest(page["messages"].as_array().expect("messages"));
    assert_eq!(next[0].number, reached + 1);
    assert_eq!(next[0].text, TEXT.repeat(LETTERS));
}
