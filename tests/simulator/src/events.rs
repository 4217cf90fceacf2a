//! The events of the world's queue.

use super::plan::PlannedAction;
use super::sim_host::WorkOrigin;
use colloquy_proto::domain::{BatchOutcome, ClientMessageId, NewMessage, Seq, SessionId, UserId};
use colloquy_proto::protocol::{CloseCode, EventPage, StoredEvent};
use colloquy_proto::room::{ConnectionId, Delivery, EncodedFrame, NewConnection, StoreFailed};

/// Something that happens at a time.
#[derive(Debug)]
pub(super) enum ScheduledEvent {
    PlannedAction(PlannedAction),
    /// No more faults from here on.
    FaultsEnd,
    /// A client checks its connection and its sends.
    PollClient(usize),
    /// A socket is registered with the object of its session.
    Register(ConnectionId),
    Connect(ConnectionId, NewConnection),
    ToServer(ConnectionId, String),
    ToClient(ConnectionId, EncodedFrame, Delivery),
    /// The client has taken a part of a resume.
    Drained(ConnectionId),
    Closed(ConnectionId, CloseCode),
    /// One side notices that the connection is dead.
    ClientDisconnected(ConnectionId),
    HostDisconnected(ConnectionId),
    Flush(WorkOrigin),
    WriteCache(WorkOrigin),
    CacheWritten(WorkOrigin),
    Apply {
        origin: WorkOrigin,
        sends: Vec<NewMessage>,
        answer: Option<i64>,
    },
    Committed(WorkOrigin, Result<BatchOutcome, StoreFailed>),
    Load(WorkOrigin, Seq, i64),
    Loaded(WorkOrigin, Result<Option<EventPage>, StoreFailed>),
    RetryRest(RestSend),
    /// A Room is notified of a change, or that there may be one.
    Notify(Option<StoredEvent>),
    ShutDown(u64),
    Alarm(u64),
}

/// One send over REST.
#[derive(Debug, Clone)]
pub(super) struct RestSend {
    pub(super) host: u64,
    pub(super) user: UserId,
    pub(super) session: SessionId,
    pub(super) client_message_id: Option<ClientMessageId>,
    pub(super) message: String,
    pub(super) repeats: bool,
}
