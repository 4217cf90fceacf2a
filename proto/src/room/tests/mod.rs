//! The Room's rules one by one; what happens when everything goes wrong at once is the
//! simulator's part.

mod changes;
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

fn join(user: i64, v2: bool) -> NewConnection {
    joined_at(user, v2, 10)
}

/// A connection whose socket was authorized at this position.
fn joined_at(user: i64, v2: bool, seq: i64) -> NewConnection {
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
    }
}

fn event(seq: i64) -> Event {
    Event::Message(MessageEvent {
        seq: Seq(seq),
        number: MessageNumber(seq),
        message_id: MessageId(seq + 100),
        message: format!("m{seq}").into(),
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

/// A Room with the effects of the last input sorted out.
struct Stage {
    room: Room,
    now: Timestamp,
    frames: Vec<(u64, Value)>,
    closed: Vec<(u64, u16)>,
    commits: Vec<usize>,
    loads: Vec<i64>,
    answers: Vec<SendOutcome>,
    recorded: Vec<i64>,
}

impl Stage {
    /// At noon, throttled to a send a second, with these connections (user, v2), numbered from 1.
    fn with(members: &[(i64, bool)]) -> Self {
        let mut stage = Self {
            room: Room::new(ConversationId(7), 1_000),
            now: NOON,
            frames: Vec::new(),
            closed: Vec::new(),
            commits: Vec::new(),
            loads: Vec::new(),
            answers: Vec::new(),
            recorded: Vec::new(),
        };
        for (index, (user, v2)) in members.iter().enumerate() {
            let id = ConnectionId(index as u64 + 1);
            stage.input(Input::Connect {
                id,
                connection: join(*user, *v2),
            });
        }
        if !members.is_empty() {
            stage.nothing_new(10);
        }
        stage
    }

    /// Answers the look a new Room takes at once: nobody wrote since the first was let in.
    fn nothing_new(&mut self, seq: i64) {
        let (events, position) = (Vec::new(), position(seq));
        self.input(Input::Loaded(Ok(Some(EventPage { events, position }))));
    }

    fn input(&mut self, input: Input<'_>) {
        let effects = self.room.handle(input, self.now);
        self.sort(effects);
    }

    fn release(&mut self) {
        let effects = self.room.flush(self.now);
        self.sort(effects);
    }

    fn sort(&mut self, effects: Effects) {
        (self.frames, self.closed, self.recorded) = Default::default();
        (self.commits, self.loads, self.answers) = Default::default();
        for effect in effects {
            match effect {
                Effect::Reply { to, frames } => {
                    for frame in &frames {
                        self.note(to, frame);
                    }
                }
                Effect::Fanout { to, frames } => {
                    for id in to {
                        for frame in &frames {
                            self.note(id, frame);
                        }
                    }
                }
                Effect::Close { id, close } => self.closed.push((id.0, close.code())),
                Effect::Commit(sends) => self.commits.push(sends.len()),
                Effect::Load { since, .. } => self.loads.push(since.0),
                Effect::CacheEvents { events, .. } => {
                    self.recorded.extend(events.iter().map(|(seq, _)| seq.0));
                }
                Effect::CompleteRequest { outcome, .. } => self.answers.push(outcome),
                Effect::Authenticate { .. } => {}
            }
        }
    }

    fn note(&mut self, to: ConnectionId, frame: &str) {
        self.frames
            .push((to.0, serde_json::from_str(frame).unwrap()));
    }

    fn say(&mut self, id: u64, frame: &Value) {
        self.input(Input::Frame {
            id: ConnectionId(id),
            text: &frame.to_string(),
        });
    }

    fn send(&mut self, id: u64, name: &str) {
        self.say(
            id,
            &json!({"type": "send", "client_message_id": name, "message": "hi"}),
        );
    }

    fn later(&mut self, millis: i64) {
        self.now = Timestamp(self.now.0 + millis);
    }

    fn stored(&mut self, seqs: &[i64]) {
        let outcomes = seqs
            .iter()
            .map(|seq| AppendOutcome::Stored(stored(*seq)))
            .collect();
        self.input(Input::Committed(Ok(batch(outcomes))));
    }

    fn loaded(&mut self, seqs: std::ops::RangeInclusive<i64>) {
        let end = *seqs.end();
        let events = EventPage {
            events: seqs.map(event).collect(),
            position: position(end),
        };
        self.input(Input::Loaded(Ok(Some(events))));
    }

    /// The types and positions of the frames one connection got, batches opened.
    fn seen(&self, id: u64) -> Vec<(String, i64)> {
        let mine = self.frames.iter().filter(|(to, _)| *to == id);
        mine.flat_map(|(_, frame)| match frame["events"].as_array() {
            Some(events) => events.clone(),
            None => vec![frame.clone()],
        })
        .map(|frame| {
            let kind = frame["type"].as_str().unwrap_or("v1 error").to_owned();
            (kind, frame["seq"].as_i64().unwrap_or_default())
        })
        .collect()
    }

    fn code(&self, id: u64) -> Value {
        let frame = self.frames.iter().find(|(to, _)| *to == id);
        frame.map_or(Value::Null, |(_, frame)| frame["code"].clone())
    }
}

fn seen(frames: &[(&str, i64)]) -> Vec<(String, i64)> {
    frames
        .iter()
        .map(|(kind, seq)| ((*kind).to_owned(), *seq))
        .collect()
}

#[test]
fn nothing_is_delivered_before_the_commit_and_everyone_gets_it_after() {
    let mut stage = Stage::with(&[(1, true), (2, false)]);
    stage.send(1, "a");
    assert_eq!(
        (stage.commits.as_slice(), stage.frames.len()),
        (&[1][..], 0)
    );
    stage.stored(&[11]);
    assert_eq!(stage.seen(1), seen(&[("ack", 11), ("message", 11)]));
    assert_eq!(stage.seen(2), seen(&[("message", 11)]));
    assert_eq!(stage.recorded, [11]);
}

#[test]
fn sends_gather_while_a_commit_is_under_way() {
    let mut stage = Stage::with(&[(1, true), (2, true), (3, true), (4, false)]);
    stage.send(1, "a");
    for id in [2, 3] {
        stage.send(id, "b");
        assert!(stage.commits.is_empty());
    }
    stage.stored(&[11]);
    assert_eq!(stage.commits, [2]);
    stage.stored(&[12, 13]);
    let batch = stage.frames.iter().find(|(to, _)| *to == 1).unwrap();
    assert_eq!(batch.1["type"], "batch");
    assert_eq!(
        stage.seen(4),
        seen(&[("message", 12), ("message", 13)]),
        "v1 gets them one by one"
    );
}

#[test]
fn a_held_room_lets_sends_leave_when_its_driver_says_so() {
    let mut stage = Stage::with(&[(1, true), (2, true), (3, true)]);
    stage.room.enable_batching(BatchPolicy {
        commit_multiple: 1,
        max_linger_ms: 10,
    });
    for id in [1, 2] {
        stage.send(id, "a");
        assert!(stage.commits.is_empty());
    }
    assert_eq!(stage.room.flush_deadline(stage.now), Some(stage.now));
    stage.release();
    assert_eq!(stage.commits, [2]);
    stage.send(3, "a");
    let others = stage.room.flush_deadline(stage.now);
    assert_eq!(others, None, "others are on their way");
    stage.release();
    assert!(stage.commits.is_empty());
    stage.stored(&[11, 12]);
    assert!(stage.commits.is_empty());
    let patient = stage.room.flush_deadline(stage.now);
    assert!(
        patient > Some(stage.now),
        "those it has just heard may answer"
    );
    stage.input(Input::Shutdown);
    assert!(stage.closed.is_empty(), "what was accepted is finished");
    stage.release();
    assert_eq!(stage.commits, [1]);
    stage.stored(&[13]);
    assert_eq!(stage.closed.len(), 3);
}

#[test]
fn the_throttle_speaks_the_seeds_words_and_gives_back_what_was_not_stored() {
    let mut stage = Stage::with(&[(1, false)]);
    stage.say(1, &json!({"message": "one"}));
    stage.later(360);
    stage.say(1, &json!({"message": "two"}));
    let error = &stage.frames[0].1;
    assert_eq!(
        error["error"],
        "You are sending messages too fast. Please wait a moment."
    );
    assert_eq!(
        (&error["retry_after_ms"], error.get("type")),
        (&json!(640), None)
    );
    stage.input(Input::Committed(Err(StoreFailed)));
    assert_eq!(stage.code(1), "unavailable");
    stage.say(1, &json!({"message": "one"}));
    assert_eq!(stage.commits, [1], "a send that failed costs no throttle");
}

#[test]
fn a_repeat_is_answered_throttled_or_not() {
    let mut stage = Stage::with(&[(1, true), (1, true)]);
    stage.send(1, "a");
    stage.send(2, "a");
    assert!(stage.frames.is_empty() && stage.commits.is_empty());
    stage.stored(&[11]);
    let acks: Vec<(u64, bool)> = stage
        .frames
        .iter()
        .filter(|(_, frame)| frame["type"] == "ack")
        .map(|(to, frame)| (*to, frame["duplicate"].as_bool().unwrap()))
        .collect();
    assert_eq!(acks, [(1, false), (2, true)]);
    stage.send(2, "a");
    assert_eq!(stage.seen(2), seen(&[("ack", 11)]));
    assert!(stage.commits.is_empty(), "memory answers it");
}

#[test]
fn a_throttled_send_is_looked_up_once_a_period() {
    let mut stage = Stage::with(&[(1, true)]);
    stage.send(1, "new");
    stage.stored(&[11]);
    stage.send(1, "old");
    assert_eq!(
        (stage.commits.as_slice(), stage.frames.len()),
        (&[1][..], 0)
    );
    stage.input(Input::Committed(Ok(batch(vec![AppendOutcome::Duplicate(
        stored(3),
    )]))));
    assert_eq!(stage.seen(1), seen(&[("ack", 3)]));
    stage.send(1, "newer");
    assert_eq!(
        stage.code(1),
        "throttled",
        "no second question in one period"
    );
    stage.later(1_000);
    stage.send(1, "newest");
    stage.stored(&[12]);
    stage.later(400);
    stage.send(1, "other");
    assert_eq!(stage.commits, [1]);
    stage.input(Input::Committed(Ok(batch(vec![
        AppendOutcome::NotADuplicate,
    ]))));
    assert_eq!(stage.frames[0].1["retry_after_ms"], 600);
}

#[test]
fn what_another_room_wrote_is_read_before_going_on() {
    let mut stage = Stage::with(&[(1, true), (2, false)]);
    stage.send(1, "a");
    stage.stored(&[13]);
    assert_eq!(stage.seen(1), seen(&[("ack", 13)]));
    assert_eq!(stage.loads, [10]);
    stage.loaded(11..=13);
    let all = seen(&[("message", 11), ("message", 12), ("message", 13)]);
    assert_eq!((stage.seen(1), stage.seen(2)), (all.clone(), all));
}

#[test]
fn what_was_written_between_the_grant_and_the_room_is_not_missed() {
    let mut stage = Stage::with(&[]);
    let id = ConnectionId(1);
    stage.input(Input::Connect {
        id,
        connection: joined_at(1, true, 10),
    });
    assert_eq!(stage.loads, [10], "another Room may have come and gone");
    stage.loaded(11..=12);
    assert_eq!(stage.seen(1), seen(&[("message", 11), ("message", 12)]));
    let id = ConnectionId(2);
    stage.input(Input::Connect {
        id,
        connection: joined_at(1, false, 11),
    });
    assert_eq!(
        stage.seen(2),
        seen(&[("message", 12)]),
        "a v1 socket cannot ask"
    );
}

#[test]
fn a_lost_answer_is_looked_for() {
    let mut stage = Stage::with(&[(1, true)]);
    stage.send(1, "a");
    stage.input(Input::Committed(Err(StoreFailed)));
    assert_eq!(stage.code(1), "unavailable");
    let at = stage.room.next_wakeup(stage.now).unwrap();
    stage.now = at;
    stage.input(Input::Tick);
    assert_eq!(stage.loads, [10]);
    stage.loaded(11..=11);
    assert_eq!(stage.seen(1), seen(&[("message", 11)]));
}

#[test]
fn a_look_that_fails_is_taken_again() {
    let mut stage = Stage::with(&[(1, true)]);
    stage.send(1, "a");
    stage.input(Input::Committed(Err(StoreFailed)));
    // The database stays away for longer than any look was planned for.
    for _ in 0..40 {
        stage.now = stage.room.next_wakeup(stage.now).unwrap();
        stage.input(Input::Tick);
        assert_eq!(stage.loads, [10]);
        stage.input(Input::Loaded(Err(StoreFailed)));
    }
    assert!(stage.now > Timestamp(NOON.0 + 15_000));
    stage.now = stage.room.next_wakeup(stage.now).unwrap();
    stage.input(Input::Tick);
    stage.loaded(11..=11);
    assert_eq!(stage.seen(1), seen(&[("message", 11)]));
}

#[test]
fn a_clock_that_is_set_back_stretches_no_pause() {
    let mut stage = Stage::with(&[(1, true)]);
    stage.send(1, "a");
    stage.input(Input::Committed(Err(StoreFailed)));
    stage.later(500);
    stage.input(Input::Tick);
    stage.input(Input::Loaded(Err(StoreFailed)));
    stage.later(-600_000);
    stage.input(Input::Tick);
    let next = stage.room.next_wakeup(stage.now).unwrap();
    assert_eq!(
        next.millis_since(stage.now),
        500,
        "the pause after a failed look"
    );
    stage.later(500);
    stage.input(Input::Tick);
    assert_eq!(stage.loads, [10]);
    stage.input(Input::Loaded(Ok(Some(EventPage {
        events: Vec::new(),
        position: position(10),
    }))));
    let next = stage.room.next_wakeup(stage.now).unwrap();
    assert!(next.millis_since(stage.now) <= 2_000, "the second look");
}

#[test]
fn repeats_of_one_send_are_bounded() {
    let mut stage = Stage::with(&[(1, true)]);
    stage.send(1, "a");
    let mut refused = 0;
    for _ in 0..40 {
        stage.send(1, "a");
        refused += stage.frames.len();
    }
    assert_eq!((refused, stage.code(1)), (8, "overloaded".into()));
    stage.stored(&[11]);
    let acks = stage.seen(1).into_iter().filter(|(kind, _)| kind == "ack");
    assert_eq!(acks.count(), 33, "the first and those that wait with it");
}

#[test]
fn resume_comes_from_memory_or_the_database_and_ends_in_sync() {
    let mut stage = Stage::with(&[(1, true), (2, true)]);
    stage.send(1, "a");
    stage.stored(&[11]);
    stage.say(2, &json!({"type": "resume", "since": 10, "epoch": "e"}));
    assert_eq!(stage.seen(2), seen(&[("message", 11), ("sync", 0)]));
    stage.say(2, &json!({"type": "resume", "since": 8}));
    assert_eq!((stage.loads.as_slice(), stage.frames.len()), (&[8][..], 0));
    stage.later(1_000);
    stage.send(1, "b");
    stage.stored(&[12]);
    assert_eq!(stage.seen(2), seen(&[]), "no live event overtakes a resume");
    stage.loaded(9..=11);
    let rest = [
        ("message", 9),
        ("message", 10),
        ("message", 11),
        ("message", 12),
        ("sync", 0),
    ];
    assert_eq!(stage.seen(2), seen(&rest));
}

#[test]
fn what_cannot_be_resumed_is_reset() {
    let mut stage = Stage::with(&[(1, true)]);
    stage.input(Input::Connect {
        id: ConnectionId(2),
        connection: join(2, true),
    });
    stage.say(1, &json!({"type": "resume", "since": 10, "epoch": "older"}));
    assert_eq!(stage.frames[0].1["reason"], "epoch_changed");
    stage.say(1, &json!({"type": "resume", "since": 40}));
    assert_eq!(stage.loads, [10], "the database decides what lies ahead");
    let nothing = EventPage {
        events: Vec::new(),
        position: position(10),
    };
    stage.input(Input::Loaded(Ok(Some(nothing))));
    assert_eq!(stage.frames[0].1["reason"], "epoch_changed");
    let mut stage = Stage::with(&[]);
    let far = joined_at(1, true, 400);
    stage.input(Input::Connect {
        id: ConnectionId(1),
        connection: far,
    });
    stage.nothing_new(400);
    stage.say(1, &json!({"type": "resume", "since": 99}));
    assert_eq!(stage.frames[0].1["reason"], "too_old");
    stage.say(1, &json!({"type": "resume", "since": 100}));
    assert_eq!(stage.loads, [100], "300 events are not too many");
}

#[test]
fn tokens_end_with_notice_unless_renewed() {
    let mut stage = Stage::with(&[(1, true), (2, false)]);
    stage.later(HOUR - 60_000);
    stage.input(Input::Tick);
    assert_eq!(
        stage.frames,
        [(1, json!({"type": "auth.expiring", "in_s": 60}))]
    );
    let renewed = Caller {
        user_id: UserId(1),
        session_id: SessionId("s1".into()),
        expires_at: Timestamp(NOON.0 + 2 * HOUR),
    };
    stage.input(Input::Authenticated {
        id: ConnectionId(1),
        result: Ok(renewed.clone()),
    });
    assert_eq!(stage.seen(1), seen(&[("auth.ok", 0)]));
    stage.later(60_000);
    stage.input(Input::Tick);
    assert_eq!(stage.closed, [(2, 4200)]);
    let foreign = Caller {
        session_id: SessionId("other".into()),
        ..renewed
    };
    stage.input(Input::Authenticated {
        id: ConnectionId(1),
        result: Ok(foreign),
    });
    assert_eq!(stage.closed, [(1, 4401)]);
}

#[test]
fn a_revoked_session_is_closed_and_no_other() {
    let mut stage = Stage::with(&[(1, true), (2, true)]);
    stage.input(Input::Revoke {
        session_id: &SessionId("s1".into()),
    });
    assert_eq!(stage.closed, [(1, 4401)]);
    stage.send(2, "a");
    stage.stored(&[11]);
    assert_eq!(stage.seen(1), seen(&[]));
}

#[test]
fn a_repeat_by_the_next_login_does_not_end_with_the_one_before() {
    let mut stage = Stage::with(&[(1, true)]);
    stage.send(1, "a");
    stage.input(Input::Revoke {
        session_id: &SessionId("s1".into()),
    });
    let mut next = join(1, true);
    next.caller.session_id = SessionId("s2".into());
    let id = ConnectionId(2);
    stage.input(Input::Connect {
        id,
        connection: next,
    });
    stage.send(2, "a");
    let denied = vec![AppendOutcome::Denied(Denied::Session)];
    stage.input(Input::Committed(Ok(batch(denied))));
    assert_eq!(stage.closed, []);
    assert_eq!(stage.code(2), "unavailable");
    // It is not throttled by what was not stored.
    stage.send(2, "a");
    assert_eq!(stage.commits, [1]);
}

#[test]
fn a_repeat_by_who_came_back_does_not_end_with_the_membership_before() {
    let mut stage = Stage::with(&[(1, true)]);
    stage.send(1, "a");
    let id = ConnectionId(2);
    stage.input(Input::Connect {
        id,
        connection: join(1, true),
    });
    stage.send(2, "a");
    let denied = vec![AppendOutcome::Denied(Denied::NotMember)];
    stage.input(Input::Committed(Ok(batch(denied))));
    assert_eq!(stage.closed, [(1, 4403)]);
    assert_eq!(stage.code(2), "unavailable");
}

#[test]
fn a_typed_frame_makes_a_v2_socket() {
    let mut stage = Stage::with(&[(1, false)]);
    stage.say(1, &json!({"type": "dance"}));
    let kinds: Vec<String> = stage.seen(1).into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(kinds, ["hello", "error"]);
    stage.say(1, &json!({"message": "without a type"}));
    assert_eq!(stage.code(1), "malformed");
}

#[test]
fn sockets_and_refusals_are_bounded() {
    let mut stage = Stage::with(&[(1, true); MAX_SOCKETS_PER_USER]);
    let id = ConnectionId(99);
    stage.input(Input::Connect {
        id,
        connection: join(1, true),
    });
    assert_eq!(stage.closed, [(99, 4409)]);
    for _ in 0..100 {
        stage.say(1, &json!({"type": "dance"}));
        assert!(stage.closed.is_empty());
    }
    stage.say(1, &json!({"type": "dance"}));
    assert_eq!(stage.closed, [(1, 4100)]);
}

#[test]
fn shutdown_finishes_what_was_accepted_and_accepts_nothing_more() {
    let mut stage = Stage::with(&[(1, true), (2, true), (3, true)]);
    stage.send(1, "a");
    stage.send(2, "b");
    stage.input(Input::Shutdown);
    assert!(stage.closed.is_empty());
    stage.send(3, "c");
    assert_eq!(stage.code(3), "unavailable");
    stage.stored(&[11]);
    assert_eq!(stage.commits, [1]);
    stage.stored(&[12]);
    assert!(stage.seen(2).contains(&("ack".to_owned(), 12)));
    assert_eq!(stage.closed, [(1, 4000), (2, 4000), (3, 4000)]);
    assert_eq!(stage.room.retirement(stage.now), Retirement::Now);
}

#[test]
fn an_empty_room_lasts_as_long_as_its_throttle() {
    let mut stage = Stage::with(&[(1, true)]);
    stage.send(1, "a");
    stage.input(Input::Disconnect {
        id: ConnectionId(1),
    });
    assert_eq!(stage.room.retirement(stage.now), Retirement::NotYet);
    stage.stored(&[11]);
    assert_eq!(
        stage.room.retirement(stage.now),
        Retirement::After(Timestamp(NOON.0 + 1_000))
    );
    stage.later(1_000);
    assert_eq!(stage.room.retirement(stage.now), Retirement::Now);
}

#[test]
fn a_rest_send_needs_no_connection() {
    let mut stage = Stage::with(&[]);
    let send = crate::protocol::SendCommand {
        client_message_id: Some(crate::domain::ClientMessageId::new("r").unwrap()),
        message: crate::domain::MessageText::new("hi").unwrap(),
        reply_to: None,
        mentions: Vec::new(),
    };
    stage.input(Input::Send {
        request_id: RequestId(1),
        user_id: UserId(1),
        session_id: SessionId("s1".into()),
        send,
    });
    assert_eq!(stage.commits, [1]);
    stage.stored(&[41]);
    assert_eq!(
        stage.answers,
        [SendOutcome::Appended(AppendOutcome::Stored(stored(41)))]
    );
    // What was there before is nobody's business here; what is new, the cache is to know.
    assert_eq!((stage.recorded, stage.loads), (vec![41], vec![]));
}

#[test]
fn a_database_restored_behind_the_room_is_noticed_by_the_next_commit() {
    let mut stage = Stage::with(&[(1, true), (2, false)]);
    stage.send(1, "a");
    let mut restored = batch(vec![AppendOutcome::Stored(stored(4))]);
    restored.epoch = Epoch("f".into());
    stage.input(Input::Committed(Ok(restored)));
    assert_eq!(
        stage.seen(1),
        seen(&[("reset", 3), ("ack", 4), ("message", 4)])
    );
    assert_eq!(stage.closed, [(2, 4000)]);
}

#[test]
fn who_falls_silent_is_closed_at_the_next_look() {
    let mut stage = Stage::with(&[(1, true), (2, true), (3, false)]);
    let heard = |stage: &mut Stage, id: u64| {
        let (id, at) = (ConnectionId(id), stage.now);
        stage.input(Input::Heartbeats(&[(id, at)]));
    };
    heard(&mut stage, 1);
    heard(&mut stage, 2);
    // Nobody is woken for every missed ping.
    let look = stage.room.next_wakeup(stage.now).unwrap();
    assert_eq!(look.millis_since(stage.now), 900_000);
    stage.later(900_000);
    heard(&mut stage, 2);
    stage.input(Input::Tick);
    assert_eq!(stage.closed, [(1, 4002)], "3 was never heard of");
    // A frame is a sign of life too, and any tick may look.
    stage.later(70_000);
    stage.send(2, "a");
    stage.later(70_000);
    stage.input(Input::Tick);
    assert_eq!(stage.closed, [(0, 0); 0]);
    stage.later(5_000);
    stage.input(Input::Tick);
    assert_eq!(stage.closed, [(2, 4002)]);
}
