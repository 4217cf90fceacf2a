//! The Durable Object of one conversation: turns the runtime's events into calls of [`RoomHost`] and
//! runs the jobs that take time.
//!
//! The runtime delivers further events while one waits, and may evict the object from memory
//! whenever nothing is in flight. So inputs are handled without waiting (`room_host.rs`); jobs run
//! beside them, and their results are further inputs. While a commit is in flight the Room batches
//! sends for the next one, so their order needs no lock here. The database connection is closed when
//! it is not needed any more (`room_database.rs`): an idle object hibernates.

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use colloquy_core::ports::{Clock as _, Store as _, StoreError};
use colloquy_proto::domain::{ConversationId, SendOutcome, SessionId, Timestamp};
use colloquy_proto::protocol::{CloseCode, MAX_FRAME_BYTES, PING, PONG};
use colloquy_proto::room::{Input, StoreFailed};
use tracing::Instrument as _;
use worker::worker_sys::WebSocketRequestResponsePair;
use worker::{
    Delay, DurableObject, Env, Request, Response, Result, State, WebSocket,
    WebSocketIncomingMessage, WebSocketPair, durable_object,
};

use crate::app::{IsolateState, shared};
use crate::clock::{EdgeClock, remaining, staggered_delay};
use crate::hibernation::{connection_of, end};
use crate::room_database::RoomDatabase;
use crate::room_host::{Job, RoomHost};
use crate::rpc::{
    self, ADMISSION, AdmissionDto, CHANGE_STORED, OPEN_SOCKET, REGISTER_SOCKET, REVOKE,
    RegisterSocket, SEND, SESSIONS, SendRequest, SendResponse,
};
use crate::socket;

/// The object of one conversation.
#[durable_object]
pub struct RoomObject {
    inner: Rc<Inner>,
}

/// The storage key of the conversation's id, written by an object that sets an alarm.
const CONVERSATION_KEY: &str = "conversation";

/// How long committed events wait to be written to the cache, while the conversation is not active.
const WRITE_AFTER: Duration = Duration::from_millis(25);

/// How long they wait at most while it is active: a cache write for each message is a third of the
/// message's cost. Each Room writes at its own offset in this period; Rooms that became active
/// together would otherwise write together and delay all others. Until the write, the history is
/// read from the database, and the reader fills the cache.
const WRITE_PERIOD: Duration = Duration::from_secs(3);

/// The time between two parts of a resume: the runtime reports nothing about what a client has read.
const RESUME_PACE: Duration = Duration::from_millis(25);

struct Inner {
    state: State,
    env: Env,
    conversation_id: OnceCell<ConversationId>,
    room: RefCell<Option<RoomHost>>,
    database: OnceCell<RoomDatabase>,
    cache_written_at: Cell<Option<Timestamp>>,
}

impl DurableObject for RoomObject {
    fn new(state: State, env: Env) -> Self {
        match WebSocketRequestResponsePair::new(PING, PONG) {
            Ok(pair) => state.set_websocket_auto_response(&pair),
            Err(error) => {
                let error = worker::Error::from(error);
                tracing::error!(error = %error, "the runtime cannot answer pings; the Room does");
            }
        }
        Self {
            inner: Rc::new(Inner {
                state,
                env,
                conversation_id: OnceCell::new(),
                room: RefCell::default(),
                database: OnceCell::new(),
                cache_written_at: Cell::default(),
            }),
        }
    }

    async fn fetch(&self, request: Request) -> Result<Response> {
        self.inner.load_conversation_id().await?;
        let span = rpc::span(&request);
        self.inner.serve(request).instrument(span).await
    }

    async fn alarm(&self) -> Result<Response> {
        self.inner.load_conversation_id().await?;
        self.inner
            .with(None, |room| room.on_alarm(&self.inner.state))?;
        Response::empty()
    }

    async fn connect(&self, _socket: worker::Socket) -> Result<()> {
        Err("a Room accepts WebSockets only".into())
    }

    async fn websocket_message(
        &self,
        socket: WebSocket,
        message: WebSocketIncomingMessage,
    ) -> Result<()> {
        let Some(id) = connection_of(&self.inner.state, &socket) else {
            return Ok(());
        };
        self.inner.load_conversation_id().await?;
        self.inner.with(Some(&socket), |room| match &message {
            WebSocketIncomingMessage::String(text) if text.len() > MAX_FRAME_BYTES => {
                let close = CloseCode::FrameTooLarge;
                room.handle(Input::InvalidFrame { id, close });
            }
            WebSocketIncomingMessage::String(text) => room.handle(Input::Frame { id, text }),
            WebSocketIncomingMessage::Binary(_) => {
                let close = CloseCode::Malformed;
                room.handle(Input::InvalidFrame { id, close });
            }
        })
    }

