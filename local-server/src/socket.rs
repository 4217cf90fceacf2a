//! One WebSocket on a TCP connection: the handshake, reading, writing, closing.
//!
//! tungstenite reads (RFC 6455: masks, fragments, UTF-8, control frames). Frames to the client are
//! encoded once, wait in the [`SendQueue`], and leave it all together by one system call. Which Room
//! the socket belongs to is decided by the caller, through [`RoomLink`].

use std::io::{self, IoSlice};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::{Buf, Bytes};
use colloquy_core::ports::SocketGrant;
use colloquy_proto::protocol::{
    CloseCode, HEARTBEAT_TIMEOUT_SECONDS, MAX_FRAME_BYTES, PING, PONG, SUBPROTOCOL,
};
use colloquy_proto::room::{ConnectionId, NewConnection};
use futures_util::StreamExt;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::CapacityError;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_util::task::TaskTracker;

use crate::perf::deferred_write::{DeferredWrite, HoldSwitch};
use crate::room_inbox::{RoomMessage, RoomSender};
use crate::send_queue::{self, Drained, SendQueue};
use crate::session_rooms::SessionSocket;

/// The read buffer of a socket, in bytes: a short message with its frame header fits. It grows with
/// larger frames.
const READ_BUFFER: usize = 512;

/// After this long without a byte from the client it is pinged (RFC 6455 §5.5.2) …
const PING_AFTER: Duration = Duration::from_secs(30);

/// … and after this long the connection counts as lost.
const LOST_AFTER: Duration = Duration::from_secs(HEARTBEAT_TIMEOUT_SECONDS.unsigned_abs());

/// How long a client may take to read what is queued and to answer the close frame.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(3);

/// Slices of one vectored write; the kernel takes up to 1,024.
const MAX_SLICES: usize = 64;

type Socket = WebSocketStream<TcpStream>;

/// A connection's place in a Room.
pub(crate) struct RoomLink {
    pub(crate) id: ConnectionId,
    /// By which a revocation of the socket's session finds the Room.
    pub(crate) entry: SessionSocket,
    pub(crate) room: RoomSender,
}

/// Answers 101 and, once the connection is upgraded, connects the socket to the Room of `link`.
pub(crate) fn open(
    tasks: &TaskTracker,
    link: impl FnOnce() -> RoomLink + Send + 'static,
    grant: SocketGrant,
    mut request: Request,
) -> Response {
    let upgrade = match upgrade(&mut request, grant.v2) {
        Ok(upgrade) => upgrade,
        Err(response) => return *response,
    };
    tasks.spawn(async move {
        if let Some((socket, prefix)) = upgrade.pending.accept().await {
            let send_queue = Arc::new(SendQueue::with_prefix(prefix));
            Box::pin(serve(link(), grant, socket, send_queue)).await;
        }
    });
    upgrade.response
}

/// Answers 101 and closes at once, so that a page in a browser receives the close code.
pub(crate) fn refuse(
    tasks: &TaskTracker,
    close: CloseCode,
    v2: bool,
    mut request: Request,
) -> Response {
    let upgrade = match upgrade(&mut request, v2) {
        Ok(upgrade) => upgrade,
        Err(response) => return *response,
    };
    tasks.spawn(async move {
        if let Some((mut socket, prefix)) = upgrade.pending.accept().await {
            finish(&mut socket, prefix, close).await;
        }
    });
    upgrade.response
}

struct Upgrade {
    response: Response,
    pending: PendingUpgrade,
}

struct PendingUpgrade(OnUpgrade);

