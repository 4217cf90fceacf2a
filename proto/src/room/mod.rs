//! The live side of a conversation, as a state machine without sockets, clock or tasks.
//!
//! [`Room::handle`] takes one [`Input`] and the time and returns [`Effects`]; a driver (a Durable
//! Object, a task, a simulator) feeds it and carries the effects out in order. The Room owns the
//! order of sends, the throttle, who is connected and how far each has been served. It does not
//! own what is stored, who is a member, or whether a token is genuine: those come as inputs. Whose
//! membership ends is told by an event like any other, and hears nothing from there on.
//!
//! Data flows one way: text → [`crate::protocol::parse`] → `commands.rs` → `send_queue.rs` → commit →
//! `fanout.rs` → frames. To add a command: its variant in `protocol::command`, an arm in
//! `commands.rs`. To add a durable event: its variant in `protocol::event`; delivery and resume take
//! it as it is, the cache must be told what it does to a history.
//!
//! Where a Room's memory may end while its sockets live on, `snapshot.rs` says what is kept of each.
//!
//! // INVARIANT: nothing is delivered that the database has not confirmed. Frames of events are
//! built from [`Input::Committed`], [`Input::Loaded`] and [`Input::ChangeStored`] alone.

mod batching;
mod commands;
mod connection;
mod effect;
mod fanout;
mod input;
mod removals;
mod replay_buffer;
mod resume;
mod send_queue;
mod snapshot;
#[cfg(test)]
mod tests;
mod throttle;

pub use batching::BatchPolicy;
use batching::BatchWindow;
use connection::Connections;
pub use effect::{Effect, Effects};
pub use input::{
    ConnectionId, EncodedFrame, Input, NewConnection, RequestId, StoreFailed, TokenRejected,
};
use removals::{Membership, RecentRemovals};
use replay_buffer::ReplayBuffer;
use send_queue::SendQueue;
pub use snapshot::Snapshot;
use throttle::Throttle;

use crate::domain::{
    Admission, ConversationId, Epoch, MessageNumber, Position, Seq, SessionId, Timestamp,
};
use crate::protocol::{CloseCode, Hello, Limits, MAX_SOCKETS_PER_USER};

/// Where the Room stands: everything up to here has been handed to delivery.
#[derive(Debug, Clone)]
struct Head {
    epoch: Epoch,
    seq: Seq,
    number: MessageNumber,
}

impl From<Position> for Head {
    fn from(position: Position) -> Self {
        let Position { epoch, seq, number } = position;
        Self { epoch, seq, number }
    }
}

/// One live conversation.
#[derive(Debug)]
pub struct Room {
    conversation_id: ConversationId,
    throttle_ms: i64,
    /// Unknown until a connection or a commit tells; a Room made for a REST send starts so.
    head: Option<Head>,
    /// The highest position anyone has reported. Beyond `head` it means: something was missed.
    known: Seq,
    connections: Connections,
    send_queue: SendQueue,
    throttle: Throttle,
    replay_buffer: ReplayBuffer,
    removals: RecentRemovals,
    loads: resume::Loads,
    /// There when the driver lets sends gather.
    company: Option<BatchWindow>,
    closing: bool,
}

impl Room {
    /// A Room without connections. `throttle_ms` is the time between two sends of a user, 0 for
    /// none.
    pub fn new(conversation_id: ConversationId, throttle_ms: i64) -> Self {
        Self {
            conversation_id,
            throttle_ms,
            head: None,
            known: Seq(0),
            connections: Connections::default(),
            send_queue: SendQueue::default(),
            throttle: Throttle::new(throttle_ms),
            replay_buffer: ReplayBuffer::default(),
            removals: RecentRemovals::default(),
            loads: resume::Loads::default(),
            company: None,
            closing: false,
        }
    }

