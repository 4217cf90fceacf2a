//! One Room with an honest host around it: a store that remembers, a clock that is set, tokens
//! that are verified. Only what clients send is hostile.

use std::collections::BTreeMap;
use std::sync::Arc;

use colloquy_core::auth::{TokenError, Tokens};
use colloquy_proto::domain::{
    Admission, AppendOutcome, BatchOutcome, Caller, ConversationId, Epoch, MessageId,
    MessageNumber, NewMessage, Position, Seconds, Seq, SessionId, StoredMessage, Timestamp, UserId,
};
use colloquy_proto::protocol::{CloseCode, ErrorCode, Event, EventPage, MessageEvent};
use colloquy_proto::room::{
    ConnectionId, Effect, EncodedFrame, Input, NewConnection, Room, Snapshot, TokenRejected,
};
use serde_json::Value;

use crate::tokens::{NOW, tokens};

const CONVERSATION: ConversationId = ConversationId(1);
const THROTTLE_MS: i64 = 1_000;

/// Connections 0 and 1 join as v1, 2 and 3 as v2; 0 and 2 are Ann's.
pub(crate) const CONNECTIONS: u64 = 4;

/// Whatever a frame asks for, this is the most that may come back of it at once, in bytes: a whole
/// resume of the longest messages, in the longest spelling that JSON has for them.
const MAX_ANSWER_BYTES: usize = 300 * (4_000 * 12 + 2_000);

/// Types a v2 socket may receive.
const TYPES: [&str; 10] = [
    "hello",
    "ack",
    "message",
    "batch",
    "sync",
    "reset",
    "auth.expiring",
    "auth.ok",
    "error",
    "pong",
];

pub(crate) struct World {
    room: Room,
    tokens: Tokens,
    now: Timestamp,
    epoch: Epoch,
    stored: Vec<Event>,
    known: BTreeMap<(UserId, String), StoredMessage>,
    /// Open connections by number, each with whether it is v2 by now.
    open: BTreeMap<u64, (ConnectionId, bool)>,
    next_connection: u64,
    /// Bytes the last text led to.
    answered: usize,
}

fn user(number: u64) -> UserId {
    UserId(if number.is_multiple_of(2) { 1 } else { 2 })
}

impl World {
    pub(crate) fn new() -> Self {
        Self {
            room: Room::new(CONVERSATION, THROTTLE_MS),
            tokens: tokens(),
            now: NOW,
            epoch: Epoch("e1".into()),
            stored: Vec::new(),
            known: BTreeMap::new(),
            open: BTreeMap::new(),
            next_connection: 0,
            answered: 0,
        }
    }

    /// An access token of Ann's, which a text may hold.
    pub(crate) fn token(&self) -> String {
        crate::tokens::access(&self.tokens)
    }

    /// Sends a text on one of the connections, opening it where it is not.
    pub(crate) fn text(&mut self, number: u64, text: &str) {
        if !self.open.contains_key(&number) {
            self.connect(number);
        }
        let Some((id, _)) = self.open.get(&number).copied() else {
            return;
        };
        self.answered = 0;
        self.drive(Input::Frame { id, text });
        assert!(
            self.answered <= MAX_ANSWER_BYTES,
            "{} bytes came back",
            self.answered
        );
    }

    /// A frame that is no text.
    pub(crate) fn unusable(&mut self, number: u64) {
        if let Some((id, _)) = self.open.get(&number).copied() {
            let close = CloseCode::Malformed;
            self.drive(Input::InvalidFrame { id, close });
            assert!(!self.open.contains_key(&number), "still open");
        }
    }

    pub(crate) fn disconnect(&mut self, number: u64) {
        if let Some((id, _)) = self.open.remove(&number) {
            self.drive(Input::Disconnect { id });
        }
    }

    /// Time passes.
    pub(crate) fn wait(&mut self, length: Seconds) {
        self.now = self.now.plus(length);
        self.drive(Input::Tick);
    }

    /// The Room loses its memory and wakes from what was kept of it.
    pub(crate) fn sleep(&mut self) {
        let kept: Vec<Snapshot> = self
            .open
            .values()
            .map(|(id, _)| {
                self.room
                    .snapshot(*id, self.now)
                    .expect("of an open connection")
            })
            .map(|snapshot| {
                let text = serde_json::to_string(&snapshot).expect("JSON");
                let read: Snapshot = serde_json::from_str(&text).expect("a snapshot");
                assert_eq!(read, snapshot);
                read
            })
            .collect();
        self.room = Room::restore(CONVERSATION, THROTTLE_MS, kept);
    }

    /// The Room wakes from what is kept of connections 0, 1 and so on, whoever wrote it.
    pub(crate) fn wake(&mut self, kept: &[String]) {
        self.open.clear();
        // Beyond any that was kept.
        self.next_connection = 1 << 40;
        let mut snapshots = Vec::new();
        for (number, text) in (0..).zip(kept) {
            let snapshot: Snapshot = serde_json::from_str(text).expect("a snapshot");
            let fields: Value = serde_json::from_str(text).expect("JSON");
            let id = snapshot.connection_id();
            self.open.retain(|_, (open, _)| *open != id);
            self.open.insert(number, (id, fields["v2"] == true));
            snapshots.push(snapshot);
        }
        self.room = Room::restore(CONVERSATION, THROTTLE_MS, snapshots);
    }

