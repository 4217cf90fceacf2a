//! The Durable Object of one session: which Rooms the session has sockets in, and whether it is revoked.
//!
//! A Room registers here before it connects a socket, and the Worker asks here when the session is
//! revoked. So a revocation reaches the Rooms that have the session's sockets and wakes no other.
//! The state is in the object's storage and is deleted when its last token has expired.

use std::collections::BTreeMap;

use colloquy_core::ports::Clock as _;
use colloquy_proto::domain::{ConversationId, Seconds, Timestamp};
use colloquy_proto::room::host::REVOCATION_MEMORY;
use serde::{Deserialize, Serialize};
use tracing::Instrument as _;
use worker::{DurableObject, Env, Request, Response, Result, State, durable_object};

use crate::clock::EdgeClock;
use crate::rpc::{self, END_SESSION, REGISTER_SOCKET};
use crate::rpc_messages::{RegisterResponse, RegisterSocket};

/// The only key of the storage.
const KEY: &str = "session";

/// How long a repeated revocation notifies the Rooms again.
const REPEAT_PERIOD: Seconds = Seconds(60);

/// The most conversations a session has sockets in. A revocation calls the Room of each, and the
/// platform allows a request 1,000 calls.
const MAX_ROOMS: usize = 500;

/// The stored state. Its JSON outlives versions of this program.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Session {
    /// The conversations with sockets, each with the latest token expiry seen there, in milliseconds.
    rooms: BTreeMap<ConversationId, i64>,
    /// When the session was revoked, in milliseconds.
    ended: Option<i64>,
}

/// What becomes of a socket that is to be registered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Registration {
    /// The session is revoked.
    Revoked,
    /// It has sockets in [`MAX_ROOMS`] other conversations.
    TooManyRooms,
    /// Already stored.
    Unchanged,
    /// The changed state has to be stored.
    Changed,
}

impl Session {
    /// How long the state is still needed, in milliseconds.
    fn needed_ms(&self, now: Timestamp) -> i64 {
        let ended = self.ended.map(|at| Timestamp(at).plus(REVOCATION_MEMORY));
        let rooms = self.rooms.values().copied().map(Timestamp);
        let last = rooms.chain(ended).max();
        last.map_or(0, |last| last.millis_since(now).max(0))
    }

    /// Revokes the session; `false` when it was revoked before.
    const fn end(&mut self, now: Timestamp) -> bool {
        let is_first = self.ended.is_none();
        if is_first {
            self.ended = Some(now.0);
        }
        is_first
    }

    /// The conversations that a revocation has to reach. Repeated soon after the first call, which may
    /// have failed, it reaches them again; later it wakes no Room.
    fn rooms_to_notify(&self, now: Timestamp) -> Vec<ConversationId> {
        let ended = self.ended.map(Timestamp);
        let is_recent = ended.is_some_and(|at| now < at.plus(REPEAT_PERIOD));
        let rooms = self.rooms.keys().filter(|_| is_recent);
        rooms.copied().collect()
    }

    fn register(&mut self, socket: &RegisterSocket, now: Timestamp) -> Registration {
        if self.ended.is_some() {
            return Registration::Revoked;
        }
        self.rooms.retain(|_, until| *until > now.0);
        if self.rooms.len() >= MAX_ROOMS && !self.rooms.contains_key(&socket.conversation_id) {
            return Registration::TooManyRooms;
        }
        let until = self.rooms.entry(socket.conversation_id).or_default();
        let is_longer = *until < socket.until().0;
        *until = socket.until().0.max(*until);
        if is_longer {
            Registration::Changed
        } else {
            Registration::Unchanged
        }
    }
}

/// The object of one session.
#[durable_object]
#[derive(Debug)]
pub struct SessionObject {
    state: State,
}

impl SessionObject {
    async fn read(&self) -> Result<Session> {
        let stored: Option<String> = self.state.storage().get(KEY).await?;
        Ok(stored.map_or_else(
            || Ok(Session::default()),
            |text| serde_json::from_str(&text),
        )?)
    }

    /// Stores the state and schedules its deletion.
    async fn write(&self, session: &Session) -> Result<()> {
        let storage = self.state.storage();
        storage.put(KEY, serde_json::to_string(session)?).await?;
        storage.set_alarm(session.needed_ms(EdgeClock.now())).await
    }

    async fn serve(&self, mut request: Request) -> Result<Response> {
        match request.path().as_str() {
            REGISTER_SOCKET => {
                let socket = request.json().await?;
                Response::from_json(&self.register(socket).await?)
            }
            END_SESSION => Response::from_json(&self.end().await?),
            _ => Response::error("there is no such call", 404),
        }
    }

    async fn register(&self, socket: RegisterSocket) -> Result<RegisterResponse> {
        let mut session = self.read().await?;
        let registration = session.register(&socket, EdgeClock.now());
        if registration == Registration::Changed {
            self.write(&session).await?;
        }
        Ok(match registration {
            Registration::Revoked => RegisterResponse::Revoked,
            Registration::TooManyRooms => RegisterResponse::TooManyRooms,
            Registration::Unchanged | Registration::Changed => RegisterResponse::Registered,
        })
    }

