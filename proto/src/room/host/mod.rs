//! The host of a [`Room`]: what every environment that runs a Room does the same way, still without
//! I/O.
//!
//! [`Host`] passes inputs to its Room and carries the effects out through a [`Sink`]. It owns the
//! REST requests that wait for a reply, the effect loop (a failed send leads to
//! [`Input::Disconnect`], an `auth` command to [`Input::Authenticated`]), the check of new sockets
//! against recently revoked sessions ([`ProcessState`]) and the deadlines. The native task, the
//! Durable Object and the simulator all drive this type, so what the simulator proves holds for the
//! code that serves clients.
//!
//! It does not own sockets, timers, the database or the clock: those are the adapter's. Events on
//! their way to the cache wait in a [`WriteBuffer`] beside it, because a native process batches them
//! over all its Rooms.
//!
//! An adapter calls one method for each thing that happens, then looks at [`Host::deadlines`]. To add
//! an effect: its variant in `effect.rs`, a method of [`Sink`], an arm in [`Host::handle`].

mod process;
mod sink;
#[cfg(test)]
mod tests;
mod write_buffer;

use std::collections::{HashMap, VecDeque};

pub use process::{MAX_REVOKED, ProcessState, REVOCATION_MEMORY};
pub use sink::{Delivery, Sink};
pub use write_buffer::{NewEvents, WriteBuffer};

use super::{
    BatchPolicy, ConnectionId, Effect, Effects, Input, NewConnection, RequestId, Retirement, Room,
    Snapshot,
};
use crate::domain::{ConversationId, Seconds, SessionId, Timestamp, UserId};
use crate::protocol::{CloseCode, HEARTBEAT_SECONDS, SendCommand};

/// How a Room is run. The same for every Room of an adapter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostConfig {
    /// Milliseconds between two sends of a user; 0 for no throttle.
    pub throttle_ms: i64,
    /// How long sends wait to be committed together; `None` commits each as soon as it can be.
    pub batching: Option<BatchPolicy>,
    /// Whether the Room closes silent sockets. The adapter then reports the pings that were answered
    /// outside the Room by [`Input::Heartbeats`]; otherwise it watches the sockets itself.
    pub watches_heartbeats: bool,
}

/// When the adapter has to call again if nothing else happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    /// For [`Host::flush_if_due`]. Milliseconds ahead; a timer in memory suffices, since the
    /// waiting sends are in the same memory.
    pub flush: Option<Timestamp>,
    /// For [`Host::tick`]. Usually seconds to minutes ahead. Where sockets outlive the memory, the
    /// adapter persists this timer.
    pub wake_up: Option<Timestamp>,
}

impl Deadlines {
    /// The earlier one, for [`Host::on_deadline`]: enough where one timer serves both.
    pub fn next(self) -> Option<Timestamp> {
        [self.flush, self.wake_up].into_iter().flatten().min()
    }
}

/// One Room with what surrounds it. `R` is the adapter's handle to reply to a REST request.
#[derive(Debug)]
pub struct Host<R> {
    room: Room,
    watches_heartbeats: bool,
    process: ProcessState,
    requests: HashMap<RequestId, R>,
    last_request: u64,
}

impl<R> Host<R> {
    /// A host whose Room has no connections.
    pub fn new(conversation_id: ConversationId, config: HostConfig, process: ProcessState) -> Self {
        let room = Room::new(conversation_id, config.throttle_ms);
        Self::with_room(room, config, process)
    }

    /// A host whose Room has the connections of these snapshots.
    pub fn restore(
        conversation_id: ConversationId,
        config: HostConfig,
        process: ProcessState,
        snapshots: Vec<Snapshot>,
    ) -> Self {
        if snapshots.is_empty() {
            return Self::new(conversation_id, config, process);
        }
        let room = Room::restore(conversation_id, config.throttle_ms, snapshots);
        Self::with_room(room, config, process)
    }

    fn with_room(mut room: Room, config: HostConfig, process: ProcessState) -> Self {
        if let Some(policy) = config.batching {
            room.enable_batching(policy);
        }
        Self {
            room,
            watches_heartbeats: config.watches_heartbeats,
            process,
            requests: HashMap::new(),
            last_request: 0,
        }
    }

    /// Connects a socket, unless its session was revoked after it was admitted. The adapter has
    /// already registered the socket under this id.
    pub fn connect(
        &mut self,
        id: ConnectionId,
        connection: NewConnection,
        now: Timestamp,
        sink: &mut impl Sink<Reply = R>,
    ) {
        if self.process.is_revoked(&connection.caller.session_id) {
            sink.close(id, CloseCode::TokenInvalid);
            return;
        }
        self.replace_silent(connection.caller.user_id, now, sink);
        let is_v2 = connection.v2;
        self.handle(Input::Connect { id, connection }, now, sink);
        if is_v2 && self.watches_heartbeats {
            // `hello` contains the ping interval, so the client has to ping from now on.
            self.handle(Input::Heartbeats(&[(id, now)]), now, sink);
        }
    }

    /// Makes room for a socket of a user who has the maximum: closes the oldest one that has been silent
    /// for one heartbeat. A lost connection is noticed only after three.
    fn replace_silent(&mut self, user_id: UserId, now: Timestamp, sink: &mut impl Sink<Reply = R>) {
        let is_silent = |(id, heartbeat): &(ConnectionId, Option<Timestamp>)| {
            let seen = sink.last_received(*id, now).max(*heartbeat);
            seen.is_some_and(|at| at.plus(Seconds(HEARTBEAT_SECONDS)) <= now)
        };
        let mut connections = self.room.connections_at_limit(user_id).into_iter();
        if let Some((id, _)) = connections.find(is_silent) {
            let close = CloseCode::HeartbeatLost;
            self.handle(Input::InvalidFrame { id, close }, now, sink);
        }
    }