    fn connect(&mut self, number: u64) {
        let id = ConnectionId(self.next_connection);
        self.next_connection += 1;
        let v2 = number >= CONNECTIONS / 2;
        self.open.insert(number, (id, v2));
        let connection = NewConnection {
            caller: Caller {
                user_id: user(number),
                session_id: SessionId("s1".into()),
                expires_at: NOW.plus(Seconds(900)),
            },
            admission: Admission {
                position: self.position(),
                last_removal_seq: Seq(0),
            },
            v2,
        };
        self.drive(Input::Connect { id, connection });
    }

    fn position(&self) -> Position {
        let count = i64::try_from(self.stored.len()).expect("few");
        Position {
            epoch: self.epoch.clone(),
            seq: Seq(count),
            number: MessageNumber(count),
        }
    }

    fn drive(&mut self, input: Input<'_>) {
        let mut waiting: Vec<Effect> = self.room.handle(input, self.now).into_iter().collect();
        // A Room that never comes to rest would hold its host for ever.
        for _ in 0..1_000 {
            if waiting.is_empty() {
                return;
            }
            for effect in std::mem::take(&mut waiting) {
                waiting.extend(self.carry_out(effect));
            }
        }
        panic!("the Room does not come to rest");
    }

    fn carry_out(&mut self, effect: Effect) -> Vec<Effect> {
        let input = match effect {
            Effect::Reply { to, frames } => {
                self.receive(to, &frames);
                return Vec::new();
            }
            Effect::Fanout { to, frames } => {
                assert!(!to.is_empty());
                for id in to {
                    self.receive(id, &frames);
                }
                return Vec::new();
            }
            Effect::Close { id, close } => {
                assert!(CloseCode::ALL.contains(&close));
                self.open.retain(|_, (open, _)| *open != id);
                return Vec::new();
            }
            Effect::CacheEvents { .. } => return Vec::new(),
            Effect::CompleteRequest { request_id, .. } => {
                panic!("nobody sent over REST: {request_id:?}")
            }
            Effect::Commit(sends) => Input::Committed(Ok(self.append(sends))),
            Effect::Load { since, limit } => Input::Loaded(Ok(Some(self.load(since, limit)))),
            Effect::Authenticate { id, token } => {
                let result =
                    self.tokens
                        .verify_access(&token, self.now)
                        .map_err(|error| match error {
                            TokenError::Invalid => TokenRejected::Invalid,
                            TokenError::Expired => TokenRejected::Expired,
                        });
                Input::Authenticated { id, result }
            }
        };
        self.room.handle(input, self.now).into_iter().collect()
    }

    fn load(&self, since: Seq, limit: i64) -> EventPage {
        let after = self.stored.iter().filter(|event| event.seq() > since);
        EventPage {
            events: after
                .take(usize::try_from(limit).expect("a limit"))
                .cloned()
                .collect(),
            position: self.position(),
        }
    }

    fn append(&mut self, sends: Vec<NewMessage>) -> BatchOutcome {
        BatchOutcome {
            epoch: self.epoch.clone(),
            outcomes: sends
                .into_iter()
                .map(|send| self.append_one(send))
                .collect(),
        }
    }

    fn append_one(&mut self, send: NewMessage) -> AppendOutcome {
        let key = send
            .client_message_id
            .as_ref()
            .map(|id| (send.sender_id, id.as_str().to_owned()));
        if let Some(stored) = key.as_ref().and_then(|key| self.known.get(key)) {
            return AppendOutcome::Duplicate(stored.clone());
        }
        if send.dedup_only {
            return AppendOutcome::NotADuplicate;
        }
        let next = self.position().seq.next().0;
        if send
            .reply_to
            .is_some_and(|MessageId(id)| !(1..next).contains(&id))
        {
            return AppendOutcome::UnknownReplyTo;
        }
        let stored = StoredMessage {
            message_id: MessageId(next),
            seq: Seq(next),
            number: MessageNumber(next),
            timestamp: send.now,
            sender: Arc::from("ann"),
        };
        self.stored.push(Event::Message(MessageEvent {
            seq: stored.seq,
            number: stored.number,
            message_id: stored.message_id,
            message: send.message.into_inner(),
            sender_id: send.sender_id,
            sender: stored.sender.clone(),
            timestamp: stored.timestamp,
            client_message_id: send.client_message_id,
            reply_to: send.reply_to,
            mentions: send.mentions,
            version: 1,
        }));
        if let Some(key) = key {
            self.known.insert(key, stored.clone());
        }
        AppendOutcome::Stored(stored)
    }

    fn receive(&mut self, to: ConnectionId, frames: &[EncodedFrame]) {
        let Some((_, v2)) = self.open.values_mut().find(|(id, _)| *id == to) else {
            panic!("frames for a connection that is closed");
        };
        for text in frames {
            self.answered += text.len();
            let frame: Value = serde_json::from_str(text).expect("a frame of JSON");
            let kind = frame["type"].as_str().unwrap_or_default();
            // A v1 socket becomes one of v2 by what it sends; it is told so first.
            *v2 |= kind == "hello";
            if let Some(code) = frame.get("error").and(frame["code"].as_str()) {
                assert!(
                    ErrorCode::ALL.iter().any(|known| known.as_str() == code),
                    "{frame}"
                );
            }
            if *v2 {
                assert!(TYPES.contains(&kind), "{frame}");
            } else {
                let seed = frame["message_id"].is_number() && frame["message"].is_string();
                assert!(
                    seed || frame["error"].is_string() || kind == "pong",
                    "to v1: {frame}"
                );
            }
        }
    }
}