    /// Takes one input at time `now` and says what is to be done.
    pub fn handle(&mut self, input: Input<'_>, now: Timestamp) -> Effects {
        let mut effects = Effects::default();
        self.loads.observe(now);
        if self.head.is_none() && self.connections.len() > 0 {
            // They were kept, but nothing of where they stood: nobody could tell what they missed.
            self.close_where(CloseCode::Restarting, |_| true, &mut effects);
        }
        match input {
            Input::Connect { id, connection } => self.connect(id, connection, now, &mut effects),
            Input::Frame { id, text } => self.text(id, text, now, &mut effects),
            Input::InvalidFrame { id, close } => self.close(id, close, &mut effects),
            Input::Disconnect { id } => drop(self.connections.remove(id)),
            Input::Heartbeats(heard) => {
                for (id, at) in heard {
                    self.connections.heard(*id, *at);
                }
            }
            Input::Send {
                request_id,
                user_id,
                session_id,
                send,
            } => {
                let origin = send_queue::Origin::RequestId(request_id);
                self.send((user_id, session_id), send, origin, now, &mut effects);
            }
            Input::Committed(result) => {
                if let Some(company) = &mut self.company {
                    company.is_answered(self.send_queue.carried(), self.send_queue.waiting(), now);
                }
                match result {
                    Ok(batch) => self.committed(batch, now, &mut effects),
                    Err(StoreFailed) => self.commit_failed(now, &mut effects),
                }
            }
            Input::Loaded(Ok(Some(events))) => self.loaded(events, now, &mut effects),
            Input::Loaded(Ok(None)) => self.conversation_gone(&mut effects),
            Input::Loaded(Err(StoreFailed)) => self.load_failed(now),
            Input::ChangeStored(Some(change)) => self.changed(change, now, &mut effects),
            Input::ChangeStored(None) => self.look(now),
            Input::Authenticated { id, result } => {
                self.authenticated(id, result, now, &mut effects);
            }
            Input::Revoke { session_id } => self.revoke(session_id, &mut effects),
            Input::Tick => self.tick(now, &mut effects),
            Input::Shutdown => self.closing = true,
        }
        self.go_on(now, &mut effects);
        effects
    }

    /// From now on sends gather until the driver calls [`Self::release`]: the more of them leave
    /// together, the less each costs. How long is the driver's to say, who knows what waiting costs.
    pub fn enable_batching(&mut self, patience: BatchPolicy) {
        self.company = Some(BatchWindow::new(patience));
    }

    /// When a held Room's sends are best let go: at once if that is no later than now, otherwise
    /// then at the latest, and sooner if others come. `None` when none wait, or others are on
    /// their way.
    pub fn flush_deadline(&self, now: Timestamp) -> Option<Timestamp> {
        let (company, waiting) = (self.company.as_ref()?, self.send_queue.waiting());
        let may_leave = waiting > 0 && !self.send_queue.committing();
        may_leave.then(|| company.leave_at(waiting, now))
    }

    /// Lets what has gathered leave as one batch.
    pub fn flush(&mut self, now: Timestamp) -> Effects {
        let mut effects = Effects::default();
        self.begin_commit(now, &mut effects);
        effects
    }

    /// When [`Input::Tick`] is due at the latest; `None` when time changes nothing.
    pub fn next_wakeup(&self, now: Timestamp) -> Option<Timestamp> {
        // The end of a commit wakes the Room anyway, and without a head there is nothing to miss.
        let idle = self.head.is_some() && !self.send_queue.committing();
        let load = idle
            .then(|| self.loads.next_wakeup(self.wants_load(now).is_some()))
            .flatten();
        [self.connections.next_deadline(), load]
            .into_iter()
            .flatten()
            .min()
    }

    /// Whether a driver that can wait should stop reading sockets for now.
    pub fn is_backlogged(&self) -> bool {
        self.send_queue.waiting() >= send_queue::MAX_PENDING / 2
    }

    /// How many connections it has.
    pub fn connection_count(&self) -> usize {
        self.connections.len()
    }

    /// Whether the Room may be dropped without anyone noticing: nobody connected, nothing under
    /// way. Otherwise, when only the throttle is left, the time at which it may be.
    pub fn retirement(&self, now: Timestamp) -> Retirement {
        if self.connections.len() > 0 || !self.send_queue.is_empty() || self.loads.in_flight() {
            return Retirement::NotYet;
        }
        if self.closing {
            return Retirement::Now;
        }
        self.throttle
            .ends_at(now)
            .map_or(Retirement::Now, Retirement::After)
    }