    async fn websocket_close(
        &self,
        socket: WebSocket,
        _code: usize,
        _reason: String,
        _was_clean: bool,
    ) -> Result<()> {
        self.inner.load_conversation_id().await?;
        self.inner.socket_closed(&socket)
    }

    async fn websocket_error(&self, socket: WebSocket, _error: worker::Error) -> Result<()> {
        self.inner.load_conversation_id().await?;
        self.inner.socket_closed(&socket)
    }
}

impl Inner {
    fn shared(&self) -> Result<&'static IsolateState> {
        shared(&self.env).map_err(Into::into)
    }

    fn conversation_id(&self) -> Result<ConversationId> {
        let id = self.conversation_id.get().copied();
        id.ok_or_else(|| "the name of this object is no conversation id".into())
    }

    /// Reads the conversation's id, which is the object's name. An object woken by its alarm has no
    /// name, also in later events; hence the copy in its storage.
    async fn load_conversation_id(&self) -> Result<()> {
        if self.conversation_id.get().is_some() {
            return Ok(());
        }
        let named = self.state.id().name().and_then(|name| name.parse().ok());
        let id = match named {
            Some(id) => Some(id),
            None => self.state.storage().get(CONVERSATION_KEY).await?,
        };
        if let Some(id) = id {
            // Another event may have set the same id while this one waited.
            let _ = self.conversation_id.set(ConversationId(id));
        }
        Ok(())
    }

    /// Calls `input` with the Room, which is restored first if it hibernates, and starts the resulting
    /// jobs. `socket` is the socket of the input, if it has one.
    fn with<T>(
        self: &Rc<Self>,
        socket: Option<&WebSocket>,
        input: impl FnOnce(&mut RoomHost) -> T,
    ) -> Result<T> {
        let mut slot = self.room.borrow_mut();
        let room = if let Some(room) = &mut *slot {
            room
        } else {
            let (conversation_id, shared) = (self.conversation_id()?, self.shared()?);
            let state = &self.state;
            slot.insert(RoomHost::restore(conversation_id, shared, state, socket))
        };
        let result = input(room);
        let jobs = room.take_jobs();
        drop(slot);
        for job in jobs {
            self.start(job);
        }
        Ok(result)
    }

    async fn serve(self: &Rc<Self>, mut request: Request) -> Result<Response> {
        match request.path().as_str() {
            OPEN_SOCKET => self.open(&request).await,
            SEND => {
                let outcome = self.send(request.json().await?).await?;
                Response::from_json(&SendResponse::from(outcome))
            }
            CHANGE_STORED => {
                let change = request.json().await?;
                self.with(None, |room| room.handle(Input::ChangeStored(change)))?;
                Response::from_json(&())
            }
            REVOKE => {
                let session_id: SessionId = request.json().await?;
                self.with(None, |room| room.revoke(&session_id))?;
                Response::from_json(&())
            }
            #[cfg(feature = "faults")]
            crate::faults::PANIC => crate::faults::panic(),
            _ => Response::error("there is no such call", 404),
        }
    }

    /// Opens a socket. It is registered with the session's object first: a concurrent revocation is
    /// found there, or reaches this Room because it is registered.
    async fn open(self: &Rc<Self>, request: &Request) -> Result<Response> {
        let admission = request.headers().get(ADMISSION)?;
        let admission: AdmissionDto = serde_json::from_str(&admission.unwrap_or_default())?;
        let v2 = admission.v2;
        let registered = self
            .register_socket(&admission.session_id, admission.expires_at())
            .await;
        let WebSocketPair { client, server } = WebSocketPair::new()?;
        let id = self.with(None, |room| room.next_connection_id())?;
        self.state
            .accept_websocket_with_tags(&server, &[&id.0.to_string()]);
        match registered {
            Ok(true) => self.with(None, |room| {
                room.connect(id, admission.into(), server, &self.state);
            })?,
            Ok(false) => end(&server, CloseCode::TokenInvalid),
            Err(error) => {
                tracing::error!(error = %error, "session object unreachable");
                end(&server, CloseCode::Overloaded);
            }
        }
        socket::switch(client, v2)
    }

    /// Registers this Room with the session's object; false when the session is revoked.
    async fn register_socket(&self, session_id: &SessionId, until: Timestamp) -> Result<bool> {
        let session = self.env.durable_object(SESSIONS)?;
        let session = session.get_by_name(&session_id.0)?;
        let register = RegisterSocket::new(self.conversation_id()?, until);
        rpc::call(&session, REGISTER_SOCKET, &register).await
    }

    async fn send(self: &Rc<Self>, request: SendRequest) -> Result<SendOutcome> {
        let sender = (request.user_id, request.session_id.clone());
        let send = request.command().ok_or("the send is invalid")?;
        let outcome = self.with(None, |room| room.send(sender, send))?;
        Ok(outcome.await.unwrap_or(SendOutcome::Unavailable))
    }

    fn socket_closed(self: &Rc<Self>, socket: &WebSocket) -> Result<()> {
        let Some(id) = connection_of(&self.state, socket) else {
            return Ok(());
        };
        self.with(Some(socket), |room| room.disconnect(id))
    }

    /// Runs a job while the object handles other events.
    fn start(self: &Rc<Self>, job: Job) {
        let inner = Rc::clone(self);
        let uses_database = matches!(job, Job::Commit(_) | Job::Load { .. });
        if uses_database && let Ok(database) = self.database() {
            database.begin();
        }
        let work = async move {
            if let Err(error) = inner.run(job).await {
                tracing::error!(error = %error, "background job failed");
            }
            if uses_database && let Ok(database) = inner.database() {
                database.done().await;
            }
        };
        // In the span of the request that caused it, if one did.
        self.state.wait_until(work.in_current_span());
    }

    async fn run(self: &Rc<Self>, job: Job) -> Result<()> {
        match job {
            Job::Commit(sends) => {
                let stored = self.database()?.store.append(&sends).await;
                let stored = stored.map_err(|error| failed(&error, "commit failed"));
                self.with(None, |room| room.committed(stored))
            }
            Job::Load { since, limit } => {
                let id = self.conversation_id()?;
                let events = self.database()?.store.events(id, since, limit).await;
                let events = events.map_err(|error| failed(&error, "loading events failed"));
                self.with(None, |room| room.handle(Input::Loaded(events)))
            }
            Job::Flush(at) => {
                let left = at.millis_since(EdgeClock.now()).try_into().unwrap_or(0);
                Delay::from(Duration::from_millis(left)).await;
                self.with(None, |room| room.flush(at))
            }
            Job::Drained(id) => {
                Delay::from(RESUME_PACE).await;
                self.with(None, |room| room.handle(Input::Drained { id }))
            }
            Job::WriteCache => self.write_cache().await,
            Job::SetAlarm(at) => self.set_alarm(at).await,
            Job::ExtendSession(session_id, until) => {
                if !self.register_socket(&session_id, until).await? {
                    self.with(None, |room| room.revoke(&session_id))?;
                }
                Ok(())
            }
        }
    }

    /// Writes events to the cache some time after their delivery: no client waits for it, and an active
    /// Room writes less often.
    async fn write_cache(self: &Rc<Self>) -> Result<()> {
        let (recent, database) = (&self.shared()?.recent, self.database()?);
        let mut more = true;
        while more {
            Delay::from(WRITE_AFTER).await;
            while let (Some(left), Some(idle)) =
                (self.until_next_write(), database.time_until_idle())
            {
                Delay::from(left.min(idle)).await;
            }
            let batch = self.with(None, RoomHost::drain_events)?;
            recent.record(&batch).await;
            self.cache_written_at.set(Some(EdgeClock.now()));
            more = self.with(None, RoomHost::cache_written)?;
        }
        Ok(())
    }

    /// How long events may still wait, given the last write.
    fn until_next_write(&self) -> Option<Duration> {
        let (id, then) = (self.conversation_id.get()?, self.cache_written_at.get()?);
        let delay = staggered_delay(WRITE_PERIOD, id.0, then);
        remaining(delay, Some(then), EdgeClock.now())
    }

    fn database(&self) -> Result<&RoomDatabase> {
        if let Some(database) = self.database.get() {
            return Ok(database);
        }
        let database = RoomDatabase::of(&self.env)?;
        Ok(self.database.get_or_init(|| database))
    }

    /// Makes sure that the alarm fires at this time or earlier. Setting it is a billed write, and a Room
    /// that was just restored does not know whether it is set.
    async fn set_alarm(&self, at: Timestamp) -> Result<()> {
        let storage = self.state.storage();
        if storage.get_alarm().await?.is_some_and(|set| set <= at.0) {
            return Ok(());
        }
        storage
            .put(CONVERSATION_KEY, self.conversation_id()?.0)
            .await?;
        storage
            .set_alarm(at.millis_since(EdgeClock.now()).max(0))
            .await
    }
}

/// Logs a failure. The Room receives it without its reason.
fn failed(error: &StoreError, what: &'static str) -> StoreFailed {
    error.log(what);
    StoreFailed
}
