//! In which Rooms a login has sockets: one object for each session that ever opened one.
//!
//! Asked by a Room before it lets a socket in and by a Worker that ends the login. With it a
//! revocation reaches the Rooms that hold the session's sockets and wakes no other. Owns that
//! list and whether the login was ended; both live in the object's storage and are deleted when
//! the last token they are about has run out.

use std::collections::BTreeMap;

use colloquy_core::ports::Clock as _;
use colloquy_proto::domain::{Seconds, Timestamp};
use serde::{Deserialize, Serialize};
use tracing::Instrument as _;
use worker::{DurableObject, Env, Request, Response, Result, State, durable_object};

use crate::clock::EdgeClock;
use crate::rpc::{self, END, ENTER, Enter};

/// The one key of the storage.
const KEY: &str = "session";

/// How long an end is remembered for sockets that were granted entry just before it.
const END_MEMORY: Seconds = Seconds(120);

#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Session {
    /// Conversation and when the last token seen there ends, in milliseconds.
    rooms: BTreeMap<i64, i64>,
    /// When the login was ended, in milliseconds.
    ended: Option<i64>,
}

impl Session {
    /// How long it must still be kept, in milliseconds.
    fn needed_ms(&self, now: Timestamp) -> i64 {
        let ended = self.ended.map(|at| Timestamp(at).plus(END_MEMORY));
        let rooms = self.rooms.values().copied().map(Timestamp);
        let last = rooms.chain(ended).max();
        last.map_or(0, |last| last.millis_since(now).max(0))
    }

    /// A socket is about to be in this conversation. Whether that is news to be written; `None`
    /// when it may not be let in.
    fn enter(&mut self, enter: &Enter, now: Timestamp) -> Option<bool> {
        if self.ended.is_some() {
            return None;
        }
        self.rooms.retain(|_, until| *until > now.0);
        let until = self.rooms.entry(enter.conversation_id).or_default();
        let is_news = *until < enter.until;
        *until = enter.until.max(*until);
        Some(is_news)
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
        let kept: Option<String> = self.state.storage().get(KEY).await?;
        Ok(kept.map_or_else(
            || Ok(Session::default()),
            |text| serde_json::from_str(&text),
        )?)
    }

    /// Writes it and sees to its deletion.
    async fn write(&self, session: &Session) -> Result<()> {
        let storage = self.state.storage();
        storage.put(KEY, serde_json::to_string(session)?).await?;
        storage.set_alarm(session.needed_ms(EdgeClock.now())).await
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
        let entry = session.enter(&enter, EdgeClock.now());
        if entry == Some(true) {
            self.write(&session).await?;
        }
        Ok(entry.is_some())
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
        let span = rpc::span(&request);
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

#[cfg(test)]
mod tests {
    use colloquy_fuzz::{Target, for_all};

    use super::*;

    const NOW: Timestamp = Timestamp(1_800_000_000_123);

    fn read(text: &str) -> Session {
        serde_json::from_str(text).expect("what was written")
    }

    fn written(session: &Session) -> String {
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
            assert_eq!(read(&written(&session)), session);
            assert!(session.needed_ms(NOW) >= 0);
            let enter = Enter {
                conversation_id: 7,
                until: NOW.0 + 1,
            };
            let ended = session.ended.is_some();
            assert_eq!(
                session.enter(&enter, NOW).is_none(),
                ended,
                "an end is for good"
            );
            assert!(ended || session.needed_ms(NOW) >= 1);
        });
    }

    #[test]
    fn a_session_is_kept_as_long_as_a_token_seen_in_it() {
        for_all(
            "a_session_is_kept_as_long_as_a_token_seen_in_it",
            2_000,
            |random| {
                let (mut session, mut seen) = (Session::default(), BTreeMap::new());
                let mut now = NOW;
                for _ in 0..random.usize(1..12) {
                    now = now.plus(Seconds(random.i64(0..600)));
                    let enter = Enter {
                        conversation_id: random.i64(1..4),
                        until: now.0 + random.i64(1..900_000),
                    };
                    let before = session.clone();
                    let is_news = session.enter(&enter, now).expect("it stands");
                    let until = seen.entry(enter.conversation_id).or_insert(enter.until);
                    *until = enter.until.max(*until);
                    // Without news only what has run out may differ from what is stored.
                    let stored = before.rooms.get(&enter.conversation_id);
                    assert!(is_news || stored >= Some(&enter.until));
                    for (id, until) in seen.iter().filter(|(_, until)| **until > now.0) {
                        assert_eq!(session.rooms.get(id), Some(until));
                        assert!(session.needed_ms(now) >= until - now.0);
                    }
                    session = read(&written(&session));
                }
            },
        );
    }
}
