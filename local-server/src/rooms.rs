//! The live Rooms of this process: one task each, found by conversation.
//!
//! The registry is touched when a socket opens and when a send comes over REST; a socket then
//! talks to its Room's task directly, so Rooms share no lock on the way of a message.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use axum::extract::Request;
use axum::response::Response;
use colloquy_core::auth::Tokens;
use colloquy_core::cache::RecentHistory;
use colloquy_core::ports::{Clock, Rooms, SocketGrant, Store};
use colloquy_proto::domain::{Caller, ConversationId, Seconds, SendOutcome, SessionId, Timestamp};
use colloquy_proto::protocol::{CloseCode, SendCommand, StoredEvent};
use colloquy_proto::room::ConnectionId;
use dashmap::DashMap;
use futures_util::future::join_all;
use tokio::sync::{mpsc, oneshot};
use tokio_util::task::TaskTracker;

use crate::cache_writer::CacheWriter;
use crate::perf::cross_room_commit::CommitCoalescer;
use crate::room_host::{self, RoomMessage};
use crate::socket;

/// Messages that may wait for a Room before its sockets are read more slowly.
const INBOX: usize = 256;

/// How long a revocation is remembered for sockets that were granted entry just before it.
const REVOCATION_MEMORY: Seconds = Seconds(120);

/// What every Room of this process shares.
pub struct Shared {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) committer: CommitCoalescer,
    pub(crate) cache_writer: CacheWriter,
    pub(crate) tokens: Arc<Tokens>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) throttle_ms: i64,
    pub(crate) tasks: TaskTracker,
    rooms: DashMap<ConversationId, mpsc::Sender<RoomMessage>>,
    revoked: Mutex<VecDeque<(Timestamp, SessionId)>>,
    next_connection: AtomicU64,
    closing: AtomicBool,
}

/// [`Rooms`] as tasks of this process.
#[derive(Clone)]
pub struct LocalRooms(Arc<Shared>);

impl LocalRooms {
    /// No Room is live yet. `throttle_ms` is the time between two sends of a user; `writers` how
    /// many transactions the database takes at once.
    pub fn new(
        store: Arc<dyn Store>,
        recent: Arc<RecentHistory>,
        tokens: Arc<Tokens>,
        clock: Arc<dyn Clock>,
        throttle_ms: i64,
        writers: usize,
    ) -> Self {
        let tasks = TaskTracker::new();
        Self(Arc::new(Shared {
            committer: CommitCoalescer::new(Arc::clone(&store), writers),
            store,
            cache_writer: CacheWriter::new(recent, tasks.clone()),
            tokens,
            clock,
            throttle_ms,
            tasks,
            rooms: DashMap::new(),
            revoked: Mutex::default(),
            next_connection: AtomicU64::new(1),
            closing: AtomicBool::new(false),
        }))
    }

    /// How many Rooms are live.
    pub fn live(&self) -> usize {
        self.0.rooms.len()
    }

    /// Ends every Room: what was accepted is committed and answered, then the sockets are closed
    /// with 4000. Returns when the last socket is gone and the cache was told of everything.
    pub async fn shutdown(&self) {
        self.0.closing.store(true, Ordering::SeqCst);
        let rooms: Vec<_> = self
            .0
            .rooms
            .iter()
            .map(|room| room.value().clone())
            .collect();
        join_all(rooms.iter().map(|room| room.send(RoomMessage::Shutdown))).await;
        drop(rooms);
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }
}

impl Shared {
    /// The Room's task, started when there is none.
    pub(crate) fn room(self: &Arc<Self>, id: ConversationId) -> mpsc::Sender<RoomMessage> {
        let mut room = self.rooms.entry(id).or_insert_with(|| self.start(id));
        if room.is_closed() {
            // Its task ended by a fault of ours; a new one starts from the database.
            *room = self.start(id);
        }
        room.clone()
    }

    fn start(self: &Arc<Self>, id: ConversationId) -> mpsc::Sender<RoomMessage> {
        let (sender, inbox) = mpsc::channel(INBOX);
        self.tasks.spawn(room_host::run(self.clone(), id, inbox));
        if self.is_closing() {
            // Shutdown may have passed this Room by.
            drop(sender.try_send(RoomMessage::Shutdown));
        }
        sender
    }

    /// Forgets a Room that is no longer needed, unless somebody holds a way to it. True when it
    /// is forgotten: nobody can reach its inbox any more.
    pub(crate) fn retire(&self, id: ConversationId, inbox: &mpsc::Receiver<RoomMessage>) -> bool {
        // The registry's own sender is the only one left. Others are cloned under this lock.
        let unused = |_: &_, _: &_| inbox.sender_strong_count() == 1 && inbox.is_empty();
        self.rooms.remove_if(&id, unused).is_some()
    }

    pub(crate) fn is_revoked(&self, session_id: &SessionId) -> bool {
        let revoked = lock(&self.revoked);
        revoked.iter().any(|(_, id)| id == session_id)
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::SeqCst)
    }

    pub(crate) fn next_connection(&self) -> ConnectionId {
        ConnectionId(self.next_connection.fetch_add(1, Ordering::Relaxed))
    }

    fn remember_revoked(&self, session_id: &SessionId) {
        let now = self.clock.now();
        let mut revoked = lock(&self.revoked);
        revoked.retain(|(at, _)| now.millis_since(*at) < REVOCATION_MEMORY.as_millis());
        revoked.push_back((now, session_id.clone()));
    }
}

#[async_trait]
impl Rooms for LocalRooms {
    async fn open_socket(&self, grant: SocketGrant, request: Request) -> Response {
        socket::open(self.0.clone(), grant, request)
    }

    async fn refuse_socket(&self, close: CloseCode, v2: bool, request: Request) -> Response {
        socket::refuse(&self.0, close, v2, request)
    }

    async fn send(&self, id: ConversationId, caller: &Caller, send: SendCommand) -> SendOutcome {
        let (answer, outcome) = oneshot::channel();
        let message = RoomMessage::Send {
            user_id: caller.user_id,
            session_id: caller.session_id.clone(),
            send: Box::new(send),
            answer,
        };
        if self.0.room(id).send(message).await.is_err() {
            return SendOutcome::Unavailable;
        }
        outcome.await.unwrap_or(SendOutcome::Unavailable)
    }

    async fn change_stored(&self, id: ConversationId, change: Option<StoredEvent>) {
        let room = self.0.rooms.get(&id).map(|room| room.value().clone());
        let Some(room) = room else { return };
        let change = Box::new(change);
        tell(room, |done| RoomMessage::Changed { change, done }).await;
    }

    async fn revoke_session(&self, session_id: &SessionId) {
        // First remembered, then told: a Room either hears of it or finds it when a socket with
        // an older grant connects.
        self.0.remember_revoked(session_id);
        let rooms: Vec<_> = self
            .0
            .rooms
            .iter()
            .map(|room| room.value().clone())
            .collect();
        join_all(rooms.into_iter().map(|room| {
            let session_id = session_id.clone();
            tell(room, |done| RoomMessage::Revoke { session_id, done })
        }))
        .await;
    }
}

/// Waits until a Room has heard; one that has ended has nobody to tell.
async fn tell(
    room: mpsc::Sender<RoomMessage>,
    message: impl FnOnce(oneshot::Sender<()>) -> RoomMessage,
) {
    let (done, heard) = oneshot::channel();
    if room.send(message(done)).await.is_ok() {
        drop(heard.await);
    }
}

/// What is behind these locks is whole at any time, so a panic elsewhere spoils nothing.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