    /// Revokes the session; returns the conversations where it has sockets.
    async fn end(&self) -> Result<Vec<ConversationId>> {
        let mut session = self.read().await?;
        let now = EdgeClock.now();
        if session.end(now) {
            self.write(&session).await?;
        }
        Ok(session.rooms_to_notify(now))
    }
}

impl DurableObject for SessionObject {
    fn new(state: State, _env: Env) -> Self {
        Self { state }
    }

    async fn fetch(&self, request: Request) -> Result<Response> {
        let span = rpc::span(&request);
        self.serve(request).instrument(span).await
    }

    async fn alarm(&self) -> Result<Response> {
        // Every token it is about has expired.
        self.state.storage().delete_all().await?;
        Response::empty()
    }

    async fn connect(&self, _socket: worker::Socket) -> Result<()> {
        Err("a session object accepts no connections".into())
    }

    async fn websocket_message(
        &self,
        _socket: worker::WebSocket,
        _message: worker::WebSocketIncomingMessage,
    ) -> Result<()> {
        Err("a session object has no sockets".into())
    }

    async fn websocket_close(
        &self,
        _socket: worker::WebSocket,
        _code: usize,
        _reason: String,
        _was_clean: bool,
    ) -> Result<()> {
        Err("a session object has no sockets".into())
    }

    async fn websocket_error(
        &self,
        _socket: worker::WebSocket,
        _error: worker::Error,
    ) -> Result<()> {
        Err("a session object has no sockets".into())
    }
}

#[cfg(test)]
mod tests {
    use colloquy_fuzz::{Target, for_all};

    use super::*;

    const NOW: Timestamp = Timestamp(1_800_000_000_123);

    fn decode(text: &str) -> Session {
        serde_json::from_str(text).expect("the JSON just written")
    }

    fn encode(session: &Session) -> String {
        serde_json::to_string(session).expect("JSON")
    }

    #[test]
    fn stored_sessions() {
        let target = Target {
            name: "stored_sessions",
            corpus: include_str!("corpus/stored_sessions.txt"),
            words: &["rooms", "ended", "null", "1800000000123"],
            cases: 20_000,
        };
        target.run(|input| {
            let Ok(mut session) = serde_json::from_slice::<Session>(input) else {
                return;
            };
            assert_eq!(decode(&encode(&session)), session);
            assert!(session.needed_ms(NOW) >= 0);
            let socket = RegisterSocket::new(ConversationId(7), Timestamp(NOW.0 + 1));
            let is_ended = session.ended.is_some();
            let registration = session.register(&socket, NOW);
            assert_eq!(
                registration == Registration::Revoked,
                is_ended,
                "a revocation is final"
            );
            let is_full = registration == Registration::TooManyRooms;
            assert!(is_ended || is_full || session.needed_ms(NOW) >= 1);
        });
    }

    #[test]
    fn revocation_repeated_later_wakes_no_room() {
        let mut session = Session::default();
        let socket = RegisterSocket::new(ConversationId(7), Timestamp(NOW.0 + 900_000));
        session.register(&socket, NOW);
        assert!(session.end(NOW));
        let soon = NOW.plus(Seconds(59));
        assert!(!session.end(soon));
        assert_eq!(session.rooms_to_notify(soon), [ConversationId(7)]);
        let later = NOW.plus(Seconds(60));
        assert!(!session.end(later));
        assert!(session.rooms_to_notify(later).is_empty());
    }

    #[test]
    fn number_of_rooms_of_a_session_is_bounded() {
        let mut session = Session::default();
        let mut register = |id, now: Timestamp| {
            let until = Timestamp(now.0 + 1_000);
            session.register(&RegisterSocket::new(ConversationId(id), until), now)
        };
        for id in 1..=500 {
            assert_eq!(register(id, NOW), Registration::Changed);
        }
        assert_eq!(register(501, NOW), Registration::TooManyRooms);
        assert_eq!(
            register(500, NOW),
            Registration::Unchanged,
            "it is in there"
        );
        let later = Timestamp(NOW.0 + 1_000);
        assert_eq!(
            register(501, later),
            Registration::Changed,
            "the others have expired"
        );
    }

    #[test]
    fn session_is_stored_as_long_as_its_newest_token() {
        for_all(
            "session_is_stored_as_long_as_its_newest_token",
            2_000,
            |random| {
                let (mut session, mut seen) = (Session::default(), BTreeMap::new());
                let mut now = NOW;
                for _ in 0..random.usize(1..12) {
                    now = now.plus(Seconds(random.i64(0..600)));
                    let id = ConversationId(random.i64(1..4));
                    let until = Timestamp(now.0 + random.i64(1..900_000));
                    let before = session.clone();
                    let registration = session.register(&RegisterSocket::new(id, until), now);
                    assert_ne!(registration, Registration::Revoked);
                    let newest = seen.entry(id).or_insert(until.0);
                    *newest = until.0.max(*newest);
                    // Unchanged means that only what has expired may differ from what is stored.
                    let stored = before.rooms.get(&id);
                    assert!(registration == Registration::Changed || stored >= Some(&until.0));
                    for (id, until) in seen.iter().filter(|(_, until)| **until > now.0) {
                        assert_eq!(session.rooms.get(id), Some(until));
                        assert!(session.needed_ms(now) >= until - now.0);
                    }
                    session = decode(&encode(&session));
                }
            },
        );
    }
}
