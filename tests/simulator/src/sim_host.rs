//! A simulated process with the Room of the conversation, run by the product's own [`Host`].
//!
//! Owns the inputs: every one is passed to the host, whose effects go to `host_sink.rs`; afterwards
//! the flush and the alarm are scheduled, as the adapters do. Commits and loads are in `storage.rs`;
//! how a Room hibernates, crashes and restarts is in `lifecycle.rs`.

use std::collections::BTreeMap;

use super::host_sink::{HostSink, RoomHost};
use super::network::Link;
use super::plan::Plan;
use super::rng::{Stream, stream};
use super::world::{ScheduledEvent, World};
use colloquy_proto::domain::{ConversationId, NewMessage, Seq, Timestamp, UserId};
use colloquy_proto::room::{
    BatchPolicy, ConnectionId, HostConfig, Input, ProcessState, Retirement, WriteBuffer,
};

pub(super) const CONVERSATION: ConversationId = ConversationId(1);

/// The events of a conversation that a write buffer holds.
pub(super) const MAX_BUFFERED: usize = 150;

/// Each host's connection ids are in a range of their own.
const IDS_PER_HOST: u64 = 1_000_000;

/// Where work was started: a host, and which incarnation of its memory. The results of an incarnation
/// that is lost are dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct WorkOrigin {
    pub(super) host: u64,
    pub(super) incarnation: u64,
    /// Changes when the scheduled rechecks are lost, or shortened by a clock set forward.
    pub(super) recheck_era: u64,
}

/// One process, or one Durable Object.
pub(super) struct SimHost {
    /// None while it hibernates, and during a call of it.
    pub(super) room: Option<RoomHost>,
    pub(super) process: ProcessState,
    /// The newest connection id given out here.
    pub(super) last_connection: ConnectionId,
    pub(super) incarnation: u64,
    /// What its clock shows beyond the world's, in milliseconds.
    pub(super) skew: i64,
    pub(super) recheck_era: u64,
    /// Whether its clock was ever set back.
    pub(super) set_back: bool,
    /// How often its Room was restored from snapshots.
    pub(super) restores: u32,
    /// How often its clock was set.
    pub(super) clock_jumps: u32,
    pub(super) crashed: Option<Timestamp>,
    /// The snapshot of each connection, as the edge attaches it to the socket.
    pub(super) snapshots: BTreeMap<ConnectionId, String>,
    /// By the world's clock.
    pub(super) alarm: Option<Timestamp>,
    pub(super) in_flight: Option<Vec<NewMessage>>,
    /// The time of the scheduled flush, by the world's clock.
    pub(super) flush_at: Option<Timestamp>,
    /// The position from which a load in flight reads.
    pub(super) loading: Option<Seq>,
    pub(super) job_count: u64,
    /// The newest event that this incarnation has to deliver: it stored it, or was notified of it.
    pub(super) must_serve: Seq,
    /// The newest event its Room has taken in.
    pub(super) taken_in: Seq,
    pub(super) write_buffer: WriteBuffer,
    /// The newest event passed to the write buffer, and the newest one written to the cache.
    pub(super) buffered: Option<Seq>,
    pub(super) cached: Option<Seq>,
    /// Whether this incarnation knows no position yet.
    pub(super) without_head: bool,
    pub(super) closing: bool,
    /// Each user's running throttle period.
    pub(super) throttles: BTreeMap<UserId, ThrottleStart>,
}

/// A send that started a throttle period and may have been stored, by the host's clock.
#[derive(Clone, Copy)]
pub(super) struct ThrottleStart {
    pub(super) at: Timestamp,
    /// Whether the Room has to know of it.
    pub(super) certain: bool,
    /// Whether it also has to know of it after hibernation.
    pub(super) saved: bool,
    /// Whether a connection of the user, perhaps the one that sent, may have closed since.
    pub(super) disconnected: bool,
}

impl SimHost {
    fn new(number: u64, skew: i64, room: impl FnOnce(ProcessState) -> RoomHost) -> Self {
        let last_connection = ConnectionId(number * IDS_PER_HOST);
        let process = ProcessState::after(last_connection);
        Self {
            room: Some(room(process.clone())),
            process,
            last_connection,
            incarnation: 0,
            skew,
            recheck_era: 0,
            set_back: false,
            restores: 0,
            clock_jumps: 0,
            crashed: None,
            snapshots: BTreeMap::new(),
            alarm: None,
            in_flight: None,
            flush_at: None,
            loading: None,
            job_count: 0,
            must_serve: Seq(0),
            taken_in: Seq(0),
            write_buffer: WriteBuffer::new(MAX_BUFFERED),
            buffered: None,
            cached: None,
            without_head: true,
            closing: false,
            throttles: BTreeMap::new(),
        }
    }