    /// Whether a further socket of the user replaces a silent one. An adapter that knows heartbeats
    /// which did not reach the Room passes them before [`Self::connect`] then.
    pub fn is_at_limit(&self, user_id: UserId) -> bool {
        !self.room.connections_at_limit(user_id).is_empty()
    }

    /// Passes a REST send to the Room. `reply` is handed to [`Sink::reply`] once, with the outcome.
    pub fn send(
        &mut self,
        (user_id, session_id): (UserId, SessionId),
        send: SendCommand,
        reply: R,
        now: Timestamp,
        sink: &mut impl Sink<Reply = R>,
    ) {
        self.last_request += 1;
        let request_id = RequestId(self.last_request);
        self.requests.insert(request_id, reply);
        let input = Input::Send {
            request_id,
            user_id,
            session_id,
            send,
        };
        self.handle(input, now, sink);
    }

    /// Closes a session's sockets, and remembers the session for those that are not connected yet.
    pub fn revoke(
        &mut self,
        session_id: &SessionId,
        now: Timestamp,
        sink: &mut impl Sink<Reply = R>,
    ) {
        self.process.remember_revoked(session_id, now);
        self.handle(Input::Revoke { session_id }, now, sink);
    }

    /// Passes one input to the Room and carries out what follows from it.
    pub fn handle(&mut self, input: Input<'_>, now: Timestamp, sink: &mut impl Sink<Reply = R>) {
        let effects = self.room.handle(input, now);
        self.apply(effects, now, sink);
    }

    /// Commits the batch that is due, or that gains nothing from waiting ([`Sink::may_linger`]).
    pub fn flush_if_due(&mut self, now: Timestamp, sink: &mut impl Sink<Reply = R>) {
        let Some(at) = self.room.flush_deadline(now) else {
            return;
        };
        if at <= now || !sink.may_linger(now) {
            let effects = self.room.flush(now);
            self.apply(effects, now, sink);
        }
    }

    /// Time has passed: closes expired and silent connections, repeats failed loads.
    pub fn tick(&mut self, now: Timestamp, sink: &mut impl Sink<Reply = R>) {
        self.handle(Input::Tick, now, sink);
    }

    /// Does whatever is due; harmless when nothing is.
    pub fn on_deadline(&mut self, now: Timestamp, sink: &mut impl Sink<Reply = R>) {
        self.flush_if_due(now, sink);
        self.tick(now, sink);
    }

    /// When to call again. A flush that is already due has the deadline `now`.
    pub fn deadlines(&self, now: Timestamp) -> Deadlines {
        Deadlines {
            flush: self.room.flush_deadline(now),
            wake_up: self.room.next_wakeup(now),
        }
    }

    /// The snapshots to write to the sockets before the adapter awaits anything.
    pub fn take_dirty_snapshots(&mut self, now: Timestamp) -> Vec<Snapshot> {
        self.room.take_dirty_snapshots(now)
    }

    /// Whether the Room and its host may be dropped.
    pub fn retirement(&self, now: Timestamp) -> Retirement {
        if self.requests.is_empty() {
            self.room.retirement(now)
        } else {
            Retirement::NotYet
        }
    }

    /// Whether an adapter that can apply back pressure should stop reading sockets for now.
    pub fn is_backlogged(&self) -> bool {
        self.room.is_backlogged()
    }

    /// The effect loop. An input that results from an effect is passed to the Room after all
    /// effects returned before it.
    fn apply(&mut self, effects: Effects, now: Timestamp, sink: &mut impl Sink<Reply = R>) {
        let mut following = VecDeque::new();
        self.apply_each(effects, now, sink, &mut following);
        while let Some(input) = following.pop_front() {
            let effects = self.room.handle(input, now);
            self.apply_each(effects, now, sink, &mut following);
        }
    }

    fn apply_each(
        &mut self,
        effects: Effects,
        now: Timestamp,
        sink: &mut impl Sink<Reply = R>,
        following: &mut VecDeque<Input<'static>>,
    ) {
        for effect in effects {
            let failed = match effect {
                Effect::Reply { to, frames } => sink.send(&[to], &frames, Delivery::Reply),
                Effect::ResumePart { to, frames } => {
                    sink.send(&[to], &frames, Delivery::ResumePart)
                }
                Effect::Fanout { to, frames } => sink.send(&to, &frames, Delivery::Fanout),
                effect => {
                    self.apply_one(effect, now, sink, following);
                    continue;
                }
            };
            let disconnects = failed.into_iter().map(|id| Input::Disconnect { id });
            following.extend(disconnects);
        }
    }

    fn apply_one(
        &mut self,
        effect: Effect,
        now: Timestamp,
        sink: &mut impl Sink<Reply = R>,
        following: &mut VecDeque<Input<'static>>,
    ) {
        match effect {
            Effect::Reply { .. } | Effect::ResumePart { .. } | Effect::Fanout { .. } => {}
            Effect::Close { id, close } => sink.close(id, close),
            Effect::Commit(sends) => sink.commit(sends),
            Effect::Load { since, limit } => sink.load(since, limit),
            Effect::CacheEvents { epoch, events } => sink.write_behind(NewEvents {
                conversation_id: self.room.conversation_id,
                epoch,
                events,
            }),
            Effect::Authenticate { id, token } => {
                let result = sink.authenticate(id, &token, now);
                following.push_back(Input::Authenticated { id, result });
            }
            Effect::CompleteRequest {
                request_id,
                outcome,
            } => {
                if let Some(reply) = self.requests.remove(&request_id) {
                    sink.reply(reply, outcome);
                }
            }
        }
    }
}
