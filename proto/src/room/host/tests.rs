//! What the host adds to its Room. The Room's own rules are tested beside it, both together by the
//! simulator.

use super::*;
use crate::domain::{
    Admission, Caller, Epoch, MessageNumber, MessageText, NewMessage, Position, SendOutcome, Seq,
};
use crate::protocol::SendCommand;
use crate::room::{EncodedFrame, StoreFailed, TokenRejected};

const NOW: Timestamp = Timestamp(1_000_000);
const ALICE: ConnectionId = ConnectionId(1);

/// Records the effects; `broken` connections take no frames.
#[derive(Default)]
struct Recorder {
    broken: Vec<ConnectionId>,
    sent: Vec<(ConnectionId, Delivery)>,
    closed: Vec<(ConnectionId, CloseCode)>,
    commits: Vec<usize>,
    replies: Vec<(&'static str, SendOutcome)>,
    may_linger: bool,
    /// When the last frame of a connection was received.
    received: Vec<(ConnectionId, Timestamp)>,
}

impl Sink for Recorder {
    type Reply = &'static str;

    fn send(
        &mut self,
        to: &[ConnectionId],
        _frames: &[EncodedFrame],
        delivery: Delivery,
    ) -> Vec<ConnectionId> {
        self.sent.extend(to.iter().map(|id| (*id, delivery)));
        let broken = to.iter().filter(|id| self.broken.contains(id));
        broken.copied().collect()
    }

    fn close(&mut self, id: ConnectionId, close: CloseCode) {
        self.closed.push((id, close));
    }

    fn commit(&mut self, sends: Vec<NewMessage>) {
        self.commits.push(sends.len());
    }

    fn load(&mut self, _since: Seq, _limit: i64) {}

    fn write_behind(&mut self, _events: NewEvents) {}

    fn authenticate(
        &mut self,
        _id: ConnectionId,
        token: &str,
        now: Timestamp,
    ) -> Result<Caller, TokenRejected> {
        let renewed = Caller {
            expires_at: Timestamp(now.0 + 7_200_000),
            ..caller(1)
        };
        (token == "valid")
            .then_some(renewed)
            .ok_or(TokenRejected::Invalid)
    }

    fn reply(&mut self, reply: Self::Reply, outcome: SendOutcome) {
        self.replies.push((reply, outcome));
    }

    fn last_received(&self, id: ConnectionId, _now: Timestamp) -> Option<Timestamp> {
        let mut received = self.received.iter();
        received.find_map(|(of, at)| (*of == id).then_some(*at))
    }

