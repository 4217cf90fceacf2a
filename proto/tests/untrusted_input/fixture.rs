//! A Room with a correct host: a store in memory, a clock under control, tokens that are verified.
//! Only the frames are untrusted.

use std::collections::BTreeMap;
use std::sync::Arc;

use colloquy_proto::domain::{
    Admission, AppendOutcome, BatchOutcome, Caller, ConversationId, Epoch, MessageId,
    MessageNumber, NewMessage, Position, Seconds, Seq, SessionId, StoredMessage, Timestamp, UserId,
};
use colloquy_proto::protocol::{CloseCode, ErrorCode, Event, EventPage, MessageEvent};
use colloquy_proto::room::{
    ConnectionId, Effect, EncodedFrame, Input, NewConnection, Room, Snapshot, TokenRejected,
};
use serde_json::Value;

pub(crate) const NOW: Timestamp = Timestamp(1_800_000_000_123);
const CONVERSATION: ConversationId = ConversationId(1);
const THROTTLE_MS: i64 = 1_000;

/// The only token the host accepts: user 1, session `s1`, valid for 15 minutes from [`NOW`].
pub(crate) const VALID_TOKEN: &str = "valid-token-of-user-1";
const TOKEN_LIFETIME: Seconds = Seconds(900);

/// Connections 0 and 1 start as v1, 2 and 3 as v2; 0 and 2 belong to user 1, 1 and 3 to user 2.
pub(crate) const CONNECTIONS: u64 = 4;

/// The maximum number of bytes one frame may cause: a whole resume of messages of maximum length,
/// every character escaped.
const MAX_RESPONSE_BYTES: usize = 300 * (4_000 * 12 + 2_000);

/// The frame types a v2 socket may receive.
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

pub(crate) struct Fixture {
    room: Room,
    now: Timestamp,
    epoch: Epoch,
    stored: Vec<Event>,
    by_client_id: BTreeMap<(UserId, String), StoredMessage>,
    /// The open connections by number, with whether each is v2.
    open: BTreeMap<u64, (ConnectionId, bool)>,
    next_connection: u64,
    /// Bytes received because of the last frame.
    response_bytes: usize,
}

fn user(number: u64) -> UserId {
    UserId(if number.is_multiple_of(2) { 1 } else { 2 })
}

impl Fixture {
    pub(crate) fn new() -> Self {
        Self {
            room: Room::new(CONVERSATION, THROTTLE_MS),
            now: NOW,
            epoch: Epoch("e1".into()),
            stored: Vec::new(),
            by_client_id: BTreeMap::new(),
            open: BTreeMap::new(),
            next_connection: 0,
            response_bytes: 0,
        }
    }

    /// Sends a text frame on a connection, which is opened first if necessary.
    pub(crate) fn text(&mut self, number: u64, text: &str) {
        if !self.open.contains_key(&number) {
            self.connect(number);
        }
        let Some((id, _)) = self.open.get(&number).copied() else {
            return;
        };
        self.response_bytes = 0;
        self.drive(Input::Frame { id, text });
        assert!(
            self.response_bytes <= MAX_RESPONSE_BYTES,
            "{} bytes of response",
            self.response_bytes
        );
    }

    /// Sends a binary frame.
    pub(crate) fn binary_frame(&mut self, number: u64) {
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

    pub(crate) fn advance(&mut self, duration: Seconds) {
        self.now = self.now.plus(duration);
        self.drive(Input::Tick);
    }

    /// Replaces the Room by the one restored from its snapshots.
    pub(crate) fn hibernate(&mut self) {
        let snapshots: Vec<Snapshot> = self
            .open
            .values()
            .map(|(id, _)| {
                self.room
                    .snapshot(*id, self.now)
                    .expect("a snapshot of an open connection")
            })
            .map(|snapshot| {
                let text = serde_json::to_string(&snapshot).expect("JSON");
                let read: Snapshot = serde_json::from_str(&text).expect("a snapshot");
                assert_eq!(read, snapshot);
                read
            })
            .collect();
        self.room = Room::restore(CONVERSATION, THROTTLE_MS, snapshots);
    }

    /// Replaces the Room by the one restored from these snapshots of connections 0, 1, ….
    pub(crate) fn restore(&mut self, saved: &[String]) {
        self.open.clear();
        // Higher than any id in the snapshots.
        self.next_connection = 1 << 40;
        let mut snapshots = Vec::new();
        for (number, text) in (0..).zip(saved) {
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
                expires_at: NOW.plus(TOKEN_LIFETIME),
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
        let mut pending: Vec<Effect> = self.room.handle(input, self.now).into_iter().collect();
        // A Room whose effects never end would block its host.
        for _ in 0..1_000 {
            if pending.is_empty() {
                return;
            }
            for effect in std::mem::take(&mut pending) {
                pending.extend(self.execute(effect));
            }
        }
        panic!("the effects of one input do not end");
    }

    fn execute(&mut self, effect: Effect) -> Vec<Effect> {
        let input = match effect {
            Effect::Reply { to, frames } => {
                self.receive(to, &frames);
                return Vec::new();
            }
            Effect::ResumePart { to, frames } => {
                self.receive(to, &frames);
                Input::Drained { id: to }
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
                panic!("no REST send is pending: {request_id:?}")
            }
            Effect::Commit(sends) => Input::Committed(Ok(self.append(sends))),
            Effect::Load { since, limit } => Input::Loaded(Ok(Some(self.load(since, limit)))),
            Effect::Authenticate { id, token } => {
                let result = self.verify(&token);
                Input::Authenticated { id, result }
            }
        };
        self.room.handle(input, self.now).into_iter().collect()
    }

    fn verify(&self, token: &str) -> Result<Caller, TokenRejected> {
        let expires_at = NOW.plus(TOKEN_LIFETIME);
        if token != VALID_TOKEN {
            return Err(TokenRejected::Invalid);
        }
        if expires_at <= self.now {
            return Err(TokenRejected::Expired);
        }
        Ok(Caller {
            user_id: UserId(1),
            session_id: SessionId("s1".into()),
            expires_at,
        })
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
        if let Some(stored) = key.as_ref().and_then(|key| self.by_client_id.get(key)) {
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
            mentions: send.mentions.clone(),
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
            self.by_client_id.insert(key, stored.clone());
        }
        AppendOutcome::Stored(stored)
    }

    fn receive(&mut self, to: ConnectionId, frames: &[EncodedFrame]) {
        let Some((_, v2)) = self.open.values_mut().find(|(id, _)| *id == to) else {
            panic!("frames for a closed connection");
        };
        for text in frames {
            self.response_bytes += text.len();
            let frame: Value = serde_json::from_str(text).expect("a frame of JSON");
            let kind = frame["type"].as_str().unwrap_or_default();
            // An upgrade of a v1 socket starts with `hello`.
            *v2 |= kind == "hello";
            if let Some(code) = frame.get("error").and(frame["code"].as_str()) {
                assert!(
                    ErrorCode::ALL.iter().any(|one| one.as_str() == code),
                    "{frame}"
                );
            }
            if *v2 {
                assert!(TYPES.contains(&kind), "{frame}");
            } else {
                let is_message = frame["message_id"].is_number() && frame["message"].is_string();
                assert!(
                    is_message || frame["error"].is_string() || kind == "pong",
                    "to v1: {frame}"
                );
            }
        }
    }
}
