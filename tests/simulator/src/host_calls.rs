//! Calls of a host: every input is passed to it, its effects go to `host_sink.rs`; afterwards the flush
//! and the alarm are scheduled, as the adapters do. Commits and loads are in `storage.rs`; how a Room
//! hibernates, crashes and restarts is in `lifecycle.rs`.

use super::events::ScheduledEvent;
use super::host_sink::HostSink;
use super::link::Link;
use super::rng::{Stream, stream};
use super::sim_host::{CONVERSATION, RoomHost, SimHost, WorkOrigin, host_config};
use super::world::World;
use colloquy_proto::domain::{Timestamp, UserId};
use colloquy_proto::room::{ConnectionId, Input, ProcessState, Retirement};

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
