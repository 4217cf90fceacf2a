//! Runs one Room in the memory of its Durable Object: drives [`Host`] and carries out its effects on
//! the runtime's sockets.
//!
//! Nothing here waits. Work that takes time (database, cache, alarm) is returned as [`Job`]s, and its
//! result is another call. So each input is handled completely before the next one, however the
//! object's events interleave. Owns the sockets' attachments: each holds the newest snapshot of its
//! connection; a closed socket has none, so that it is not restored. `object_sink.rs` sends.

use std::collections::HashMap;
use std::sync::Arc;

use colloquy_core::cache::RecentHistory;
use colloquy_core::ports::Clock as _;
use colloquy_proto::domain::{
    BatchOutcome, ConversationId, Seconds, SendOutcome, SessionId, Timestamp, UserId,
};
use colloquy_proto::protocol::{CloseCode, SendCommand};
use colloquy_proto::room::{
    BatchPolicy, ConnectionId, Host, HostConfig, Input, NewConnection, NewEvents, ProcessState,
    Sink as _, StoreFailed,
};
use futures_channel::oneshot;
use worker::{State, WebSocket};

use crate::app::IsolateState;
use crate::clock::EdgeClock;
use crate::hibernation::{attach, attached, connection_of, last_ping};
use crate::object_sink::{Job, ObjectSink, OutgoingSocket};
use crate::perf::isolate_load;
use crate::unconfirmed::Bound;

/// How long sends wait for others while the thread is contended. A reply then takes longer than
/// one commit in any case, because the thread serves other Rooms first; and a larger batch here leaves
/// those Rooms more of the thread.
const BATCH_POLICY: BatchPolicy = BatchPolicy {
    commit_multiple: 3,
    max_linger_ms: 200,
};

/// When a resume goes on whose object lost its memory between two parts.
const RESUME_RECOVERY: Seconds = Seconds(30);

/// One live conversation of this isolate.
pub(crate) struct RoomHost {
    host: Host<oneshot::Sender<SendOutcome>>,
    process: ProcessState,
    sink: ObjectSink,
    /// The time of the flush that is scheduled.
    flush_at: Option<Timestamp>,
    /// The time of the alarm that is set, as far as this isolate knows.
    alarm_at: Option<Timestamp>,
}

impl RoomHost {
    /// The Room as its sockets' attachments describe it. `also` is a socket that the runtime may not
    /// list any more.
    pub(crate) fn restore(
        conversation_id: ConversationId,
        shared: &IsolateState,
        state: &State,
        also: Option<&WebSocket>,
    ) -> Self {
        let mut sockets = HashMap::new();
        let mut snapshots = Vec::new();
        let mut last = ConnectionId(0);
        for socket in also.cloned().into_iter().chain(state.get_websockets()) {
            let Some(id) = connection_of(state, &socket) else {
                continue;
            };
            last = last.max(id);
            if let Some(snapshot) = attached(&socket)
                && sockets.insert(id, OutgoingSocket::from(socket)).is_none()
            {
                snapshots.push(snapshot);
            }
        }
        tracing::debug!(
            conversation.id = conversation_id.0,
            connections = snapshots.len(),
            "room restored from its sockets"
        );
        let config = HostConfig {
            throttle_ms: shared.throttle_ms,
            batching: Some(BATCH_POLICY),
            // The runtime answers pings without waking the object.
            watches_heartbeats: true,
        };
        let process = ProcessState::after(last);
        let mut room = Self {
            host: Host::restore(conversation_id, config, process.clone(), snapshots),
            process,
            sink: ObjectSink {
                conversation_id,
                tokens: Arc::clone(&shared.tokens),
                sockets,
                write_buffer: RecentHistory::write_buffer(),
                jobs: Vec::new(),
                sent_part: false,
                to_check: Vec::new(),
            },
            flush_at: None,
            alarm_at: None,
        };
        room.sync_heartbeats(state);
        room
    }

    /// Reports to the Room the pings that the runtime has answered.
    fn sync_heartbeats(&mut self, state: &State) {
        let sockets = self.sink.sockets.iter();
        let pings =
            sockets.filter_map(|(id, outgoing)| Some((*id, last_ping(state, &outgoing.socket)?)));
        let heartbeats: Vec<_> = pings.collect();
        self.handle(Input::Heartbeats(&heartbeats));
    }

    /// Checks the sockets that were sent much since their client has shown a sign of life: one that is
    /// silent for too long is closed, and one that was sent more than any client may leave unread.
    pub(crate) fn check_unconfirmed(&mut self, state: &State) {
        if self.sink.to_check.is_empty() {
            return;
        }
        let mut pings = Vec::new();
        for id in std::mem::take(&mut self.sink.to_check) {
            let Some(outgoing) = self.sink.sockets.get_mut(&id) else {
                continue;
            };
            let ping = last_ping(state, &outgoing.socket);
            pings.extend(ping.map(|at| (id, at)));
            if outgoing.unconfirmed.check(ping) == Bound::Exceeded {
                self.sink.close(id, CloseCode::SlowConsumer);
                self.handle(Input::Disconnect { id });
            }
        }
        self.handle(Input::Heartbeats(&pings));
        self.handle(Input::Tick);
    }