/// Checks the handshake (RFC 6455 §4.2.1). The route has checked that it is an upgrade to WebSocket.
fn upgrade(request: &mut Request, v2: bool) -> Result<Upgrade, Box<Response>> {
    let headers = request.headers();
    let refused = |text: &'static str| Box::new((StatusCode::BAD_REQUEST, text).into_response());
    if !has(headers, &header::SEC_WEBSOCKET_VERSION, "13") {
        let mut response = (
            StatusCode::UPGRADE_REQUIRED,
            "WebSocket version 13 is needed.",
        )
            .into_response();
        response.headers_mut().insert(
            header::SEC_WEBSOCKET_VERSION,
            HeaderValue::from_static("13"),
        );
        return Err(Box::new(response));
    }
    let Some(key) = headers.get(header::SEC_WEBSOCKET_KEY) else {
        return Err(refused("The header Sec-WebSocket-Key is missing."));
    };
    let accept = derive_accept_key(key.as_bytes());
    let Some(on) = request.extensions_mut().remove::<OnUpgrade>() else {
        return Err(refused("This connection cannot be upgraded."));
    };
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    let accept =
        HeaderValue::from_str(&accept).map_err(|_| refused("Sec-WebSocket-Key is malformed."))?;
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    if v2 {
        headers.insert(
            header::SEC_WEBSOCKET_PROTOCOL,
            HeaderValue::from_static(SUBPROTOCOL),
        );
    }
    // The Room sends `hello` to a v2 client at once, and the 101 is written together with it. A v1
    // client may receive nothing for long.
    if let Some(switch) = request.extensions().get::<HoldSwitch>().filter(|_| v2) {
        switch.hold();
    }
    Ok(Upgrade {
        response,
        pending: PendingUpgrade(on),
    })
}

fn has(headers: &HeaderMap, name: &header::HeaderName, value: &str) -> bool {
    headers
        .get(name)
        .is_some_and(|found| found.as_bytes() == value.as_bytes())
}

impl PendingUpgrade {
    /// The TCP connection under the finished upgrade, and the bytes that have to be written to it
    /// first; `None` when the client has disconnected.
    async fn accept(self) -> Option<(Socket, Bytes)> {
        let upgraded: Upgraded = self.0.await.ok()?;
        let Ok(parts) = upgraded.downcast::<TokioIo<DeferredWrite>>() else {
            tracing::error!("an upgraded connection is not the TCP stream it was accepted as");
            return None;
        };
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .write_buffer_size(0)
            .max_message_size(Some(MAX_FRAME_BYTES))
            .max_frame_size(Some(MAX_FRAME_BYTES));
        let (io, before) = parts.io.into_inner().into_parts();
        let read = parts.read_buf.to_vec();
        let socket = WebSocketStream::from_partially_read(io, read, Role::Server, Some(config));
        Some((socket.await, before))
    }
}

async fn serve(
    RoomLink { id, entry, room }: RoomLink,
    grant: SocketGrant,
    mut socket: Socket,
    send_queue: Arc<SendQueue>,
) {
    let connect = RoomMessage::Connect {
        id,
        connection: Box::new(new_connection(grant)),
        send_queue: send_queue.clone(),
    };
    if room.send(connect).await.is_err() {
        send_queue.close(CloseCode::Restarting);
    }
    let close = exchange(id, &mut socket, &send_queue, &room).await;
    // The Room may have closed this connection itself; it ignores the message then.
    drop(room.send(RoomMessage::Disconnect { id }).await);
    drop((room, entry));
    if let Some(close) = close {
        finish(&mut socket, Bytes::new(), close).await;
    }
}

fn new_connection(grant: SocketGrant) -> NewConnection {
    NewConnection {
        caller: grant.caller,
        admission: grant.admission,
        v2: grant.v2,
    }
}

/// Passes frames both ways until one side ends the connection. Returns the close code to send, if
/// the client can still receive one.
async fn exchange(
    id: ConnectionId,
    socket: &mut Socket,
    send_queue: &SendQueue,
    room: &RoomSender,
) -> Option<CloseCode> {
    let mut last_received = Instant::now();
    let mut pinged = false;
    // A frame that waits for room in the inbox; nothing more is read until it is delivered.
    let mut waiting: Option<RoomMessage> = None;
    // After an invalid frame nothing more is read: the Room closes the connection.
    let mut readable = true;
    // Reset only when it fires, so that a frame costs no timer.
    let mut alarm = pin!(tokio::time::sleep_until(last_received + PING_AFTER));
    loop {
        tokio::select! {
            Drained { chunks, close } = send_queue.drain() => {
                if !write(socket, chunks, send_queue).await {
                    return None;
                }
                if close.is_some() {
                    return close;
                }
            }
            permit = room.reserve(), if waiting.is_some() => match (permit, waiting.take()) {
                (Ok(permit), Some(message)) => permit.send(message),
                _ => return Some(CloseCode::Restarting),
            },
            frame = socket.next(), if readable && waiting.is_none() => {
                (last_received, pinged) = (Instant::now(), false);
                match received(id, frame?) {
                    Received::Pong => drop(send_queue.push_reply(send_queue::encode_text(std::iter::once(PONG)))),
                    Received::Message(message) => {
                        readable = !matches!(message, RoomMessage::InvalidFrame { .. });
                        waiting = Some(message);
                    }
                    Received::Nothing => {}
                    Received::Gone => return None,
                }
            }
            () = &mut alarm => {
                let limit = if pinged { LOST_AFTER } else { PING_AFTER };
                if Instant::now() < last_received + limit {
                    alarm.as_mut().reset(last_received + limit);
                    continue;
                }
                if pinged {
                    return Some(CloseCode::HeartbeatLost);
                }
                pinged = true;
                drop(send_queue.push_reply(send_queue::PING));
                alarm.as_mut().reset(last_received + LOST_AFTER);
            }
        }
    }
}

