//! Drives one Room: a Durable Object that turns its events into inputs of
//! [`colloquy_proto::room::Room`] and does what takes time.
//!
//! The runtime delivers further events while one waits, and may drop the object's memory
//! whenever nothing is under way. Hence: inputs are handled without waiting (`room_host.rs`), and
//! what waits runs beside them and comes back as an input. While a commit is in flight the Room
//! gathers sends for the next, so order needs no lock here. The database connection is closed when
//! nothing needs it any more (`room_database.rs`): an idle Room sleeps.

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

use crate::app::{Shared, shared};
use crate::clock::{EdgeClock, left, until_turn};
use crate::room_database::RoomDatabase;
use crate::room_host::{Job, Live, connection_of};
use crate::room_sockets::end;
use crate::rooms::SESSIONS;
use crate::rpc::{self, CHANGED, ENTER, Enter, GRANT, Grant, OPEN, REVOKE, SEND, Sent};
use crate::socket;

/// The object of one conversation.
#[durable_object]
pub struct RoomObject {
    inner: Rc<Inner>,
}

/// Where an object that sets an alarm keeps which conversation it is the Room of.
const CONVERSATION: &str = "conversation";

/// How long committed events gather for the cache, where they are not part of a lively talk.
const RECORD_AFTER: Duration = Duration::from_millis(25);

/// How long they gather at most while the talk goes on: a request to the cache for each message is a
/// third of what the message costs. Each Room has its own turn: those that began to talk together
/// would tell the cache together ever after, and all others wait meanwhile. Who reads the history
/// before the turn is answered by the database, and tells the cache at once.
const RECORD_EVERY: Duration = Duration::from_secs(3);

struct Inner {
    state: State,
    env: Env,
    id: OnceCell<ConversationId>,
    live: RefCell<Option<Live>>,
    database: OnceCell<RoomDatabase>,
    recorded_at: Cell<Option<Timestamp>>,
}

impl DurableObject for RoomObject {
    fn new(state: State, env: Env) -> Self {
        match WebSocketRequestResponsePair::new(PING, PONG) {
            Ok(pair) => state.set_websocket_auto_response(&pair),
            Err(error) => {
                let error = worker::Error::from(error);
                tracing::error!(error = %error, "pings are answered by the Room itself");
            }
        }
        Self {
            inner: Rc::new(Inner {
                state,
                env,
                id: OnceCell::new(),
                live: RefCell::default(),
                database: OnceCell::new(),
                recorded_at: Cell::default(),
            }),
        }
    }

    async fn fetch(&self, request: Request) -> Result<Response> {
        self.inner.learn_id().await?;
        let span = rpc::span(&request);
        self.inner.serve(request).instrument(span).await
    }

    async fn alarm(&self) -> Result<Response> {
        self.inner.learn_id().await?;
        self.inner.with(None, |live| live.tick(&self.inner.state))?;
        Response::empty()
    }

    async fn connect(&self, _socket: worker::Socket) -> Result<()> {
        Err("a Room takes no connections but WebSockets".into())
    }