    /// A client has sent a frame.
    pub(crate) fn receive(&mut self, id: ConnectionId, input: Input<'_>) {
        if let Some(outgoing) = self.sink.sockets.get_mut(&id) {
            outgoing.unconfirmed.reset();
        }
        self.handle(input);
    }

    /// The jobs that have come up since the last call.
    pub(crate) fn take_jobs(&mut self) -> Vec<Job> {
        std::mem::take(&mut self.sink.jobs)
    }

    /// An id for a socket that is going to be accepted.
    pub(crate) fn next_connection_id(&self) -> ConnectionId {
        self.process.next_connection_id()
    }

    /// Connects a socket that has been accepted.
    pub(crate) fn connect(
        &mut self,
        id: ConnectionId,
        connection: NewConnection,
        socket: WebSocket,
        state: &State,
    ) {
        if self.host.is_at_limit(connection.caller.user_id) {
            self.sync_heartbeats(state);
        }
        let now = EdgeClock.now();
        self.sink.sockets.insert(id, socket.into());
        self.host.connect(id, connection, now, &mut self.sink);
        self.settle(now);
    }

    /// Whether this connection has a socket that was not closed.
    pub(crate) fn has_socket(&self, id: ConnectionId) -> bool {
        self.sink.sockets.contains_key(&id)
    }

    /// A socket is closed.
    pub(crate) fn disconnect(&mut self, id: ConnectionId) {
        self.sink.sockets.remove(&id);
        self.handle(Input::Disconnect { id });
    }

    /// Passes on a REST send; the outcome comes through the channel.
    pub(crate) fn send(
        &mut self,
        sender: (UserId, SessionId),
        send: SendCommand,
    ) -> oneshot::Receiver<SendOutcome> {
        let (reply, outcome) = oneshot::channel();
        let now = EdgeClock.now();
        self.host.send(sender, send, reply, now, &mut self.sink);
        self.settle(now);
        outcome
    }

    /// Closes a session's sockets, and refuses those that are being opened.
    pub(crate) fn revoke(&mut self, session_id: &SessionId) {
        let now = EdgeClock.now();
        self.host.revoke(session_id, now, &mut self.sink);
        self.settle(now);
    }

    /// The object's alarm has fired.
    pub(crate) fn on_alarm(&mut self, state: &State) {
        self.alarm_at = None;
        self.sync_heartbeats(state);
        self.handle(Input::Tick);
    }

    /// A commit has ended.
    pub(crate) fn committed(&mut self, stored: Result<BatchOutcome, StoreFailed>) {
        isolate_load::end(self.sink.conversation_id);
        self.handle(Input::Committed(stored));
    }

    /// The flush scheduled for this time is due.
    pub(crate) fn flush(&mut self, at: Timestamp) {
        if self.flush_at == Some(at) {
            self.flush_at = None;
        }
        self.settle(EdgeClock.now());
    }

    /// The events to write to the cache now.
    pub(crate) fn drain_events(&mut self) -> Vec<NewEvents> {
        self.sink.write_buffer.drain()
    }

    /// The cache write has ended. True when more events wait.
    pub(crate) fn cache_written(&mut self) -> bool {
        self.sink.write_buffer.finished()
    }

    /// Passes one input to the Room.
    pub(crate) fn handle(&mut self, input: Input<'_>) {
        let now = EdgeClock.now();
        self.host.handle(input, now, &mut self.sink);
        self.settle(now);
    }

    /// After every input: what has to be done before the object may wait.
    fn settle(&mut self, now: Timestamp) {
        self.host.flush_if_due(now, &mut self.sink);
        self.save_snapshots(now);
        let deadlines = self.host.deadlines(now);
        let flush = deadlines.flush.filter(|at| is_earlier(*at, self.flush_at));
        // If the memory is lost before the next part, the alarm continues the resume.
        let sent_part = std::mem::take(&mut self.sink.sent_part);
        let resume_at = sent_part.then(|| now.plus(RESUME_RECOVERY));
        let alarm = deadlines.wake_up.into_iter().chain(resume_at).min();
        let alarm = alarm.filter(|at| is_earlier(*at, self.alarm_at));
        (self.flush_at, self.alarm_at) = (flush.or(self.flush_at), alarm.or(self.alarm_at));
        let jobs = &mut self.sink.jobs;
        jobs.extend(flush.map(Job::Flush));
        jobs.extend(alarm.map(Job::SetAlarm));
    }

    /// Writes the snapshots that have changed to their sockets.
    fn save_snapshots(&mut self, now: Timestamp) {
        for snapshot in self.host.take_dirty_snapshots(now) {
            if let Some(outgoing) = self.sink.sockets.get(&snapshot.connection_id()) {
                attach(&outgoing.socket, &snapshot);
            }
        }
    }
}

fn is_earlier(at: Timestamp, scheduled: Option<Timestamp>) -> bool {
    scheduled.is_none_or(|scheduled| at < scheduled)
}