enum Received {
    Message(RoomMessage),
    Pong,
    Nothing,
    Gone,
}

fn received(id: ConnectionId, frame: Result<Message, Error>) -> Received {
    let invalid = |close| Received::Message(RoomMessage::InvalidFrame { id, close });
    match frame {
        // Answered here, so that a ping does not load the Room.
        Ok(Message::Text(text)) if text.as_str() == PING => Received::Pong,
        Ok(Message::Text(text)) => Received::Message(RoomMessage::Frame { id, text }),
        Ok(Message::Binary(_)) | Err(Error::Utf8(_) | Error::Protocol(_)) => {
            invalid(CloseCode::Malformed)
        }
        Err(Error::Capacity(CapacityError::MessageTooLong { .. })) => {
            invalid(CloseCode::FrameTooLarge)
        }
        Ok(Message::Ping(_) | Message::Pong(_) | Message::Close(_) | Message::Frame(_)) => {
            Received::Nothing
        }
        Err(_) => Received::Gone,
    }
}

/// Writes all chunks. A client that does not read has [`CLOSE_TIMEOUT`] from the moment its queue is
/// closed, for example because it overflowed. False when the connection is dead.
async fn write(socket: &mut Socket, chunks: Vec<Bytes>, send_queue: &SendQueue) -> bool {
    let writing = async {
        // A pong that tungstenite has queued itself is written whole before these frames.
        futures_util::SinkExt::flush(socket)
            .await
            .map_err(io::Error::other)?;
        write_all(socket.get_mut(), chunks).await
    };
    tokio::pin!(writing);
    tokio::select! {
        biased;
        result = &mut writing => result.is_ok(),
        _ = send_queue.closed() => matches!(timeout(CLOSE_TIMEOUT, writing).await, Ok(Ok(()))),
    }
}

async fn write_all(io: &mut TcpStream, mut chunks: Vec<Bytes>) -> io::Result<()> {
    let mut first = 0;
    while first < chunks.len() {
        let slices: Vec<IoSlice<'_>> = chunks
            .iter()
            .skip(first)
            .take(MAX_SLICES)
            .map(|chunk| IoSlice::new(chunk))
            .collect();
        let mut written = io.write_vectored(&slices).await?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        while let Some(chunk) = chunks.get_mut(first).filter(|_| written > 0) {
            let step = chunk.len().min(written);
            chunk.advance(step);
            written -= step;
            if chunk.is_empty() {
                first += 1;
            }
        }
    }
    Ok(())
}

/// Sends the close frame, after `prefix`, and reads until the client disconnects: a connection that
/// is dropped with unread bytes is reset, and a reset can overtake the close frame.
async fn finish(socket: &mut Socket, prefix: Bytes, close: CloseCode) {
    let io = socket.get_mut();
    let closing = async {
        write_all(io, vec![prefix, send_queue::encode_close(close)]).await?;
        io.shutdown().await?;
        // On the heap: on the stack it would be part of every connection's task.
        let mut sink = vec![0_u8; 4096];
        while io.read(&mut sink).await? > 0 {}
        io::Result::Ok(())
    };
    // The connection is dropped either way.
    drop(timeout(CLOSE_TIMEOUT, closing).await);
}
