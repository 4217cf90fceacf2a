//! The Room: the state machine of one live conversation, without sockets, clock or tasks.
//!
//! [`Room::handle`] takes one [`Input`] and the time and returns [`Effects`]. Its [`Host`], driven by
//! a task, a Durable Object or the simulator, passes the inputs and executes the effects in order.
//! The Room owns the order of sends, the throttle, the connections and how far each has been
//! served. It does not own what is stored, the memberships, or the validity of tokens: those are
//! inputs.
//!
//! A send takes this path, one module each; read them in this order:
//!
//! 1. [`crate::protocol::parse`]: the text frame becomes commands.
//! 2. `commands`: each command is executed; errors are replied.
//! 3. `sends`: duplicates are coalesced, the throttle is checked, the send is queued.
//! 4. `send_queue`: while a commit is in flight, sends wait and form the next batch.
//! 5. `commit`: [`Effect::Commit`]; the result completes the sends. The gap check decides whether
//!    the stored events are next after the head.
//! 6. `fanout`: the events are encoded once and sent to all connections and to the cache.
//!
//! The other mechanisms:
//!
//! | module | mechanism |
//! | --- | --- |
//! | `admission` | what a socket must meet to connect; `hello` |
//! | `connections` | the connections, their deadlines (token, heartbeat) and error limits |
//! | `dedup` | the window of stored sends that answers duplicates from memory |
//! | `throttle` | one send per user and period |
//! | `frame_rate` | how many commands and errors a connection may cause |
//! | `resume`, `event_loader`, `replay_buffer` | missed events: of a client, of the Room itself |
//! | `resume_budget` | how many bytes of missed events a user may request |
//! | `reset` | a history that cannot be continued |
//! | `removals` | a removed member cannot connect with an older authorization |
//! | `snapshot` | hibernation: what is persisted of each connection, and the restore |
//! | [`host`] | what every host of a Room does: pending requests, revoked sessions, deadlines |
//! | `batching` | an optimisation: the window in which sends wait to form larger batches |
//!
//! To add a command, see `commands.rs`. To add a durable event, add its variant in
//! [`crate::protocol::Event`]: fan-out and resume are generic, `apply` in `core/src/cache/proof.rs`
//! must state how the event changes a history.
//!
//! INVARIANT: nothing is delivered before it is stored. Frames of events are built from
//! [`Input::Committed`], [`Input::Loaded`] and [`Input::ChangeStored`] only.

mod admission;
mod batching;
mod commands;
mod commit;
mod connections;
mod dedup;
mod effect;
mod event_loader;
mod fanout;
mod frame_rate;
pub mod host;
mod input;
mod removals;
mod replay_buffer;
mod reset;
mod resume;
mod resume_budget;
mod send_queue;
mod sends;
mod snapshot;
#[cfg(test)]
mod tests;
mod throttle;

pub use batching::BatchPolicy;
use batching::BatchWindow;
use connections::{Connection, Connections, Due};
use dedup::RecentSends;
pub use effect::{Effect, Effects};
use event_loader::EventLoader;
pub use host::{Delivery, Host, HostConfig, NewEvents, ProcessState, Sink, WriteBuffer};
pub use input::{
    ConnectionId, EncodedFrame, Input, NewConnection, RequestId, StoreFailed, TokenRejected,
};
use removals::RecentRemovals;
use replay_buffer::ReplayBuffer;
pub use resume::RESUME_PART_BYTES;
use resume_budget::ResumeBudget;
use send_queue::{ReplyTo, SendQueue};
pub use snapshot::Snapshot;
use throttle::Throttle;

use crate::domain::{BatchOutcome, ConversationId, Position, Seq, SessionId, Timestamp, UserId};
use crate::protocol::{AuthExpiring, CloseCode, MAX_SOCKETS_PER_USER};

/// One live conversation.
#[derive(Debug)]
pub struct Room {
    conversation_id: ConversationId,
    throttle_ms: i64,
    /// The newest event applied to the Room. `None` until a connection or a commit provides a
    /// position, as in a Room created for a REST send.
    head: Option<Position>,
    /// The highest position in any input. If it is beyond the head, events are missing.
    highest_seen: Seq,
    connections: Connections,
    send_queue: SendQueue,
    recent_sends: RecentSends,
    throttle: Throttle,
    resume_budget: ResumeBudget,
    replay_buffer: ReplayBuffer,
    recent_removals: RecentRemovals,
    event_loader: EventLoader,
    /// Present when the host has enabled batching.
    batch_window: Option<BatchWindow>,
    closing: bool,
}

