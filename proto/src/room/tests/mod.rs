//! Unit tests of the Room, one rule each. The simulator (`tests/simulator`) tests combinations of
//! faults.

mod changes;
mod connections;
mod missed_events;
mod removals;
mod resume;
mod sends;
mod snapshots;

use serde_json::{Value, json};

use super::*;
use crate::domain::{
    Admission, AppendOutcome, Caller, Denied, Epoch, MessageId, MessageNumber, SendOutcome,
    StoredMessage, UserId,
};
use crate::protocol::{Event, EventPage, MAX_SOCKETS_PER_USER, MessageEvent};

const NOON: Timestamp = Timestamp(1_000_000);
const HOUR: i64 = 3_600_000;

fn position(seq: i64) -> Position {
    Position {
        epoch: Epoch("e".into()),
        seq: Seq(seq),
        number: MessageNumber(seq),
    }
}

fn new_connection(user: i64, v2: bool) -> NewConnection {
    admitted_at(user, v2, 10)
}

/// A connection whose socket was authorized at this position.
fn admitted_at(user: i64, v2: bool, seq: i64) -> NewConnection {
    NewConnection {
        caller: Caller {
            user_id: UserId(user),
            session_id: SessionId(format!("s{user}").into()),
            expires_at: Timestamp(NOON.0 + HOUR),
        },
        admission: Admission {
            position: position(seq),
            last_removal_seq: Seq(0),
        },
        v2,
    }
}

fn stored(seq: i64) -> StoredMessage {
    StoredMessage {
        message_id: MessageId(seq + 100),
        seq: Seq(seq),
        number: MessageNumber(seq),
        timestamp: NOON,
        sender: "ann".into(),
        mentions: Vec::new(),
    }
}

fn event(seq: i64) -> Event {
    event_with(seq, format!("m{seq}"))
}

/// A message whose event has a quarter of what a part of a resume holds.
fn long_event(seq: i64) -> Event {
    event_with(seq, "x".repeat(16_150))
}

fn event_with(seq: i64, message: String) -> Event {
    Event::Message(MessageEvent {
        seq: Seq(seq),
        number: MessageNumber(seq),
        message_id: MessageId(seq + 100),
        message: message.into(),
        sender_id: UserId(9),
        sender: "zoe".into(),
        timestamp: NOON,
        client_message_id: None,
        reply_to: None,
        mentions: Vec::new(),
        version: 1,
    })
}

fn batch(outcomes: Vec<AppendOutcome>) -> BatchOutcome {
    BatchOutcome {
        epoch: Epoch("e".into()),
        outcomes,
    }
}

/// A Room and the effects of the last input, by kind.
struct TestRoom {
    room: Room,
    now: Timestamp,
    /// Connection and frame.
    frames: Vec<(u64, Value)>,
    /// The connections that were sent a part of a resume.
    parts: Vec<u64>,
    /// Connection and close code.
    closed: Vec<(u64, u16)>,
    /// The size of each commit.
    commits: Vec<usize>,
    /// The starting point of each load.
    loads: Vec<i64>,
    completed: Vec<SendOutcome>,
    /// The positions of the events written to the cache.
    cached: Vec<i64>,
}

impl TestRoom {
    /// A Room at noon with a throttle of one send per second and these connections (user, v2),
    /// with ids from 1.
    fn with(members: &[(i64, bool)]) -> Self {
        let mut test = Self {
            room: Room::new(ConversationId(7), 1_000),
            now: NOON,
            frames: Vec::new(),
            parts: Vec::new(),
            closed: Vec::new(),
            commits: Vec::new(),
            loads: Vec::new(),
            completed: Vec::new(),
            cached: Vec::new(),
        };
        for (index, (user, v2)) in members.iter().enumerate() {
            test.connect(index as u64 + 1, new_connection(*user, *v2));
        }
        if !members.is_empty() {
            test.loaded_nothing(10);
        }
        test
    }

    fn connect(&mut self, id: u64, connection: NewConnection) {
        let id = ConnectionId(id);
        self.input(Input::Connect { id, connection });
    }

    /// Completes a load without events, as the first one of a new Room when no other Room wrote.
    fn loaded_nothing(&mut self, seq: i64) {
        let (events, position) = (Vec::new(), position(seq));
        self.input(Input::Loaded(Ok(Some(EventPage { events, position }))));
    }

