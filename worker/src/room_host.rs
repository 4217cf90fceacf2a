//! A Room awake: the state machine with its sockets, and the carrying out of what it wants.
//!
//! Everything here runs without waiting; what waits (database, cache, alarm) is handed back as
//! [`Job`]s. So no input meets a half-done one, however the object's events interleave. Owns the
//! sockets' attachments: each holds the newest snapshot of its connection, and what is closed has
//! none, so that it is not woken as a connection again.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use colloquy_core::auth::Tokens;
use colloquy_core::cache::{NewEvents, WriteBuffer};
use colloquy_core::ports::Clock as _;
use colloquy_proto::domain::{
    BatchOutcome, Caller, ConversationId, NewMessage, Seconds, SendOutcome, Seq, SessionId,
    Timestamp,
};
use colloquy_proto::protocol::CloseCode;
use colloquy_proto::room::{
    BatchPolicy, ConnectionId, Effect, EncodedFrame, Input, NewConnection, RequestId, Room,
    StoreFailed, TokenRejected,
};
use futures_channel::oneshot;
use worker::{State, WebSocket};

use crate::app::Shared;
use crate::clock::EdgeClock;
use crate::isolate_load;
use crate::room_sockets::{SharedFrames, attach, attached, end, last_ping};

/// How long a revocation is remembered for sockets that are just being let in.
const REVOCATION_MEMORY: Seconds = Seconds(120);

/// How long sends wait for company where other Rooms keep the thread busy. Who has been heard is then
/// answered by a thread that does much else first: it takes longer than a commit, and the other
/// Rooms' commits get shorter by each send that leaves with others.
const PATIENCE: BatchPolicy = BatchPolicy {
    commit_multiple: 3,
    max_linger_ms: 200,
};

/// What is to be waited for.
pub(crate) enum Job {
    /// Store a batch.
    Commit(Vec<NewMessage>),
    /// Read events.
    Load { since: Seq, limit: i64 },
    /// Put events into the cache, until none wait.
    Record,
    /// Let what has gathered leave at this time.
    Release(Timestamp),
    /// Wake the object at this time, at the latest.
    Alarm(Timestamp),
    /// A login goes on with a fresher token: its object is to know of it for longer.
    Prolong(SessionId, Timestamp),
}

/// One live conversation of this isolate.
pub(crate) struct Live {
    id: ConversationId,
    room: Room,
    tokens: Arc<Tokens>,
    sockets: HashMap<ConnectionId, WebSocket>,
    requests: HashMap<RequestId, oneshot::Sender<SendOutcome>>,
    next_connection: u64,
    next_request: u64,
    unrecorded: WriteBuffer,
    /// When what has gathered leaves at the latest, if it waits for company.
    releases: Option<Timestamp>,
    /// When the object is woken next, as far as this isolate knows.
    alarm: Option<Timestamp>,
    revoked: VecDeque<(Timestamp, SessionId)>,
    jobs: Vec<Job>,
}

/// The name under which a socket's object knows it; kept as the socket's tag.
pub(crate) fn connection_of(state: &State, socket: &WebSocket) -> Option<ConnectionId> {
    let tags = state.get_tags(socket);
    tags.first()?.parse().ok().map(ConnectionId)
}

impl Live {
    /// The Room as its sockets remember it. `also` is a socket the runtime may have stopped
    /// listing.
    pub(crate) fn wake(
        id: ConversationId,
        shared: &Shared,
        state: &State,
        also: Option<&WebSocket>,
    ) -> Self {
        let throttle_ms = shared.throttle_ms;
        let mut sockets = HashMap::new();
        let mut snapshots = Vec::new();
        let mut last = 0;
        for socket in also.cloned().into_iter().chain(state.get_websockets()) {
            let Some(connection) = connection_of(state, &socket) else {
                continue;
            };
            last = last.max(connection.0);
            if let Some(snapshot) = attached(&socket)
                && sockets.insert(connection, socket).is_none()
            {
                snapshots.push(snapshot);
            }
        }
        tracing::debug!(
            conversation.id = id.0,
            connections = snapshots.len(),
            "a Room woke"
        );
        let mut room = if snapshots.is_empty() {
            Room::new(id, throttle_ms)
        } else {
            Room::restore(id, throttle_ms, snapshots)
        };
        room.enable_batching(PATIENCE);
        let mut live = Self {
            id,
            room,
            tokens: Arc::clone(&shared.tokens),
            sockets,
            requests: HashMap::new(),
            next_connection: last + 1,
            next_request: 0,
            unrecorded: WriteBuffer::default(),
            releases: None,
            alarm: None,
            revoked: VecDeque::new(),
            jobs: Vec::new(),
        };
        live.listen(state);
        live
    }