impl Room {
    /// A Room without connections. `throttle_ms` is the minimum time between two sends of a user; 0
    /// means unthrottled.
    pub fn new(conversation_id: ConversationId, throttle_ms: i64) -> Self {
        Self {
            conversation_id,
            throttle_ms,
            head: None,
            highest_seen: Seq(0),
            connections: Connections::default(),
            send_queue: SendQueue::default(),
            recent_sends: RecentSends::default(),
            throttle: Throttle::new(throttle_ms),
            resume_budget: ResumeBudget::default(),
            replay_buffer: ReplayBuffer::default(),
            recent_removals: RecentRemovals::default(),
            event_loader: EventLoader::default(),
            batch_window: None,
            closing: false,
        }
    }

    /// Applies one input at time `now` and returns what the host has to do.
    pub fn handle(&mut self, input: Input<'_>, now: Timestamp) -> Effects {
        let mut effects = Effects::default();
        self.event_loader.observe_clock(now);
        if self.head.is_none() && self.connections.len() > 0 {
            // Restored without a head: what the connections have missed is unknown.
            self.close_where(CloseCode::Restarting, |_| true, &mut effects);
        }
        self.apply(input, now, &mut effects);
        self.start_due_work(now, &mut effects);
        effects
    }

    fn apply(&mut self, input: Input<'_>, now: Timestamp, effects: &mut Effects) {
        match input {
            Input::Connect { id, connection } => self.connect(id, connection, now, effects),
            Input::Frame { id, text } => self.receive_frame(id, text, now, effects),
            Input::InvalidFrame { id, close } => self.close(id, close, effects),
            Input::Drained { id } => self.drained(id, now, effects),
            Input::Disconnect { id } => drop(self.connections.remove(id)),
            Input::Heartbeats(heartbeats) => {
                for (id, at) in heartbeats {
                    self.connections.record_heartbeat(*id, *at);
                }
            }
            Input::Send {
                request_id,
                user_id,
                session_id,
                send,
            } => {
                let reply_to = ReplyTo::Request(request_id);
                self.send((user_id, session_id), send, reply_to, now, effects);
            }
            Input::Committed(result) => self.commit_finished(result, now, effects),
            Input::Loaded(Ok(Some(events))) => self.loaded(events, now, effects),
            Input::Loaded(Ok(None)) => self.conversation_gone(effects),
            Input::Loaded(Err(StoreFailed)) => self.load_failed(now),
            Input::ChangeStored(Some(change)) => self.change_stored(change, now, effects),
            Input::ChangeStored(None) => self.schedule_recheck(now),
            Input::Authenticated { id, result } => self.authenticated(id, result, now, effects),
            Input::Revoke { session_id } => self.revoke(session_id, effects),
            Input::Tick => self.tick(now, effects),
            Input::Shutdown => self.closing = true,
        }
    }

    fn commit_finished(
        &mut self,
        result: Result<BatchOutcome, StoreFailed>,
        now: Timestamp,
        effects: &mut Effects,
    ) {
        if let Some(window) = &mut self.batch_window {
            let committed = self.send_queue.in_flight_len();
            window.on_commit_finished(committed, self.send_queue.waiting_len(), now);
        }
        match result {
            Ok(outcome) => self.committed(outcome, now, effects),
            Err(StoreFailed) => self.commit_failed(now, effects),
        }
    }

    /// After every input: starts a commit and a load if they are due, and completes the shutdown.
    fn start_due_work(&mut self, now: Timestamp, effects: &mut Effects) {
        if self.batch_window.is_none() {
            self.start_commit(now, effects);
        }
        self.start_load(now, effects);
        if self.closing && self.send_queue.is_empty() {
            self.close_where(CloseCode::Restarting, |_| true, effects);
        }
    }

