//! One WebSocket on a TCP connection: the handshake, and the task that serves it.
//!
//! tungstenite reads (RFC 6455: masks, fragments, UTF-8). Frames to the client are encoded once, wait in
//! the [`SendQueue`], and leave it all together by one system call. Which Room the socket belongs to is
//! decided by the caller, through [`RoomLink`].
//!
//! | module | owns |
//! | --- | --- |
//! | `exchange` | an open socket: both directions, heartbeats, the closing handshake |
//! | `outgoing` | a write in progress and its deadline |
//! | `ping_rate` | the rate of frames that the Room does not see |
//! | `read_half` | what tungstenite reads from, without its own answers |

mod exchange;
mod outgoing;
mod ping_rate;
mod read_half;

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use colloquy_core::http::upgrade_failed;
use colloquy_core::ports::SocketGrant;
use colloquy_core::service::security_events::SecurityEvent;
use colloquy_proto::protocol::{CloseCode, MAX_FRAME_BYTES, SUBPROTOCOL};
use colloquy_proto::room::{ConnectionId, NewConnection};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_util::task::TaskTracker;

use exchange::{End, Exchange, finish};
use outgoing::Outgoing;
use read_half::ReadHalf;

use crate::perf::deferred_write::{DeferredWrite, HoldSwitch};
use crate::room_inbox::{RoomMessage, RoomSender};
use crate::send_queue::{SendQueue, encode_close};
use crate::serve::{ConnectionSlot, WatchedStream};
use crate::session_rooms::SessionSocket;

/// The read buffer of a socket, in bytes: a short message with its frame header fits. It grows with
/// larger frames.
const READ_BUFFER: usize = 512;

/// The connection under a finished upgrade.
struct Socket {
    frames: WebSocketStream<ReadHalf<OwnedReadHalf>>,
    io: OwnedWriteHalf,
}

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
    let pending = upgrade.pending;
    // Boxed one after the other: an open socket does not hold the memory of its upgrade.
    let upgraded = Box::pin(async move {
        let (socket, prefix, slot) = pending.accept().await?;
        let send_queue = Arc::new(SendQueue::with_prefix(prefix));
        Some((Box::pin(serve(link(), grant, socket, send_queue)), slot))
    });
    tasks.spawn(async move {
        if let Some((open, _slot)) = upgraded.await {
            open.await;
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
        if let Some((mut socket, prefix, _slot)) = upgrade.pending.accept().await {
            let mut outgoing = Outgoing::default();
            outgoing.extend(vec![prefix]);
            socket.finish(outgoing, encode_close(close)).await;
        }
    });
    upgrade.response
}

struct Upgrade {
    response: Response,
    pending: PendingUpgrade,
}

struct PendingUpgrade(OnUpgrade);

/// Completes the handshake (RFC 6455 §4.2.2). The route has checked the client's part.
fn upgrade(request: &mut Request, v2: bool) -> Result<Upgrade, Box<Response>> {
    let failed = |cause: &str| Box::new(upgrade_failed(cause.to_owned()));
    let key = request.headers().get(header::SEC_WEBSOCKET_KEY);
    let accept = key.map(|key| derive_accept_key(key.as_bytes()));
    let accept = accept.and_then(|accept| HeaderValue::from_str(&accept).ok());
    let accept = accept.ok_or_else(|| failed("the handshake has no key"))?;
    let on = request.extensions_mut().remove::<OnUpgrade>();
    let on = on.ok_or_else(|| failed("the connection cannot be upgraded"))?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
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

impl PendingUpgrade {
    /// The TCP connection under the finished upgrade, the bytes that have to be written to it first,
    /// and its place among the open connections; `None` when the client has disconnected.
    async fn accept(self) -> Option<(Socket, Bytes, ConnectionSlot)> {
        let upgraded: Upgraded = self.0.await.ok()?;
        let Ok(parts) = upgraded.downcast::<TokioIo<DeferredWrite<WatchedStream>>>() else {
            tracing::error!("an upgraded connection is not the TCP stream it was accepted as");
            return None;
        };
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .write_buffer_size(0)
            .max_message_size(Some(MAX_FRAME_BYTES))
            .max_frame_size(Some(MAX_FRAME_BYTES));
        let (stream, before) = parts.io.into_inner().into_parts();
        let (stream, slot) = stream.into_parts();
        let (reader, io) = stream.into_split();
        let read = parts.read_buf.to_vec();
        let frames = WebSocketStream::from_partially_read(
            ReadHalf(reader),
            read,
            Role::Server,
            Some(config),
        );
        let frames = frames.await;
        Some((Socket { frames, io }, before, slot))
    }
}

impl Socket {
    /// Sends what is left and the close frame. A client that does not take them is reset, which also
    /// frees what the kernel holds for it.
    async fn finish(&mut self, outgoing: Outgoing, close: Bytes) {
        if !finish(outgoing, close, &mut self.io, self.frames.get_mut()).await {
            self.reset();
        }
    }

    /// The connection is reset when it is dropped.
    fn reset(&self) {
        // Fails only if the connection is dead.
        drop(self.io.as_ref().set_zero_linger());
    }
}

/// Runs an open socket to its end. Not an `async fn`, whose future would hold the arguments beside what
/// they are moved into, for as long as the socket is open.
fn serve(
    link: RoomLink,
    grant: SocketGrant,
    mut socket: Socket,
    send_queue: Arc<SendQueue>,
) -> impl Future<Output = ()> + Send {
    let RoomLink { id, entry, room } = link;
    let (conversation_id, address) = (grant.conversation_id, grant.address);
    let user_id = grant.caller.user_id;
    let connect = RoomMessage::Connect {
        id,
        connection: Box::new(new_connection(grant)),
        send_queue: send_queue.clone(),
    };
    async move {
        if room.send(connect).await.is_err() {
            send_queue.close(CloseCode::Restarting);
        }
        let mut exchange = Exchange::new(id, &room, &send_queue);
        let end = exchange.run(&mut socket.frames, &mut socket.io).await;
        let mut outgoing = exchange.into_outgoing();
        // The Room may have closed this connection itself; it ignores the message then.
        drop(room.send(RoomMessage::Disconnect { id }).await);
        drop((room, entry));
        if send_queue.close_code() == Some(CloseCode::Flooding) {
            SecurityEvent::FloodClosed(Some(conversation_id)).report(Some(user_id), address);
        }
        match end {
            End::Gone => {}
            End::Stalled => socket.reset(),
            End::Close(close) => {
                outgoing.extend(send_queue.take_rest());
                socket.finish(outgoing, close).await;
            }
        }
    }
}

fn new_connection(grant: SocketGrant) -> NewConnection {
    NewConnection {
        caller: grant.caller,
        admission: grant.admission,
        v2: grant.v2,
    }
}