    async fn websocket_message(
        &self,
        socket: WebSocket,
        message: WebSocketIncomingMessage,
    ) -> Result<()> {
        let Some(id) = connection_of(&self.inner.state, &socket) else {
            return Ok(());
        };
        self.inner.learn_id().await?;
        self.inner.with(Some(&socket), |live| match &message {
            WebSocketIncomingMessage::String(text) if text.len() > MAX_FRAME_BYTES => {
                let close = CloseCode::FrameTooLarge;
                live.input(Input::InvalidFrame { id, close });
            }
            WebSocketIncomingMessage::String(text) => live.input(Input::Frame { id, text }),
            WebSocketIncomingMessage::Binary(_) => {
                let close = CloseCode::Malformed;
                live.input(Input::InvalidFrame { id, close });
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
        self.inner.learn_id().await?;
        self.inner.gone(&socket)
    }

    async fn websocket_error(&self, socket: WebSocket, _error: worker::Error) -> Result<()> {
        self.inner.learn_id().await?;
        self.inner.gone(&socket)
    }
}

impl Inner {
    fn shared(&self) -> Result<&'static Shared> {
        shared(&self.env).map_err(Into::into)
    }

    /// The conversation this is the Room of.
    fn id(&self) -> Result<ConversationId> {
        let id = self.id.get().copied();
        id.ok_or_else(|| "this object is not named after a conversation".into())
    }

    /// Learns the conversation: it is the object's name. An object that its alarm wakes is not
    /// told its name, and stays without one for all that follows; hence the copy in its storage.
    async fn learn_id(&self) -> Result<()> {
        if self.id.get().is_some() {
            return Ok(());
        }
        let named = self.state.id().name().and_then(|name| name.parse().ok());
        let id = match named {
            Some(id) => Some(id),
            None => self.state.storage().get(CONVERSATION).await?,
        };
        if let Some(id) = id {
            // Whoever came first learnt the same.
            let _ = self.id.set(ConversationId(id));
        }
        Ok(())
    }

    /// Hands the Room to `input`, woken if need be, and starts what that leads to. `socket` is
    /// the one the input is about, if any.
    fn with<T>(
        self: &Rc<Self>,
        socket: Option<&WebSocket>,
        input: impl FnOnce(&mut Live) -> T,
    ) -> Result<T> {
        let mut slot = self.live.borrow_mut();
        let live = if let Some(live) = &mut *slot {
            live
        } else {
            let (id, shared) = (self.id()?, self.shared()?);
            slot.insert(Live::wake(id, shared, &self.state, socket))
        };
        let result = input(live);
        let jobs = live.take_jobs();
        drop(slot);
        for job in jobs {
            self.start(job);
        }
        Ok(result)
    }

    async fn serve(self: &Rc<Self>, mut request: Request) -> Result<Response> {
        match request.path().as_str() {
            OPEN => self.open(&request).await,
            SEND => {
                let outcome = self.send(request.json().await?).await?;
                Response::from_json(&Sent::from(outcome))
            }
            CHANGED => {
                let change = request.json().await?;
                self.with(None, |live| live.input(Input::ChangeStored(change)))?;
                Response::from_json(&())
            }
            REVOKE => {
                let session_id: SessionId = request.json().await?;
                self.with(None, |live| live.revoke(&session_id))?;
                Response::from_json(&())
            }
            #[cfg(feature = "faults")]
            crate::faults::PANIC => crate::faults::panic(),
            _ => Response::error("there is no such call", 404),
        }
    }

    /// Lets a socket in: its session's object is asked first, so that a login that ends at the
    /// same moment is found either there or here.
    async fn open(self: &Rc<Self>, request: &Request) -> Result<Response> {
        let grant = request.headers().get(GRANT)?;
        let grant: Grant = serde_json::from_str(&grant.unwrap_or_default())?;
        let v2 = grant.v2;
        let entered = self.enter(&grant.session_id, grant.expires_at().0).await;
        let WebSocketPair { client, server } = WebSocketPair::new()?;
        let id = self.with(None, Live::reserve)?;
        self.state
            .accept_websocket_with_tags(&server, &[&id.0.to_string()]);
        match entered {
            Ok(true) => self.with(None, |live| live.connect(id, grant.into(), server))?,
            Ok(false) => end(&server, CloseCode::TokenInvalid),
            Err(error) => {
                tracing::error!(error = %error, "a session's object could not be reached");
                end(&server, CloseCode::Overloaded);
            }
        }
        socket::switch(client, v2)
    }

    async fn enter(&self, session_id: &SessionId, until: i64) -> Result<bool> {
        let session = self.env.durable_object(SESSIONS)?;
        let session = session.get_by_name(&session_id.0)?;
        let enter = Enter {
            conversation_id: self.id()?.0,
            until,
        };
        rpc::call(&session, ENTER, &enter).await
    }

    async fn send(self: &Rc<Self>, send: rpc::Send) -> Result<SendOutcome> {
        let (user_id, session_id) = (send.user_id, send.session_id.clone());
        let send = send.command().ok_or("a send outside the rules")?;
        let outcome = self.with(None, |live| {
            live.send(|request_id| Input::Send {
                request_id,
                user_id,
                session_id,
                send,
            })
        })?;
        Ok(outcome.await.unwrap_or(SendOutcome::Unavailable))
    }

    fn gone(self: &Rc<Self>, socket: &WebSocket) -> Result<()> {
        let Some(id) = connection_of(&self.state, socket) else {
            return Ok(());
        };
        self.with(Some(socket), |live| live.disconnect(id))
    }

    /// Runs a job beside whatever else happens to the object.
    fn start(self: &Rc<Self>, job: Job) {
        let inner = Rc::clone(self);
        let asks = matches!(job, Job::Commit(_) | Job::Load { .. });
        if asks && let Ok(database) = self.database() {
            database.begin();
        }
        let work = async move {
            if let Err(error) = inner.run(job).await {
                tracing::error!(error = %error, "a Room's work failed");
            }
            if asks && let Ok(database) = inner.database() {
                database.done().await;
            }
        };
        // In the span of the request that brought it about, if one did.
        self.state.wait_until(work.in_current_span());
    }

    async fn run(self: &Rc<Self>, job: Job) -> Result<()> {
        match job {
            Job::Commit(sends) => {
                let stored = self.database()?.store.append(&sends).await;
                let stored = stored.map_err(|error| failed(&error, "a commit failed"));
                self.with(None, |live| live.committed(stored))
            }
            Job::Load { since, limit } => {
                let id = self.id()?;
                let events = self.database()?.store.events(id, since, limit).await;
                let events = events.map_err(|error| failed(&error, "a load failed"));
                self.with(None, |live| live.input(Input::Loaded(events)))
            }
            Job::Release(at) => {
                let left = at.millis_since(EdgeClock.now()).try_into().unwrap_or(0);
                Delay::from(Duration::from_millis(left)).await;
                self.with(None, |live| live.release(at))
            }
            Job::Record => self.record().await,
            Job::Alarm(at) => self.set_alarm(at).await,
            Job::Prolong(session_id, until) => {
                if !self.enter(&session_id, until.0).await? {
                    self.with(None, |live| live.revoke(&session_id))?;
                }
                Ok(())
            }
        }
    }

    /// Puts events into the cache some time after they were delivered, so that nobody waits for it
    /// and a lively Room asks it less often.
    async fn record(self: &Rc<Self>) -> Result<()> {
        let (recent, database) = (&self.shared()?.recent, self.database()?);
        let mut more = true;
        while more {
            Delay::from(RECORD_AFTER).await;
            while let (Some(left), Some(rest)) = (self.gathers_for(), database.rest()) {
                Delay::from(left.min(rest)).await;
            }
            let batch = self.with(None, Live::unrecorded)?;
            recent.record(&batch).await;
            self.recorded_at.set(Some(EdgeClock.now()));
            more = self.with(None, Live::recorded)?;
        }
        Ok(())
    }

    /// How long events may gather still, since the cache was told last.
    fn gathers_for(&self) -> Option<Duration> {
        let (id, then) = (self.id.get()?, self.recorded_at.get()?);
        let turn = until_turn(RECORD_EVERY, id.0, then);
        left(turn, Some(then), EdgeClock.now())
    }

    fn database(&self) -> Result<&RoomDatabase> {
        if let Some(database) = self.database.get() {
            return Ok(database);
        }
        let database = RoomDatabase::of(&self.env)?;
        Ok(self.database.get_or_init(|| database))
    }

    /// Sees to it that the alarm rings at this time or earlier. Setting it is a write that is paid
    /// for, and a Room that has just woken does not know that it is set.
    async fn set_alarm(&self, at: Timestamp) -> Result<()> {
        let storage = self.state.storage();
        if storage.get_alarm().await?.is_some_and(|set| set <= at.0) {
            return Ok(());
        }
        storage.put(CONVERSATION, self.id()?.0).await?;
        storage
            .set_alarm(at.millis_since(EdgeClock.now()).max(0))
            .await
    }
}

/// The place where a failure is logged: the Room knows no more than that it failed.
fn failed(error: &StoreError, what: &'static str) -> StoreFailed {
    error.log(what);
    StoreFailed
}
