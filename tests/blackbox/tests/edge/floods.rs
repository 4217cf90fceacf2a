//! A member that floods its Room and never reads. The Room closes it; the other Rooms of the isolate
//! are not delayed, and the isolate stays below its 128 MB.

use std::time::{Duration, Instant};

use colloquy_blackbox::{Control, Group, Received, Server, Socket};

use crate::exclusive;

/// How long a client floods.
const FLOOD: Duration = Duration::from_secs(2);

/// The bound on another Room's messages in the meantime, for 99 of 100. It leaves room for a busy machine:
/// on an idle one they take less than a fifth of this, and without rates many times as long.
const P99: Duration = Duration::from_secs(1);

/// How much the runtime may grow. It has little in memory before, and 128 MB at most.
const GROWTH_BYTES: u64 = 64 * 1024 * 1024;

/// More frames than a client receives before it is closed, whatever it sends.
const MAX_REPLIES: usize = 5_000;

/// The process of the runtime.
const RUNTIME: &str = "workerd";

/// Frames that cause a reply each. The space keeps the runtime from answering the ping itself.
const FRAMES: [&str; 4] = [
    r#"{"type": "ping"}"#,
    r#"{"type":"resume","since":0,"epoch":"another"}"#,
    r#"{"type":"no such type"}"#,
    "[]",
];

async fn memory(control: &Control, server: &str) -> u64 {
    let by_process = control.perform(server, "memory").await;
    by_process[RUNTIME].as_u64().expect("the runtime's memory")
}

/// Sends the frame as fast as the connection takes it, and reads nothing.
async fn flood(socket: &mut Socket, frame: &str) {
    let sending = async { while socket.try_send_text(frame).await.is_ok() {} };
    let _ = tokio::time::timeout(FLOOD, sending).await;
}

/// Sends a message and waits until it arrives.
async fn exchange(socket: &mut Socket) {
    let id = socket.send_message("honest").await;
    let is_delivery =
        |frame: &serde_json::Value| frame["type"] == "message" && frame["client_message_id"] == id;
    socket.find("the message itself", is_delivery).await;
}

/// Sends messages one after the other and returns how long each took to arrive, sorted.
async fn measure(socket: &mut Socket) -> Vec<Duration> {
    let started = Instant::now();
    let mut times = Vec::new();
    while started.elapsed() < FLOOD {
        let sent = Instant::now();
        exchange(socket).await;
        times.push(sent.elapsed());
    }
    times.sort_unstable();
    times
}

async fn largest_memory(control: &Control, server: &str) -> u64 {
    let (started, mut largest) = (Instant::now(), 0);
    while started.elapsed() < FLOOD {
        largest = largest.max(memory(control, server).await);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    largest
}

/// Reads what was queued before the end; counts the frames.
async fn read_to_end(socket: &mut Socket) -> (usize, u16) {
    for count in 0..MAX_REPLIES {
        match socket.receive(colloquy_blackbox::TIMEOUT).await {
            Received::Frame(_) => {}
            Received::Closed(close) => return (count, close.code),
            Received::TimedOut => panic!("neither a frame nor an end"),
        }
    }
    panic!("more replies than a flood may cause");
}

#[tokio::test(flavor = "multi_thread")]
async fn member_that_floods_and_never_reads_is_closed_and_delays_no_other_room() {
    // It measures: no other test may run.
    let _alone = exclusive().await;
    let server = Server::unthrottled().await.expect("an unthrottled server");
    let control = Control::from_env();
    let (honest, _, honest_id) = Group::pair(&server).await;
    let mut honest = honest.socket(honest_id).v2().open().await;
    // Its Room is awake and connected to the database.
    exchange(&mut honest).await;
    let before = memory(&control, "unthrottled").await;
    for frame in FRAMES {
        let (flooder, other, flooded_id) = Group::pair(&server).await;
        let mut other_socket = other.socket(flooded_id).v2().open().await;
        let opening = flooder.socket(flooded_id).v2().receive_buffer(4_096);
        let mut socket = opening.open().await;
        let ((), times, largest) = tokio::join!(
            flood(&mut socket, frame),
            measure(&mut honest),
            largest_memory(&control, "unthrottled"),
        );
        let p99 = times[times.len() * 99 / 100];
        println!(
            "{frame}: p99 {p99:?}, longest {:?} of {}, {} MiB more",
            times.last(),
            times.len(),
            largest.saturating_sub(before) >> 20
        );
        assert!(p99 < P99, "{frame}: another Room waited {p99:?}");
        assert!(
            largest < before + GROWTH_BYTES,
            "{frame}: {before} → {largest}"
        );
        let (replies, code) = read_to_end(&mut socket).await;
        // The close frame, unless the connection was ended before it could be read.
        assert!([4100, 1006].contains(&code), "{frame}: {code}, {replies}");
        // It sent on after the close, which ended the connections of its Room.
        let refused = flooder.socket(flooded_id).v2().expect_refusal().await;
        assert_eq!(refused.code, 4100, "{frame}");
        let code = other_socket.expect_close().await.code;
        assert!([4000, 1006].contains(&code), "{frame}: {code}");
        let mut again = other.socket(flooded_id).v2().open().await;
        again
            .resume(other_socket.position(), &other_socket.epoch())
            .await;
        again.expect_resumed().await;
        exchange(&mut again).await;
    }
}