    /// When the batch that waits in its Room is due.
    pub(super) fn flush_deadline(&self, now: Timestamp) -> Option<Timestamp> {
        self.room.as_ref()?.deadlines(now).flush
    }
}

/// How the Rooms of this world are run.
pub(super) fn host_config(plan: &Plan) -> HostConfig {
    HostConfig {
        throttle_ms: plan.throttle_ms,
        // A host that flushes late is one whose policy lets sends wait for long.
        batching: (plan.linger_ms > 0).then(|| BatchPolicy {
            commit_multiple: 1 + plan.linger_ms / 50,
            max_linger_ms: 10 + 2 * plan.linger_ms,
        }),
        watches_heartbeats: plan.watched,
    }
}

impl World {
    pub(super) fn new_host(&mut self, skew: i64) {
        let id = self.hosts.keys().next_back().map_or(0, |last| last + 1);
        let host = SimHost::new(id, skew, |process| self.new_room(process));
        self.hosts.insert(id, host);
        self.primary = id;
    }

    pub(super) fn new_room(&self, process: ProcessState) -> RoomHost {
        RoomHost::new(CONVERSATION, host_config(&self.plan), process)
    }

    /// What a host's clock shows.
    pub(super) fn clock(&self, host: u64) -> Timestamp {
        let skew = self.hosts.get(&host).map_or(0, |host| host.skew);
        Timestamp(self.now.0 + skew)
    }

    pub(super) fn origin(&self, host: u64) -> Option<WorkOrigin> {
        let sim_host = self.hosts.get(&host)?;
        Some(WorkOrigin {
            host,
            incarnation: sim_host.incarnation,
            recheck_era: sim_host.recheck_era,
        })
    }

    /// The host that started some work, unless that incarnation is lost.
    pub(super) fn current_host(&mut self, origin: WorkOrigin) -> Option<&mut SimHost> {
        let host = self.hosts.get_mut(&origin.host)?;
        (host.incarnation == origin.incarnation).then_some(host)
    }

    /// Passes one input to a host, which is restored if it hibernates.
    pub(super) fn input(&mut self, id: u64, input: Input<'_>) -> Result<(), String> {
        let is_send = matches!(input, Input::Frame { .. });
        if let Some(host) = self.hosts.get_mut(&id) {
            host.closing |= matches!(input, Input::Shutdown);
        }
        self.call_host(id, is_send, |room, now, sink| room.handle(input, now, sink))
    }

