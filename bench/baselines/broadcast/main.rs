//! A bare broadcast server: the baseline that shows what the machine can do with this kind of server.
//!
//! It has no accounts, no storage and no rooms beyond a map. A v1 message is numbered and sent to
//! every socket of the room. It has the same optimisations as the server under test: a frame is
//! encoded once, the queues of all sockets reference the same bytes, and a socket writes everything
//! queued by one system call.
//!
//! Over plain HTTP it answers a constant profile: the cost of a request without parsing, routing,
//! authentication or a database.

use std::collections::{HashMap, VecDeque};
use std::io::IoSlice;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result, bail};
use futures_util::StreamExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::Notify;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

/// The accept backlog, large enough for a reconnect storm.
const BACKLOG: u32 = 4_096;

/// The most slices in one vectored write.
const SLICES: usize = 64;

/// The read buffer of a socket.
const READ_BUFFER: usize = 1024;

type Frame = Arc<[u8]>;

#[derive(Default)]
struct Queue {
    frames: Mutex<Vec<Frame>>,
    changed: Notify,
}

#[derive(Default)]
struct Room {
    state: Mutex<RoomState>,
}

#[derive(Default)]
struct RoomState {
    number: u64,
    next_member: u64,
    members: HashMap<u64, Arc<Queue>>,
}

type Rooms = Arc<Mutex<HashMap<String, Arc<Room>>>>;

#[tokio::main]
async fn main() -> Result<()> {
    let port = std::env::var("PORT").context("PORT is not set")?;
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port.parse()?)))?;
    let listener = socket.listen(BACKLOG)?;
    let rooms = Rooms::default();
    loop {
        let (stream, _) = listener.accept().await?;
        let rooms = Arc::clone(&rooms);
        tokio::spawn(async move {
            // A client that disconnects is not an error of the server.
            let _ = serve(stream, rooms).await;
        });
    }
}

async fn serve(mut stream: TcpStream, rooms: Rooms) -> Result<()> {
    stream.set_nodelay(true)?;
    let Some(name) = upgrade(&mut stream).await? else {
        return Ok(());
    };
    let queue = Arc::<Queue>::default();
    let (room, member) = {
        let mut rooms = lock(&rooms);
        let room = Arc::clone(rooms.entry(name).or_default());
        let mut state = lock(&room.state);
        let member = state.next_member;
        state.next_member += 1;
        state.members.insert(member, Arc::clone(&queue));
        drop(state);
        (room, member)
    };
    let result = serve_socket(stream, &room, &queue).await;
    lock(&room.state).members.remove(&member);
    result
}

async fn serve_socket(stream: TcpStream, room: &Room, queue: &Queue) -> Result<()> {
    let config = WebSocketConfig::default().read_buffer_size(READ_BUFFER);
    let mut socket = WebSocketStream::from_raw_socket(stream, Role::Server, Some(config)).await;
    let mut waiting = VecDeque::new();
    loop {
        waiting.extend(std::mem::take(&mut *lock(&queue.frames)));
        if !waiting.is_empty() {
            write(socket.get_mut(), &mut waiting).await?;
            continue;
        }
        tokio::select! {
            message = socket.next() => match message {
                Some(Ok(Message::Text(text))) => broadcast(room, &text)?,
                Some(Ok(Message::Close(_)) | Err(_)) | None => return Ok(()),
                Some(Ok(_)) => {}
            },
            () = queue.changed.notified() => {}
        }
    }
}

fn broadcast(room: &Room, text: &str) -> Result<()> {
    let sent: serde_json::Value = serde_json::from_str(text)?;
    let mut state = lock(&room.state);
    state.number += 1;
    let payload = serde_json::json!({
        "message_id": state.number, "message": sent["message"],
        "sender_id": 1, "sender": "bench", "timestamp": "2000-01-01T00:00:00.000Z",
    });
    let frame = encode(&payload.to_string());
    for queue in state.members.values() {
        lock(&queue.frames).push(Arc::clone(&frame));
        queue.changed.notify_one();
    }
    Ok(())
}

/// A server's text frame (RFC 6455 §5.2).
fn encode(payload: &str) -> Frame {
    let mut frame = vec![0x81];
    if let Ok(length @ 0..126) = u8::try_from(payload.len()) {
        frame.push(length);
    } else {
        frame.push(126);
        let length = u16::try_from(payload.len()).unwrap_or(u16::MAX);
        frame.extend_from_slice(&length.to_be_bytes());
    }
    frame.extend_from_slice(payload.as_bytes());
    frame.into()
}

async fn write(stream: &mut TcpStream, waiting: &mut VecDeque<Frame>) -> Result<()> {
    let mut done = 0;
    while let Some(first) = waiting.front() {
        let mut slices = vec![IoSlice::new(&first[done..])];
        slices.extend(
            waiting
                .iter()
                .skip(1)
                .take(SLICES - 1)
                .map(|frame| IoSlice::new(frame)),
        );
        let mut written = stream.write_vectored(&slices).await?;
        if written == 0 {
            bail!("the connection accepts no more bytes");
        }
        written += done;
        while let Some(first) = waiting.front() {
            if written < first.len() {
                break;
            }
            written -= first.len();
            waiting.pop_front();
        }
        done = written;
    }
    Ok(())
}

/// As long as a profile of the other targets.
const PROFILE: &str = r#"{"id":5001,"username":"bench5001","email":"bench5001@chat.example","first_name":"","last_name":""}"#;

/// Answers requests up to an upgrade and returns its path; `None` if the connection ends with plain
/// requests (a profile, a liveness probe).
async fn upgrade(stream: &mut TcpStream) -> Result<Option<String>> {
    let mut bytes = Vec::new();
    let (name, key) = loop {
        bytes.clear();
        while !bytes.ends_with(b"\r\n\r\n") {
            if stream.read_buf(&mut bytes).await? == 0 {
                return Ok(None);
            }
        }
        let head = String::from_utf8_lossy(&bytes);
        let path = head.split_whitespace().nth(1).unwrap_or_default();
        let key = head
            .lines()
            .find_map(|line| line.strip_prefix("Sec-WebSocket-Key:"));
        if let Some(key) = key {
            break (path.to_owned(), key.trim().to_owned());
        }
        let is_persistent = path.starts_with("/api/");
        let response = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n{}\r\n{PROFILE}",
            PROFILE.len(),
            if is_persistent {
                ""
            } else {
                "Connection: close\r\n"
            },
        );
        stream.write_all(response.as_bytes()).await?;
        if !is_persistent {
            return Ok(None);
        }
    };
    let accept = derive_accept_key(key.as_bytes());
    let response = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    stream.write_all(response.as_bytes()).await?;
    Ok(Some(name))
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