    fn input(&mut self, input: Input<'_>) {
        let effects = self.room.handle(input, self.now);
        self.collect(effects);
    }

    fn flush(&mut self) {
        let effects = self.room.flush(self.now);
        self.collect(effects);
    }

    fn collect(&mut self, effects: Effects) {
        (self.frames, self.parts, self.closed, self.cached) = Default::default();
        (self.commits, self.loads, self.completed) = Default::default();
        for effect in effects {
            match effect {
                Effect::Reply { to, frames } => self.receive(to, &frames),
                Effect::ResumePart { to, frames } => {
                    self.parts.push(to.0);
                    self.receive(to, &frames);
                }
                Effect::Fanout { to, frames } => {
                    for id in to {
                        self.receive(id, &frames);
                    }
                }
                Effect::Close { id, close } => self.closed.push((id.0, close.code())),
                Effect::Commit(messages) => self.commits.push(messages.len()),
                Effect::Load { since, .. } => self.loads.push(since.0),
                Effect::CacheEvents { events, .. } => {
                    self.cached.extend(events.iter().map(|(seq, _)| seq.0));
                }
                Effect::CompleteRequest { outcome, .. } => self.completed.push(outcome),
                Effect::Authenticate { .. } => {}
            }
        }
    }

    fn receive(&mut self, to: ConnectionId, frames: &[EncodedFrame]) {
        for frame in frames {
            let frame = serde_json::from_str(frame).unwrap();
            self.frames.push((to.0, frame));
        }
    }

    fn frame(&mut self, id: u64, frame: &Value) {
        self.input(Input::Frame {
            id: ConnectionId(id),
            text: &frame.to_string(),
        });
    }

    fn send(&mut self, id: u64, client_message_id: &str) {
        let frame = json!({
            "type": "send", "client_message_id": client_message_id, "message": "hi",
        });
        self.frame(id, &frame);
    }

    fn drained(&mut self, id: u64) {
        let id = ConnectionId(id);
        self.input(Input::Drained { id });
    }

    fn resume(&mut self, id: u64, since: i64) {
        self.frame(id, &json!({"type": "resume", "since": since}));
    }

    fn advance(&mut self, millis: i64) {
        self.now = Timestamp(self.now.0 + millis);
    }

    fn committed(&mut self, outcomes: Vec<AppendOutcome>) {
        self.input(Input::Committed(Ok(batch(outcomes))));
    }

    /// Completes a commit whose messages were stored at these positions.
    fn stored(&mut self, seqs: &[i64]) {
        let stored = seqs.iter().map(|seq| AppendOutcome::Stored(stored(*seq)));
        self.committed(stored.collect());
    }

    /// Completes a load with messages at these positions.
    fn loaded(&mut self, seqs: std::ops::RangeInclusive<i64>) {
        self.loaded_events(seqs.map(event).collect());
    }

    fn loaded_events(&mut self, events: Vec<Event>) {
        let position = position(events.last().map_or(0, |event| event.seq().0));
        self.input(Input::Loaded(Ok(Some(EventPage { events, position }))));
    }

    fn tick_at_next_wakeup(&mut self) {
        self.now = self.room.next_wakeup(self.now).unwrap();
        self.input(Input::Tick);
    }

    /// The types and positions of the frames that a connection received; batches are unpacked.
    fn received(&self, id: u64) -> Vec<(String, i64)> {
        let own = self.frames.iter().filter(|(to, _)| *to == id);
        own.flat_map(|(_, frame)| match frame["events"].as_array() {
            Some(events) => events.clone(),
            None => vec![frame.clone()],
        })
        .map(|frame| {
            let kind = frame["type"].as_str().unwrap_or("v1 error").to_owned();
            (kind, frame["seq"].as_i64().unwrap_or_default())
        })
        .collect()
    }

    /// The error code of the first frame that a connection received.
    fn error_code(&self, id: u64) -> Value {
        let frame = self.frames.iter().find(|(to, _)| *to == id);
        frame.map_or(Value::Null, |(_, frame)| frame["code"].clone())
    }
}

fn frames(frames: &[(&str, i64)]) -> Vec<(String, i64)> {
    frames
        .iter()
        .map(|(kind, seq)| ((*kind).to_owned(), *seq))
        .collect()
}
