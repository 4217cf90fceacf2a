//! The Durable Object of one conversation: turns the runtime's events into calls of [`RoomHost`].
//!
//! The runtime delivers further events while one waits, and may evict the object from memory
//! whenever nothing is in flight. So inputs are handled without waiting (`room_host.rs`); jobs run
//! beside them (`room_jobs.rs`), and their results are further inputs. While a commit is in flight
//! the Room batches sends for the next one, so their order needs no lock here. The database
//! connection is closed when it is not needed any more (`room_database.rs`): an idle object
//! hibernates. A Room that panics is restored by the next event (`room_slot.rs`).
//!
//! The runtime goes on delivering what a closed socket sends until its client closes too. Such an
//! event returns at once: it is not parsed and restores no Room. A client that does not stop causes a
//! reset of the object (`flooding.rs`).

use std::cell::{Cell, OnceCell};
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::rc::Rc;

use colloquy_core::ports::Clock as _;
use colloquy_proto::domain::{ConversationId, SendOutcome, SessionId, Timestamp};
use colloquy_proto::protocol::{CloseCode, MAX_FRAME_BYTES, MAX_SOCKETS_PER_USER, PING, PONG};
use colloquy_proto::room::{ConnectionId, Input};
use tracing::Instrument as _;
use worker::worker_sys::WebSocketRequestResponsePair;
use worker::{
    DurableObject, Env, Request, Response, Result, State, WebSocket, WebSocketIncomingMessage,
    WebSocketPair, durable_object,
};

use crate::app::{IsolateState, shared};
use crate::clock::EdgeClock;
use crate::flooding::{self, DroppedFrames};
use crate::hibernation::{
    CONVERSATION_KEY, connection_of, end, is_ended, open_sockets, user_of, user_tag,
};
use crate::room_database::RoomDatabase;
use crate::room_host::RoomHost;
use crate::room_slot::RoomSlot;
use crate::rpc::{
    self, ADMISSION, CHANGE_STORED, OPEN_SOCKET, REGISTER_SOCKET, REVOKE, SEND, SESSIONS,
};
use crate::rpc_messages::{
    AdmissionDto, RegisterResponse, RegisterSocket, SendRequest, SendResponse,
};
use crate::socket;

/// The most sockets of one user that the runtime keeps for a conversation: those that the Room admits,
/// and as many that are closed but whose clients have not closed them yet. What the runtime has queued
/// for such a socket stays in memory until then.
const MAX_SOCKETS_OF_USER: usize = 2 * MAX_SOCKETS_PER_USER;

/// The object of one conversation.
#[durable_object]
pub struct RoomObject {
    inner: Rc<Inner>,
}

// A panic leaves nothing half changed in it: `RoomSlot` drops what may be.
impl UnwindSafe for RoomObject {}
impl RefUnwindSafe for RoomObject {}

