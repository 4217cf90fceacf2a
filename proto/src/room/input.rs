//! The inputs of a Room. Its host converts sockets, timers and database results into these and
//! passes them one at a time.

use std::sync::Arc;

use crate::domain::{Admission, BatchOutcome, Caller, SessionId, Timestamp, UserId};
use crate::protocol::{CloseCode, EventPage, SendCommand, StoredEvent};

/// The id of one socket of a Room. The host assigns it and never reuses it within a Room's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

/// The id of one pending REST send. Assigned by the host, like [`ConnectionId`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// A socket that has been authorized for this conversation.
#[derive(Debug, Clone)]
pub struct NewConnection {
    /// The user, the session and the expiry of the access token.
    pub caller: Caller,
    /// The state of the conversation when the socket was authorized.
    pub admission: Admission,
    /// Whether the client asked for `chat.v2`.
    pub v2: bool,
}

/// The database did not respond. The work may or may not have been done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreFailed;

/// Why the token of an `auth` command was rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenRejected {
    /// Forged, malformed, or of the wrong kind.
    Invalid,
    /// Expired.
    Expired,
}

/// One input.
#[derive(Debug)]
pub enum Input<'a> {
    /// A socket opened.
    Connect {
        /// The id of the connection from now on.
        id: ConnectionId,
        /// The authorized socket.
        connection: NewConnection,
    },
    /// A text frame arrived.
    Frame {
        /// The connection that sent it.
        id: ConnectionId,
        /// The payload.
        text: &'a str,
    },
    /// A connection is to be closed for what its host has seen, such as a binary or an oversized frame.
    InvalidFrame {
        /// The connection that sent it.
        id: ConnectionId,
        /// The code to close the connection with.
        close: CloseCode,
    },
    /// Everything queued for a connection up to a [`super::Effect::ResumePart`] has been sent, as far
    /// as the host can see. Harmless at any other time.
    Drained {
        /// The connection.
        id: ConnectionId,
    },
    /// A socket closed, from either side.
    Disconnect {
        /// The connection.
        id: ConnectionId,
    },
    /// The times of the last heartbeats that did not reach the Room as frames, such as pings the
    /// runtime answered. From the first one on, the connection must keep sending them. For hosts
    /// that do not enforce heartbeats themselves; pass it before [`Input::Tick`].
    Heartbeats(&'a [(ConnectionId, Timestamp)]),
    /// A send over REST.
    Send {
        /// Completed by [`super::Effect::CompleteRequest`].
        request_id: RequestId,
        /// The sender.
        user_id: UserId,
        /// The sender's session.
        session_id: SessionId,
        /// The message.
        send: SendCommand,
    },
    /// The result of [`super::Effect::Commit`].
    Committed(Result<BatchOutcome, StoreFailed>),
    /// An event that was stored outside the Room (an edit, a deletion, a member change). `None`
    /// when one may have been stored and its content is not available.
    ChangeStored(Option<StoredEvent>),
    /// The result of [`super::Effect::Load`]; `None` when the conversation no longer exists.
    Loaded(Result<Option<EventPage>, StoreFailed>),
    /// The result of [`super::Effect::Authenticate`].
    Authenticated {
        /// The connection that sent the token.
        id: ConnectionId,
        /// The content of the token, or why it was rejected.
        result: Result<Caller, TokenRejected>,
    },
    /// A session was revoked.
    Revoke {
        /// The session.
        session_id: &'a SessionId,
    },
    /// The time returned by [`super::Room::next_wakeup`] has come. Harmless at any other time.
    Tick,
    /// The process is shutting down: complete the accepted sends, accept no new ones, then close
    /// every connection with 4000.
    Shutdown,
}

/// One encoded frame, shared by all its receivers.
pub type EncodedFrame = Arc<str>;