    fn connect(
        &mut self,
        id: ConnectionId,
        connection: NewConnection,
        now: Timestamp,
        effects: &mut Effects,
    ) {
        let user_id = connection.caller.user_id;
        let Admission {
            position,
            last_removal_seq,
        } = connection.admission.clone();
        if self
            .head
            .as_ref()
            .is_some_and(|head| head.epoch != position.epoch)
        {
            self.change_epoch(position.clone(), effects);
        }
        self.known = self.known.max(position.seq);
        let head = match &self.head {
            Some(head) => head.seq,
            None => self.begin(position.clone(), last_removal_seq, now),
        };
        let close = match self.removals.since(position.seq, user_id) {
            Membership::Active => None,
            Membership::Removed => Some(CloseCode::NotMember),
            // The next entry will be granted later than what this Room can tell.
            Membership::Unknown => Some(CloseCode::Restarting),
        };
        if let Some(close) = close {
            effects.push(Effect::Close { id, close });
            return;
        }
        if self.closing {
            let close = CloseCode::Restarting;
            effects.push(Effect::Close { id, close });
            return;
        }
        if self.connections.of_user(user_id) >= MAX_SOCKETS_PER_USER {
            let close = CloseCode::TooManySockets;
            effects.push(Effect::Close { id, close });
            return;
        }
        let v2 = connection.v2;
        self.connections.insert(id, connection, head, now);
        if v2 {
            self.greet(id, effects);
        } else if position.seq != head {
            // A v1 client counts itself connected from the moment it was let in, and has no
            // other way to learn what came since.
            self.start_catching_up(id, position.seq, effects);
        }
    }

    /// The first thing a Room learns of where its conversation stands. Between that being read
    /// and now, another Room of the conversation may have come, written and gone.
    fn begin(&mut self, position: Position, last_removal_seq: Seq, now: Timestamp) -> Seq {
        let seq = position.seq;
        self.head = Some(position.into());
        self.removals.begin(last_removal_seq);
        self.loads.check(now);
        seq
    }

    fn greet(&self, id: ConnectionId, effects: &mut Effects) {
        let (Some(head), Some(connection)) = (&self.head, self.connections.get(id)) else {
            return;
        };
        let hello = Hello::new(
            self.conversation_id,
            head.epoch.clone(),
            (head.seq, head.number),
            connection.user_id,
            connection.expires_at,
            Limits::with_throttle(self.throttle_ms),
        );
        effects.reply(id, hello.encode());
    }

    fn close(&mut self, id: ConnectionId, close: CloseCode, effects: &mut Effects) {
        if self.connections.remove(id).is_some() {
            effects.push(Effect::Close { id, close });
        }
    }

    fn close_where(
        &mut self,
        close: CloseCode,
        wanted: impl Fn(&connection::Connection) -> bool,
        effects: &mut Effects,
    ) {
        for id in self.connections.ids_where(wanted) {
            self.close(id, close, effects);
        }
    }

    fn revoke(&mut self, session_id: &SessionId, effects: &mut Effects) {
        self.close_where(
            CloseCode::TokenInvalid,
            |c| c.session_id == *session_id,
            effects,
        );
    }

    fn conversation_gone(&mut self, effects: &mut Effects) {
        self.loads.finished();
        self.close_where(CloseCode::NoSuchConversation, |_| true, effects);
    }

    fn tick(&mut self, now: Timestamp, effects: &mut Effects) {
        for due in self.connections.due(now) {
            match due {
                connection::Due::Expired(id) => self.close(id, CloseCode::TokenExpired, effects),
                connection::Due::Silent(id) => self.close(id, CloseCode::HeartbeatLost, effects),
                connection::Due::Notice(id, in_s) => {
                    effects.reply(id, crate::protocol::AuthExpiring { in_s }.encode());
                }
            }
        }
    }

    /// After every input: starts whatever can be started, ends what is to end.
    fn go_on(&mut self, now: Timestamp, effects: &mut Effects) {
        if self.company.is_none() {
            self.begin_commit(now, effects);
        }
        self.start_load(now, effects);
        if self.closing && self.send_queue.is_empty() {
            self.close_where(CloseCode::Restarting, |_| true, effects);
        }
    }

    fn begin_commit(&mut self, now: Timestamp, effects: &mut Effects) {
        if let Some(batch) = self.send_queue.take_batch() {
            if let Some(company) = &mut self.company {
                company.leaves(now);
            }
            effects.push(Effect::Commit(batch));
        }
    }
}

/// Whether a Room is still needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retirement {
    /// It is.
    NotYet,
    /// It is not before this time, unless something happens.
    After(Timestamp),
    /// It is not.
    Now,
}