    /// Tells the Room of the pings the runtime has answered in its place.
    fn listen(&mut self, state: &State) {
        let pings = self
            .sockets
            .iter()
            .filter_map(|(id, socket)| Some((*id, last_ping(state, socket)?)));
        let heard: Vec<_> = pings.collect();
        self.input(Input::Heartbeats(&heard));
    }

    /// What has come up to be waited for.
    pub(crate) fn take_jobs(&mut self) -> Vec<Job> {
        std::mem::take(&mut self.jobs)
    }

    /// Lets a socket in that the runtime has been told of under the name this answers.
    pub(crate) fn reserve(&mut self) -> ConnectionId {
        let id = ConnectionId(self.next_connection);
        self.next_connection += 1;
        id
    }

    /// Connects a socket that has been accepted.
    pub(crate) fn connect(
        &mut self,
        id: ConnectionId,
        connection: NewConnection,
        socket: WebSocket,
    ) {
        if self
            .revoked
            .iter()
            .any(|(_, session)| *session == connection.caller.session_id)
        {
            end(&socket, CloseCode::TokenInvalid);
            return;
        }
        let v2 = connection.v2;
        self.sockets.insert(id, socket);
        self.input(Input::Connect { id, connection });
        if v2 {
            // It has been told how often to ping.
            let at = EdgeClock.now();
            self.input(Input::Heartbeats(&[(id, at)]));
        }
    }

    /// A socket is gone.
    pub(crate) fn disconnect(&mut self, id: ConnectionId) {
        self.sockets.remove(&id);
        self.input(Input::Disconnect { id });
    }

    /// A REST send; its answer comes through the channel.
    pub(crate) fn send(
        &mut self,
        send: impl FnOnce(RequestId) -> Input<'static>,
    ) -> oneshot::Receiver<SendOutcome> {
        let (answer, outcome) = oneshot::channel();
        self.next_request += 1;
        let request_id = RequestId(self.next_request);
        self.requests.insert(request_id, answer);
        self.input(send(request_id));
        outcome
    }

    /// Ends a login's sockets, also the one that is just being let in.
    pub(crate) fn revoke(&mut self, session_id: &SessionId) {
        let now = EdgeClock.now();
        self.revoked
            .retain(|(at, _)| now.millis_since(*at) < REVOCATION_MEMORY.as_millis());
        self.revoked.push_back((now, session_id.clone()));
        self.input(Input::Revoke { session_id });
    }

    /// The object was woken by its alarm.
    pub(crate) fn tick(&mut self, state: &State) {
        self.alarm = None;
        self.listen(state);
        self.input(Input::Tick);
    }

    /// A commit has its answer.
    pub(crate) fn committed(&mut self, stored: Result<BatchOutcome, StoreFailed>) {
        isolate_load::end(self.id);
        self.input(Input::Committed(stored));
    }

    /// It has been waited for company until now.
    pub(crate) fn release(&mut self, at: Timestamp) {
        if self.releases == Some(at) {
            self.releases = None;
        }
        self.let_go(EdgeClock.now());
    }

    /// What the cache is to be given now.
    pub(crate) fn unrecorded(&mut self) -> Vec<NewEvents> {
        self.unrecorded.drain()
    }

    /// The cache has taken what it was given. Whether more has come up.
    pub(crate) fn recorded(&mut self) -> bool {
        self.unrecorded.finished()
    }