/// What the events and jobs of the object share.
pub(crate) struct Inner {
    pub(crate) state: State,
    env: Env,
    pub(crate) conversation_id: OnceCell<ConversationId>,
    pub(crate) room: RoomSlot<RoomHost>,
    database: OnceCell<RoomDatabase>,
    pub(crate) cache_written_at: Cell<Option<Timestamp>>,
    dropped_frames: DroppedFrames,
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
                room: RoomSlot::default(),
                database: OnceCell::new(),
                cache_written_at: Cell::default(),
                dropped_frames: DroppedFrames::default(),
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
        let Some(id) = self.inner.open_connection(&socket) else {
            return self.inner.drop_frame(&socket).await;
        };
        self.inner.load_conversation_id().await?;
        self.inner.with(Some(&socket), |room| match &message {
            WebSocketIncomingMessage::String(text) if text.len() > MAX_FRAME_BYTES => {
                let close = CloseCode::FrameTooLarge;
                room.receive(id, Input::InvalidFrame { id, close });
            }
            WebSocketIncomingMessage::String(text) => room.receive(id, Input::Frame { id, text }),
            WebSocketIncomingMessage::Binary(_) => {
                let close = CloseCode::Malformed;
                room.receive(id, Input::InvalidFrame { id, close });
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
    pub(crate) fn shared(&self) -> Result<&'static IsolateState> {
        shared(&self.env).map_err(Into::into)
    }

    pub(crate) fn conversation_id(&self) -> Result<ConversationId> {
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

    /// Calls `input` with the Room, which is restored first if it is not in memory, and starts the
    /// resulting jobs. `socket` is the socket of the input, if it has one.
    pub(crate) fn with<T>(
        self: &Rc<Self>,
        socket: Option<&WebSocket>,
        input: impl FnOnce(&mut RoomHost) -> T,
    ) -> Result<T> {
        let (conversation_id, shared) = (self.conversation_id()?, self.shared()?);
        let restore = || RoomHost::restore(conversation_id, shared, &self.state, socket);
        let called = self.room.with(restore, |room| {
            let result = input(room);
            room.check_unconfirmed(&self.state);
            (result, room.take_jobs())
        });
        let (result, jobs) = called.map_err(|panicked| {
            tracing::error!(conversation.id = conversation_id.0, "room panicked");
            if panicked.is_unusable {
                self.end_all_sockets();
            }
            "the Room panicked"
        })?;
        let generation = self.room.generation();
        for job in jobs {
            self.start(job, generation);
        }
        Ok(result)
    }

    /// Closes every socket: its client connects again, to a Room without their former state.
    fn end_all_sockets(&self) {
        for socket in self.state.get_websockets() {
            if !is_ended(&socket) {
                end(&socket, CloseCode::Restarting);
            }
        }
    }

    /// The connection of a socket; `None` once the Room has closed it.
    fn open_connection(&self, socket: &WebSocket) -> Option<ConnectionId> {
        let id = connection_of(&self.state, socket)?;
        let in_memory = self.room.peek(|room| room.has_socket(id));
        in_memory.unwrap_or_else(|| !is_ended(socket)).then_some(id)
    }

    /// Drops a frame of a closed socket, and resets the object when there are too many of them.
    async fn drop_frame(&self, socket: &WebSocket) -> Result<()> {
        let now = EdgeClock.now();
        if !self.dropped_frames.count(now) {
            return Ok(());
        }
        self.load_conversation_id().await?;
        let conversation_id = self.conversation_id()?;
        let user_id = user_of(&self.state, socket);
        if let Some(user_id) = user_id {
            flooding::refuse(conversation_id, user_id, now);
        }
        tracing::warn!(
            conversation.id = conversation_id.0,
            user.id = user_id.map(|id| id.0),
            "closed socket goes on flooding; room reset"
        );
        self.end_all_sockets();
        // Jobs in flight never end after the reset, and would keep the Room in memory.
        self.room.drop_generation(self.room.generation());
        let reset = async { Err::<(), _>("flood of a closed socket".into()) };
        // The error is the reset itself.
        drop(self.state.block_concurrency_while(reset).await);
        Ok(())
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
            crate::faults::PANIC => self.with(None, |_| crate::faults::panic()),
            #[cfg(feature = "faults")]
            crate::faults::PANIC_IN_COMMIT => {
                crate::faults::arm(self.conversation_id()?);
                Response::from_json(&())
            }
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
        let user_id = admission.user_id;
        let refusal = if open_sockets(&self.state, user_id) >= MAX_SOCKETS_OF_USER {
            Some(CloseCode::TooManySockets)
        } else {
            flooding::is_refused(self.conversation_id()?, user_id, EdgeClock.now())
                .then_some(CloseCode::Flooding)
        };
        if let Some(close) = refusal {
            server.accept()?;
            end(&server, close);
            return socket::switch(client, v2);
        }
        let id = self.with(None, |room| room.next_connection_id())?;
        let (connection, user) = (id.0.to_string(), user_tag(user_id));
        self.state
            .accept_websocket_with_tags(&server, &[&connection, &user]);
        match registered {
            Ok(RegisterResponse::Registered) => {
                self.with(None, |room| {
                    room.connect(id, admission.into(), server, &self.state);
                })?;
            }
            Ok(RegisterResponse::Revoked) => end(&server, CloseCode::TokenInvalid),
            Ok(RegisterResponse::TooManyRooms) => end(&server, CloseCode::TooManySockets),
            Err(error) => {
                tracing::error!(error = %error, "session object unreachable");
                end(&server, CloseCode::Overloaded);
            }
        }
        socket::switch(client, v2)
    }

    /// Registers this Room with the session's object.
    pub(crate) async fn register_socket(
        &self,
        session_id: &SessionId,
        until: Timestamp,
    ) -> Result<RegisterResponse> {
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
        let Some(id) = self.open_connection(socket) else {
            return Ok(());
        };
        self.with(Some(socket), |room| room.disconnect(id))
    }

    pub(crate) fn database(&self) -> Result<&RoomDatabase> {
        if let Some(database) = self.database.get() {
            return Ok(database);
        }
        let database = RoomDatabase::of(&self.env)?;
        Ok(self.database.get_or_init(|| database))
    }
}