    fn may_linger(&self, _now: Timestamp) -> bool {
        self.may_linger
    }
}

fn caller(user: i64) -> Caller {
    Caller {
        user_id: UserId(user),
        session_id: SessionId(format!("s{user}").into()),
        expires_at: Timestamp(NOW.0 + 3_600_000),
    }
}

fn connection(user: i64) -> NewConnection {
    NewConnection {
        caller: caller(user),
        admission: Admission {
            position: Position {
                epoch: Epoch("e".into()),
                seq: Seq(0),
                number: MessageNumber(0),
            },
            last_removal_seq: Seq(0),
        },
        v2: true,
    }
}

fn host(batching: Option<BatchPolicy>) -> (Host<&'static str>, Recorder) {
    let config = HostConfig {
        throttle_ms: 0,
        batching,
        watches_heartbeats: false,
    };
    let host = Host::new(ConversationId(1), config, ProcessState::default());
    (host, Recorder::default())
}

fn send(host: &mut Host<&'static str>, sink: &mut Recorder, reply: &'static str, now: Timestamp) {
    let Caller {
        user_id,
        session_id,
        ..
    } = caller(2);
    let command = SendCommand {
        client_message_id: None,
        message: MessageText::new(reply).expect("a text"),
        reply_to: None,
        mentions: Vec::new(),
    };
    host.send((user_id, session_id), command, reply, now, sink);
}

#[test]
fn socket_admitted_before_a_revocation_is_refused() {
    let (mut host, mut sink) = host(None);
    host.revoke(&caller(1).session_id, NOW, &mut sink);
    host.connect(ALICE, connection(1), NOW, &mut sink);
    host.connect(ConnectionId(2), connection(2), NOW, &mut sink);
    assert_eq!(sink.closed, [(ALICE, CloseCode::TokenInvalid)]);
    assert_eq!(sink.sent, [(ConnectionId(2), Delivery::Reply)]);
}

#[test]
fn oldest_silent_socket_makes_room_for_a_new_one() {
    let (mut host, mut sink) = host(None);
    for id in 1..=20 {
        let id = ConnectionId(id);
        host.connect(id, connection(1), NOW, &mut sink);
        sink.received.push((id, NOW));
    }
    let later = Timestamp(NOW.0 + 24_999);
    host.connect(ConnectionId(21), connection(1), later, &mut sink);
    assert_eq!(sink.closed, [(ConnectionId(21), CloseCode::TooManySockets)]);
    sink.closed.clear();
    // Of the silent ones, the oldest; of another user, none.
    let later = Timestamp(NOW.0 + 25_000);
    sink.received[0].1 = later;
    host.connect(ConnectionId(22), connection(2), later, &mut sink);
    assert_eq!(sink.closed, []);
    host.connect(ConnectionId(23), connection(1), later, &mut sink);
    assert_eq!(sink.closed, [(ConnectionId(2), CloseCode::HeartbeatLost)]);
    assert!(host.is_at_limit(UserId(1)) && !host.is_at_limit(UserId(2)));
}

#[test]
fn connection_that_takes_no_frames_is_disconnected() {
    let (mut host, mut sink) = host(None);
    sink.broken = vec![ALICE];
    host.connect(ALICE, connection(1), NOW, &mut sink);
    assert_eq!(host.room.connection_count(), 0);
    assert_eq!(host.retirement(NOW), Retirement::NotYet, "it checks once");
}

#[test]
fn token_of_an_auth_command_is_verified_within_the_same_call() {
    for (token, count, closed) in [
        ("valid", 1, vec![]),
        ("forged", 0, vec![(ALICE, CloseCode::TokenInvalid)]),
    ] {
        let (mut host, mut sink) = host(None);
        host.connect(ALICE, connection(1), NOW, &mut sink);
        let text = format!(r#"{{"type":"auth","token":"{token}"}}"#);
        let input = Input::Frame {
            id: ALICE,
            text: &text,
        };
        host.handle(input, NOW, &mut sink);
        assert_eq!(host.room.connection_count(), count, "{token}");
        assert_eq!(sink.closed, closed, "{token}");
    }
}

#[test]
fn every_request_is_answered_by_its_own_reply() {
    let (mut host, mut sink) = host(None);
    send(&mut host, &mut sink, "first", NOW);
    send(&mut host, &mut sink, "second", NOW);
    assert_eq!(sink.commits, [1]);
    assert_eq!(host.retirement(NOW), Retirement::NotYet);
    for _ in 0..2 {
        host.handle(Input::Committed(Err(StoreFailed)), NOW, &mut sink);
    }
    let replies = ["first", "second"].map(|reply| (reply, SendOutcome::Unavailable));
    assert_eq!(sink.replies, replies);
}

#[test]
fn batch_is_flushed_when_due_or_when_lingering_gains_nothing() {
    let policy = BatchPolicy {
        commit_multiple: 1,
        max_linger_ms: 10,
    };
    let (mut host, mut sink) = host(Some(policy));
    sink.may_linger = true;
    // Two sends in one commit of 4 ms: two are expected again.
    for text in ["a", "b"] {
        send(&mut host, &mut sink, text, NOW);
    }
    assert_eq!(host.deadlines(NOW).flush, Some(NOW));
    host.flush_if_due(NOW, &mut sink);
    let later = Timestamp(NOW.0 + 4);
    host.handle(Input::Committed(Err(StoreFailed)), later, &mut sink);
    send(&mut host, &mut sink, "c", later);
    let due = Timestamp(NOW.0 + 8);
    assert_eq!(host.deadlines(later).next(), Some(due));
    host.flush_if_due(later, &mut sink);
    assert_eq!(sink.commits, [2]);
    host.on_deadline(due, &mut sink);
    assert_eq!(sink.commits, [2, 1]);

    host.handle(Input::Committed(Err(StoreFailed)), due, &mut sink);
    for text in ["d", "e"] {
        send(&mut host, &mut sink, text, due);
    }
    host.flush_if_due(due, &mut sink);
    host.handle(Input::Committed(Err(StoreFailed)), due, &mut sink);
    send(&mut host, &mut sink, "f", due);
    sink.may_linger = false;
    host.flush_if_due(due, &mut sink);
    assert_eq!(sink.commits, [2, 1, 2, 1]);
}