    /// Hands the Room one input and carries out what it wants.
    pub(crate) fn input(&mut self, input: Input<'_>) {
        let now = EdgeClock.now();
        let mut own = VecDeque::new();
        let effects = self.room.handle(input, now);
        self.carry_out(effects, &mut own);
        while let Some(input) = own.pop_front() {
            let effects = self.room.handle(input, now);
            self.carry_out(effects, &mut own);
        }
        self.let_go(now);
        self.keep(now);
        self.arm(now);
    }

    /// Lets what has gathered leave: at once, or when it has waited for company.
    fn let_go(&mut self, now: Timestamp) {
        let Some(at) = self.room.flush_deadline(now) else {
            return;
        };
        if at <= now || !isolate_load::are_others(self.id, now) {
            let effects = self.room.flush(now);
            // A commit leads to no further input.
            self.carry_out(effects, &mut VecDeque::new());
        } else if self.releases.is_none_or(|armed| at < armed) {
            self.releases = Some(at);
            self.jobs.push(Job::Release(at));
        }
    }

    fn carry_out(
        &mut self,
        effects: colloquy_proto::room::Effects,
        own: &mut VecDeque<Input<'static>>,
    ) {
        for effect in effects {
            match effect {
                Effect::Reply { to, frames } => self.queue(&[to], &frames, own),
                Effect::Fanout { to, frames } => self.queue(&to, &frames, own),
                Effect::Close { id, close } => {
                    if let Some(socket) = self.sockets.remove(&id) {
                        end(&socket, close);
                    }
                }
                Effect::Commit(sends) => {
                    isolate_load::begin(self.id, EdgeClock.now());
                    self.jobs.push(Job::Commit(sends));
                }
                Effect::Load { since, limit } => self.jobs.push(Job::Load { since, limit }),
                Effect::CacheEvents { epoch, events } => {
                    let new = NewEvents {
                        conversation_id: self.id,
                        epoch,
                        events,
                    };
                    if self.unrecorded.push(new) {
                        self.jobs.push(Job::Record);
                    }
                }
                Effect::Authenticate { id, token } => {
                    let result = self.authenticate(&token);
                    own.push_back(Input::Authenticated { id, result });
                }
                Effect::CompleteRequest {
                    request_id,
                    outcome,
                } => {
                    if let Some(answer) = self.requests.remove(&request_id) {
                        // Whoever asked may have gone away.
                        drop(answer.send(outcome));
                    }
                }
            }
        }
    }

    fn authenticate(&mut self, token: &str) -> Result<Caller, TokenRejected> {
        let verified = self.tokens.verify_access(token, EdgeClock.now());
        if let Ok(caller) = &verified {
            let prolong = Job::Prolong(caller.session_id.clone(), caller.expires_at);
            self.jobs.push(prolong);
        }
        verified.map_err(Into::into)
    }

    fn queue(
        &mut self,
        to: &[ConnectionId],
        frames: &[EncodedFrame],
        own: &mut VecDeque<Input<'static>>,
    ) {
        let any = to.iter().find_map(|id| self.sockets.get(id));
        let shared = any
            .filter(|_| to.len() > 1)
            .and_then(|any| SharedFrames::of(any, frames));
        for id in to {
            let Some(socket) = self.sockets.get(id) else {
                continue;
            };
            let sent = match &shared {
                Some(shared) => shared.send(socket),
                None => frames
                    .iter()
                    .all(|frame| socket.send_with_str(frame).is_ok()),
            };
            if !sent {
                // It has closed; the runtime may tell later or never.
                self.sockets.remove(id);
                own.push_back(Input::Disconnect { id: *id });
            }
        }
    }

    /// Writes what has changed of connections to their sockets.
    fn keep(&mut self, now: Timestamp) {
        for snapshot in self.room.take_dirty_snapshots(now) {
            let Some(socket) = self.sockets.get(&snapshot.connection_id()) else {
                continue;
            };
            attach(socket, &snapshot);
        }
    }

    fn arm(&mut self, now: Timestamp) {
        let Some(next) = self.room.next_wakeup(now) else {
            return;
        };
        if self.alarm.is_none_or(|armed| next < armed) {
            self.alarm = Some(next);
            self.jobs.push(Job::Alarm(next));
        }
    }
}