    /// Calls a host and checks what it did; `is_send` when the call may refuse a send.
    pub(super) fn call_host(
        &mut self,
        id: u64,
        is_send: bool,
        call: impl FnOnce(&mut RoomHost, Timestamp, &mut HostSink<'_>),
    ) -> Result<(), String> {
        self.restore(id)?;
        let throttled = self.drive(id, call)?;
        if is_send {
            self.check_throttled(id, &throttled)?;
        }
        self.settle(id)?;
        self.check_removed_members(id)
    }

    /// Calls a host that is awake, carries out its effects, and returns the users it throttled.
    pub(super) fn drive(
        &mut self,
        id: u64,
        call: impl FnOnce(&mut RoomHost, Timestamp, &mut HostSink<'_>),
    ) -> Result<Vec<UserId>, String> {
        let now = self.clock(id);
        let room = self.hosts.get_mut(&id).and_then(|host| host.room.take());
        let Some(mut room) = room else {
            return Ok(Vec::new());
        };
        let mut sink = HostSink::new(self, id);
        call(&mut room, now, &mut sink);
        let outcome = sink.outcome();
        if let Some(host) = self.hosts.get_mut(&id) {
            host.room = Some(room);
        }
        outcome
    }

    fn settle(&mut self, id: u64) -> Result<(), String> {
        if self.plan.watched {
            // A Durable Object flushes within the call where it can.
            self.drive(id, |room, now, sink| room.flush_if_due(now, sink))?;
        }
        self.save_snapshots(id);
        self.schedule_flush(id);
        self.set_alarm(id);
        self.retire(id);
        Ok(())
    }

    /// A batch is flushed when it is due, or a little later.
    fn schedule_flush(&mut self, id: u64) {
        let (now, real) = (self.clock(id), self.now);
        let Some(origin) = self.origin(id) else {
            return;
        };
        let Some(host) = self.hosts.get_mut(&id) else {
            return;
        };
        let due = host.flush_deadline(now);
        let Some(at) = due.filter(|_| host.flush_at.is_none()) else {
            return;
        };
        let moment = u64::try_from(real.0).unwrap_or(0);
        let mut rng = stream(self.seed, Stream::Host, id, moment);
        let late = rng.i64(0..self.plan.linger_ms);
        let at = Timestamp(real.0 + at.millis_since(now) + late);
        host.flush_at = Some(at);
        self.at(at, ScheduledEvent::Flush(origin));
    }

    pub(super) fn flush(&mut self, origin: WorkOrigin) -> Result<(), String> {
        let Some(host) = self.current_host(origin) else {
            return Ok(());
        };
        host.flush_at = None;
        self.drive(origin.host, |room, now, sink| room.flush_if_due(now, sink))?;
        self.settle(origin.host)
    }

    /// Only a user with a running throttle period is throttled.
    fn check_throttled(&self, host: u64, users: &[UserId]) -> Result<(), String> {
        let now = self.clock(host);
        let Some(host) = self.hosts.get(&host) else {
            return Ok(());
        };
        let crashed = host.crashed;
        let lost = crashed.is_some_and(|at| self.now.millis_since(at) < self.plan.throttle_ms);
        // A period from a snapshot that is over runs again by a clock that was set back.
        let lost = lost || host.restores > 0 && host.set_back;
        if host.in_flight.is_some() || host.flush_deadline(now).is_some() || lost {
            // A send that waits for its commit has started its period already, also when it is lost
            // with the Room's memory.
            return Ok(());
        }
        let period = 0..self.plan.throttle_ms;
        let is_running = |user: &UserId| {
            let start = host.throttles.get(user);
            start.is_some_and(|start| period.contains(&now.millis_since(start.at)))
        };
        match users.iter().find(|user| !is_running(user)) {
            Some(user) => Err(format!("user {user} was throttled without having sent")),
            None => Ok(()),
        }
    }

    /// Stores the snapshots that have changed, as the edge does after every input.
    fn save_snapshots(&mut self, id: u64) {
        let now = self.clock(id);
        let Some(host) = self.hosts.get_mut(&id).filter(|_| self.hibernates) else {
            return;
        };
        let Some(room) = &mut host.room else { return };
        for snapshot in room.take_dirty_snapshots(now) {
            let text = serde_json::to_string(&snapshot).unwrap_or_default();
            host.snapshots.insert(snapshot.connection_id(), text);
        }
    }

    /// A connection is closed for the host.
    pub(super) fn remove_snapshot(&mut self, host: u64, user: UserId, id: ConnectionId) {
        let Some(host) = self.hosts.get_mut(&host) else {
            return;
        };
        host.snapshots.remove(&id);
        if let Some(start) = host.throttles.get_mut(&user) {
            start.saved = false;
            start.disconnected = true;
        }
    }

    /// One alarm is set at a time, the earliest one. It outlives the Room's memory.
    fn set_alarm(&mut self, id: u64) {
        let (now, real, last) = (self.clock(id), self.now, self.last_alarm());
        let Some(host) = self.hosts.get_mut(&id) else {
            return;
        };
        let room = host.room.as_ref();
        let next = room.and_then(|room| room.deadlines(now).wake_up);
        let Some(next) = next else { return };
        let at = Timestamp(real.0 + next.millis_since(now).max(0));
        // Nothing after the end of the world matters.
        if at > last {
            return;
        }
        if host.alarm.is_none_or(|set| at < set) {
            host.alarm = Some(at);
            self.at(at, ScheduledEvent::Alarm(id));
        }
    }

    /// The alarm fires: afterwards no connection has an expired token.
    pub(super) fn on_alarm(&mut self, id: u64) -> Result<(), String> {
        let Some(host) = self.hosts.get_mut(&id) else {
            return Ok(());
        };
        host.alarm = None;
        self.sync_heartbeats(id)?;
        self.call_host(id, false, |room, now, sink| room.on_deadline(now, sink))?;
        self.check_silent_connections(id)?;
        let now = self.clock(id);
        let is_expired = |link: &&Link| link.open && link.host == id && link.expires_at <= now;
        match self.links.values().find(is_expired) {
            Some(link) => Err(format!(
                "user {} stays connected with an expired token",
                link.user
            )),
            None => Ok(()),
        }
    }

    /// A host that shuts down is removed when nothing is left to do.
    fn retire(&mut self, id: u64) {
        let now = self.clock(id);
        let Some(host) = self.hosts.get(&id) else {
            return;
        };
        let retirement = host.room.as_ref().map(|room| room.retirement(now));
        if host.closing && retirement == Some(Retirement::Now) && id != self.primary {
            self.hosts.remove(&id);
        }
    }
}
