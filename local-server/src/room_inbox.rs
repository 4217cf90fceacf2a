//! What reaches the task of a Room: from its sockets, from REST and from the registry.

use std::sync::Arc;

use colloquy_proto::domain::{Caller, SendOutcome, SessionId};
use colloquy_proto::protocol::{CloseCode, SendCommand, StoredEvent};
use colloquy_proto::room::{ConnectionId, NewConnection};
use tokio::sync::{mpsc, oneshot};
use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::send_queue::SendQueue;

/// Messages that may wait for a Room before its sockets are read more slowly.
const CAPACITY: usize = 256;

/// Sends messages to a Room's task.
pub(crate) type RoomSender = mpsc::Sender<RoomMessage>;

/// Where a Room's task receives its messages.
pub(crate) type RoomInbox = mpsc::Receiver<RoomMessage>;

/// A bounded inbox and its sender.
pub(crate) fn channel() -> (RoomSender, RoomInbox) {
    mpsc::channel(CAPACITY)
}

/// One message to a Room's task. The large ones are boxed, so that an inbox stays small.
#[derive(Debug)]
pub(crate) enum RoomMessage {
    Connect {
        id: ConnectionId,
        connection: Box<NewConnection>,
        send_queue: Arc<SendQueue>,
    },
    Frame {
        id: ConnectionId,
        text: Utf8Bytes,
    },
    InvalidFrame {
        id: ConnectionId,
        close: CloseCode,
    },
    /// The client has taken the queued part of its resume.
    Drained {
        id: ConnectionId,
    },
    Disconnect {
        id: ConnectionId,
    },
    Send {
        caller: Caller,
        send: Box<SendCommand>,
        reply: oneshot::Sender<SendOutcome>,
    },
    ChangeStored {
        change: Box<Option<StoredEvent>>,
        done: oneshot::Sender<()>,
    },
    Revoke {
        session_id: SessionId,
        done: oneshot::Sender<()>,
    },
    Shutdown,
}