    /// Enables the batching window: from now on the host calls [`Self::flush`] at
    /// [`Self::flush_deadline`] to commit the waiting sends.
    pub fn enable_batching(&mut self, policy: BatchPolicy) {
        self.batch_window = Some(BatchWindow::new(policy));
    }

    /// When to flush: at once if not later than `now`, otherwise at the returned time unless more
    /// sends arrive. `None` without batching, without waiting sends, or while a commit is in
    /// flight.
    pub fn flush_deadline(&self, now: Timestamp) -> Option<Timestamp> {
        let window = self.batch_window.as_ref()?;
        let waiting = self.send_queue.waiting_len();
        let may_flush = waiting > 0 && !self.send_queue.is_committing();
        may_flush.then(|| window.flush_at(waiting, now))
    }

    /// Commits the waiting sends as one batch.
    pub fn flush(&mut self, now: Timestamp) -> Effects {
        let mut effects = Effects::default();
        self.start_commit(now, &mut effects);
        effects
    }

    /// When the next [`Input::Tick`] is due; `None` when none is needed.
    pub fn next_wakeup(&self, now: Timestamp) -> Option<Timestamp> {
        // A finished commit wakes the Room anyway, and without a head there is nothing to load.
        let may_load = self.head.is_some() && !self.send_queue.is_committing();
        let load = may_load
            .then(|| {
                self.event_loader
                    .next_wakeup(self.wanted_load(now).is_some())
            })
            .flatten();
        [self.connections.next_deadline(), load]
            .into_iter()
            .flatten()
            .min()
    }

    /// Whether a host with backpressure should stop reading sockets for now.
    pub fn is_backlogged(&self) -> bool {
        self.send_queue.waiting_len() >= send_queue::MAX_WAITING / 2
    }

    /// The connections of a user who may open no more, oldest first, each with its last heartbeat if
    /// the Room watches it. Empty while more are permitted.
    pub fn connections_at_limit(&self, user_id: UserId) -> Vec<(ConnectionId, Option<Timestamp>)> {
        if self.connections.count_of_user(user_id) < MAX_SOCKETS_PER_USER {
            return Vec::new();
        }
        let all = self.connections.iter();
        let own = all.filter(|(_, connection)| connection.user_id == user_id);
        own.map(|(id, connection)| (id, connection.last_heartbeat()))
            .collect()
    }

    /// The number of connections.
    pub fn connection_count(&self) -> usize {
        self.connections.len()
    }

    /// Whether the host may drop the Room without losing state that matters: no connection, no
    /// send, no load, no running throttle period, no used resume budget.
    pub fn retirement(&self, now: Timestamp) -> Retirement {
        let is_active = self.connections.len() > 0
            || !self.send_queue.is_empty()
            || self.event_loader.is_in_flight();
        if is_active {
            return Retirement::NotYet;
        }
        if self.closing {
            return Retirement::Now;
        }
        self.throttle
            .expires_at(now)
            .max(self.resume_budget.restored_at(now))
            .map_or(Retirement::Now, Retirement::After)
    }

    fn close(&mut self, id: ConnectionId, close: CloseCode, effects: &mut Effects) {
        if self.connections.remove(id).is_some() {
            effects.push(Effect::Close { id, close });
        }
    }

    fn close_where(
        &mut self,
        close: CloseCode,
        predicate: impl Fn(&Connection) -> bool,
        effects: &mut Effects,
    ) {
        for id in self.connections.ids_where(predicate) {
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
        self.event_loader.finished();
        self.close_where(CloseCode::NoSuchConversation, |_| true, effects);
    }

    fn tick(&mut self, now: Timestamp, effects: &mut Effects) {
        for due in self.connections.take_due(now) {
            match due {
                Due::Expired(id) => self.close(id, CloseCode::TokenExpired, effects),
                Due::HeartbeatLost(id) => self.close(id, CloseCode::HeartbeatLost, effects),
                Due::ExpiryNotice(id, in_s) => {
                    effects.reply(id, AuthExpiring { in_s }.encode());
                }
            }
        }
    }
}

/// Whether a Room may be dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retirement {
    /// It is in use.
    NotYet,
    /// At this time, unless another input comes before.
    After(Timestamp),
    /// Now.
    Now,
}
