//! What can happen to a Room. Whoever drives it turns sockets, timers and database answers into
//! these, one at a time.

use std::sync::Arc;

use crate::domain::{Admission, BatchOutcome, Caller, SessionId, Timestamp, UserId};
use crate::protocol::{CloseCode, EventPage, SendCommand, StoredEvent};

/// One socket of a Room. The driver chooses it and never uses it twice in a Room's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

/// One REST send waiting for its answer. Chosen by the driver, like [`ConnectionId`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// A socket that was granted entry.
#[derive(Debug, Clone)]
pub struct NewConnection {
    /// The user, the session and the expiry of the access token.
    pub caller: Caller,
    /// The state of the conversation when the socket was authorized.
    pub admission: Admission,
    /// Whether the client asked for `chat.v2`.
    pub v2: bool,
}

/// The database did not answer; the work may or may not have been done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreFailed;

/// Why a token sent by `auth` was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenRejected {
    /// Forged, malformed, or of the wrong kind.
    Invalid,
    /// Its time is over.
    Expired,
}

/// One thing that happened.
#[derive(Debug)]
pub enum Input<'a> {
    /// A socket was opened.
    Connect {
        /// Its name from now on.
        id: ConnectionId,
        /// Who it is.
        connection: NewConnection,
    },
    /// A text frame arrived.
    Frame {
        /// From whom.
        id: ConnectionId,
        /// The frame.
        text: &'a str,
    },
    /// A frame arrived that no client of the protocol sends.
    InvalidFrame {
        /// From whom.
        id: ConnectionId,
        /// What to close it with.
        close: CloseCode,
    },
    /// A socket is gone, whoever ended it.
    Disconnect {
        /// Which.
        id: ConnectionId,
    },
    /// When these connections last gave a sign of life that was no frame for the Room, such as a
    /// ping somebody else answered. From then on they are expected to go on doing so. For drivers
    /// that do not watch over their sockets themselves; to be given before [`Input::Tick`].
    Heartbeats(&'a [(ConnectionId, Timestamp)]),
    /// A send over REST.
    Send {
        /// Answered by [`super::Effect::CompleteRequest`].
        request_id: RequestId,
        /// Who sends.
        user_id: UserId,
        /// By which login.
        session_id: SessionId,
        /// What.
        send: SendCommand,
    },
    /// The answer to [`super::Effect::Commit`].
    Committed(Result<BatchOutcome, StoreFailed>),
    /// A change that was stored without the Room; `None` when one may have been of which nobody can
    /// tell.
    ChangeStored(Option<StoredEvent>),
    /// The answer to [`super::Effect::Load`]; `None` when the conversation is gone.
    Loaded(Result<Option<EventPage>, StoreFailed>),
    /// The answer to [`super::Effect::Authenticate`].
    Authenticated {
        /// Which connection asked.
        id: ConnectionId,
        /// What the token says.
        result: Result<Caller, TokenRejected>,
    },
    /// A session was revoked.
    Revoke {
        /// Which.
        session_id: &'a SessionId,
    },
    /// The time named by [`super::Room::next_wakeup`] has come. Harmless at any other time.
    Tick,
    /// The process is about to end: finish what is accepted, accept nothing more, close with 4000.
    Shutdown,
}

/// One encoded frame, shared by all who receive it.
pub type EncodedFrame = Arc<str>;
