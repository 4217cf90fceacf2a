//! The live Rooms of this process: one task each, found by conversation.
//!
//! The registry is asked when a socket opens and when a send comes over REST. A socket then sends to
//! its Room's task directly, so Rooms share no lock on the path of a message.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use axum::extract::Request;
use axum::response::Response;
use colloquy_core::auth::Tokens;
use colloquy_core::cache::RecentHistory;
use colloquy_core::ports::{Clock, Rooms, SocketGrant, Store};
use colloquy_proto::domain::{Caller, ConversationId, SendOutcome, SessionId};
use colloquy_proto::protocol::{CloseCode, SendCommand, StoredEvent};
use colloquy_proto::room::ProcessState;
use dashmap::DashMap;
use futures_util::future::join_all;
use tokio::sync::oneshot;
use tokio_util::task::TaskTracker;

use crate::cache_writer::CacheWriter;
use crate::perf::cross_room_commit::CommitCoalescer;
use crate::room_host::{self, RoomContext};
use crate::room_inbox::{self, RoomInbox, RoomMessage, RoomSender};
use crate::session_rooms::SessionRooms;
use crate::socket::{self, RoomLink};

/// [`Rooms`] as tasks of this process.
#[derive(Clone)]
pub struct LocalRooms(Arc<Registry>);

struct Registry {
    context: Arc<RoomContext>,
    tasks: TaskTracker,
    rooms: DashMap<ConversationId, RoomSender>,
    sessions: SessionRooms,
}

impl LocalRooms {
    /// A registry without Rooms. `throttle_ms` is the time between two sends of a user; `writers`
    /// how many transactions the database takes at once.
    pub fn new(
        store: Arc<dyn Store>,
        recent: Arc<RecentHistory>,
        tokens: Arc<Tokens>,
        clock: Arc<dyn Clock>,
        throttle_ms: i64,
        writers: usize,
    ) -> Self {
        let tasks = TaskTracker::new();
        let context = RoomContext {
            committer: CommitCoalescer::new(Arc::clone(&store), writers),
            store,
            cache_writer: CacheWriter::new(recent, tasks.clone()),
            tokens,
            clock,
            throttle_ms,
            process: ProcessState::default(),
            closing: AtomicBool::new(false),
        };
        Self(Arc::new(Registry {
            context: Arc::new(context),
            tasks,
            rooms: DashMap::new(),
            sessions: SessionRooms::default(),
        }))
    }

    /// The number of live Rooms.
    pub fn live(&self) -> usize {
        self.0.rooms.len()
    }

    /// Shuts down every Room: accepted sends are committed and answered, then the sockets are closed
    /// with 4000. Returns when the last socket is closed and the cache is written.
    pub async fn shutdown(&self) {
        self.0.context.closing.store(true, Ordering::SeqCst);
        let rooms = self.0.senders();
        join_all(rooms.iter().map(|room| room.send(RoomMessage::Shutdown))).await;
        drop(rooms);
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }
}

impl Registry {
    /// The sender of the Room's task, which is started if there is none.
    fn room(self: &Arc<Self>, conversation_id: ConversationId) -> RoomSender {
        let entry = self.rooms.entry(conversation_id);
        let mut room = entry.or_insert_with(|| self.start(conversation_id));
        if room.is_closed() {
            // Its task panicked; a new one starts from the database.
            *room = self.start(conversation_id);
        }
        room.clone()
    }

    fn start(self: &Arc<Self>, conversation_id: ConversationId) -> RoomSender {
        let (sender, inbox) = room_inbox::channel();
        let registry = Arc::clone(self);
        let retire = move |inbox: &RoomInbox| registry.retire(conversation_id, inbox);
        let context = Arc::clone(&self.context);
        let task = room_host::run(context, conversation_id, inbox, retire);
        self.tasks.spawn(task);
        if self.context.is_closing() {
            // `shutdown` may have listed the Rooms before this one was added.
            drop(sender.try_send(RoomMessage::Shutdown));
        }
        sender
    }

    /// Removes a Room, unless a message waits for it or a task has a sender. True when it is removed:
    /// its inbox cannot be reached any more.
    fn retire(&self, conversation_id: ConversationId, inbox: &RoomInbox) -> bool {
        // The registry's own sender is the only one left. Others are cloned under this lock.
        let unused = |_: &_, _: &_| inbox.sender_strong_count() == 1 && inbox.is_empty();
        self.rooms.remove_if(&conversation_id, unused).is_some()
    }

    /// The way to the Room's task, if it runs.
    fn live(&self, conversation_id: ConversationId) -> Option<RoomSender> {
        let room = self.rooms.get(&conversation_id)?;
        Some(room.value().clone())
    }

    fn senders(&self) -> Vec<RoomSender> {
        let rooms = self.rooms.iter();
        rooms.map(|room| room.value().clone()).collect()
    }
}

#[async_trait]
impl Rooms for LocalRooms {
    async fn open_socket(&self, grant: SocketGrant, request: Request) -> Response {
        let registry = Arc::clone(&self.0);
        let conversation_id = grant.conversation_id;
        let session_id = grant.caller.session_id.clone();
        let link = move || RoomLink {
            id: registry.context.process.next_connection_id(),
            entry: registry.sessions.enter(session_id, conversation_id),
            room: registry.room(conversation_id),
        };
        socket::open(&self.0.tasks, link, grant, request)
    }

    async fn refuse_socket(&self, close: CloseCode, v2: bool, request: Request) -> Response {
        socket::refuse(&self.0.tasks, close, v2, request)
    }

    async fn send(
        &self,
        conversation_id: ConversationId,
        caller: &Caller,
        send: SendCommand,
    ) -> SendOutcome {
        let (reply, outcome) = oneshot::channel();
        let message = RoomMessage::Send {
            caller: caller.clone(),
            send: Box::new(send),
            reply,
        };
        if self.0.room(conversation_id).send(message).await.is_err() {
            return SendOutcome::Unavailable;
        }
        outcome.await.unwrap_or(SendOutcome::Unavailable)
    }

    async fn change_stored(&self, conversation_id: ConversationId, event: Option<StoredEvent>) {
        let Some(room) = self.0.live(conversation_id) else {
            return;
        };
        let change = Box::new(event);
        notify(room, |done| RoomMessage::ChangeStored { change, done }).await;
    }

    async fn revoke_session(&self, session_id: &SessionId) {
        // Recorded before any Room is notified, so that a socket that is being opened is either in its
        // Room already or refused because of the record.
        let context = &self.0.context;
        let now = context.clock.now();
        context.process.remember_revoked(session_id, now);
        let rooms = self.0.sessions.rooms_of(session_id).into_iter();
        let rooms = rooms.filter_map(|conversation_id| self.0.live(conversation_id));
        let notified = rooms.map(|room| {
            let session_id = session_id.clone();
            notify(room, |done| RoomMessage::Revoke { session_id, done })
        });
        join_all(notified).await;
    }
}

/// Sends a message to a Room and waits until it is handled. A Room that has ended needs none.
async fn notify(room: RoomSender, message: impl FnOnce(oneshot::Sender<()>) -> RoomMessage) {
    let (done, handled) = oneshot::channel();
    if room.send(message(done)).await.is_ok() {
        drop(handled.await);
    }
}
