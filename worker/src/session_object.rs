//! In which Rooms a login has sockets: one object for each session that ever opened one.
//!
//! Asked by a Room before it lets a socket in and by a Worker that ends the login. With it a
//! revocation reaches the Rooms that hold the session's sockets and wakes no other. Owns that
//! list and whether the login was ended; both live in the object's storage and are deleted when
//! the last token they are about has run out.

use std::collections::BTreeMap;

use colloquy_core::domain::{Seconds, Timestamp};
use colloquy_core::ports::Clock as _;
use serde::{Deserialize, Serialize};
use tracing::Instrument as _;
use worker::{DurableObject, Env, Request, Response, Result, State, durable_object};

use crate::clock::EdgeClock;
use crate::internal::{self, END, ENTER, Enter};

/// The one key of the storage.
const KEY: &str = "session";

/// How long an end is remembered for sockets that were granted entry just before it.
const END_MEMORY: Seconds = Seconds(120);

#[derive(Debug, Default, Serialize, Deserialize)]
struct Session {
    /// Conversation and when the last token seen there ends, in milliseconds.
    rooms: BTreeMap<i64, i64>,
    /// When the login was ended, in milliseconds.
    ended: Option<i64>,
}

/// The object of one session.
#[durable_object]
#[derive(Debug)]
pub struct SessionObject {
    state: State,
}

impl SessionObject {
    async fn read(&self) -> Result<Session> {
        let kept: Option<String> = self.state.storage().get(KEY).await?;
        Ok(kept.map_or_else(
            || Ok(Session::default()),
            |text| serde_json::from_str(&text),
        )?)
    }

    /// Writes it and sees to its deletion.
    async fn write(&self, session: &Session) -> Result<()> {
        let now = EdgeClock.now();
        let ended = session.ended.map(|at| Timestamp(at).plus(END_MEMORY).0);
        let last = session.rooms.values().copied().chain(ended).max();
        let storage = self.state.storage();
        storage.put(KEY, serde_json::to_string(session)?).await?;
        storage
            .set_alarm(last.map_or(0, |last| (last - now.0).max(0)))
            .await
    }

    async fn serve(&self, mut request: Request) -> Result<Response> {
        match request.path().as_str() {
            ENTER => Response::from_json(&self.enter(request.json().await?).await?),
            END => Response::from_json(&self.end().await?),
            _ => Response::error("there is no such call", 404),
        }
    }

    /// `true` when the socket may be let in.
    async fn enter(&self, enter: Enter) -> Result<bool> {
        let mut session = self.read().await?;
        if session.ended.is_some() {
            return Ok(false);
        }
        let now = EdgeClock.now();
        session.rooms.retain(|_, until| *until > now.0);
        let until = session.rooms.entry(enter.conversation_id).or_default();
        if *until < enter.until {
            *until = enter.until;
            self.write(&session).await?;
        }
        Ok(true)
    }

    /// Ends the login; answers where its sockets are.
    async fn end(&self) -> Result<Vec<i64>> {
        let mut session = self.read().await?;
        session.ended = Some(EdgeClock.now().0);
        self.write(&session).await?;
        Ok(session.rooms.into_keys().collect())
    }
}

impl DurableObject for SessionObject {
    fn new(state: State, _env: Env) -> Self {
        Self { state }
    }

    async fn fetch(&self, request: Request) -> Result<Response> {
        let span = internal::span(&request);
        self.serve(request).instrument(span).await
    }

    async fn alarm(&self) -> Result<Response> {
        // Whatever it was about has run out.
        self.state.storage().delete_all().await?;
        Response::empty()
    }

    async fn connect(&self, _socket: worker::Socket) -> Result<()> {
        Err("a session takes no connections".into())
    }

    async fn websocket_message(
        &self,
        _socket: worker::WebSocket,
        _message: worker::WebSocketIncomingMessage,
    ) -> Result<()> {
        Err("a session has no sockets".into())
    }

    async fn websocket_close(
        &self,
        _socket: worker::WebSocket,
        _code: usize,
        _reason: String,
        _was_clean: bool,
    ) -> Result<()> {
        Err("a session has no sockets".into())
    }

    async fn websocket_error(
        &self,
        _socket: worker::WebSocket,
        _error: worker::Error,
    ) -> Result<()> {
        Err("a session has no sockets".into())
    }
}
