//! How a Room loses its memory: hibernation, a crash of the object, a restart of the process; and how
//! it is restored from the snapshots of its sockets.

use super::link::{AdmissionStage, Link};
use super::sim_host::{CONVERSATION, MAX_BUFFERED, RoomHost, SimHost, host_config};
use super::world::World;
use colloquy_proto::domain::Seq;
use colloquy_proto::protocol::CloseCode;
use colloquy_proto::room::{ConnectionId, ProcessState, WriteBuffer};

impl World {
    /// The Room is evicted while nothing is in flight; its sockets stay.
    pub(super) fn sleep(&mut self) {
        let (primary, now) = (self.primary, self.clock(self.primary));
        let mut requests = self.rest_requests.values();
        let is_waiting = requests.any(|send| send.host == primary);
        // A socket that is being opened is a request in flight.
        let mut links = self.links.values();
        let is_opening = links.any(|link| link.is_opening(primary));
        let Some(host) = self.hosts.get_mut(&primary) else {
            return;
        };
        let has_batch = host.flush_deadline(now).is_some();
        let has_job = host.in_flight.is_some() || host.loading.is_some();
        let is_busy = has_job || has_batch || !host.write_buffer.is_idle();
        if is_busy || is_waiting || is_opening || host.room.is_none() {
            return;
        }
        host.evict();
        self.report.sleeps += 1;
    }

    /// The Room's memory is lost whatever is in flight; its sockets stay.
    pub(super) fn crash(&mut self) {
        let (primary, now) = (self.primary, self.now);
        let Some(host) = self.hosts.get_mut(&primary) else {
            return;
        };
        host.lose_memory();
        host.crashed = Some(now);
        self.report.crashes += 1;
        self.fail_rest_requests(primary);
        self.disconnect_where(|link| link.is_opening(primary));
    }

    /// The process dies: memory is lost, every socket breaks; a commit in flight may still be stored.
    pub(super) fn restart(&mut self) {
        let primary = self.primary;
        let Some(host) = self.hosts.get_mut(&primary) else {
            return;
        };
        host.lose_memory();
        host.snapshots.clear();
        host.taken_in = Seq(0);
        host.throttles.clear();
        host.without_head = true;
        let process = host.process.clone();
        let room = self.new_room(process);
        if let Some(host) = self.hosts.get_mut(&primary) {
            host.room = Some(room);
        }
        self.report.restarts += 1;
        self.fail_rest_requests(primary);
        self.disconnect_where(|link| link.host == primary);
    }

    /// These connections break; their clients notice at once.
    fn disconnect_where(&mut self, broken: impl Fn(&Link) -> bool) {
        let links = self.links.iter_mut().filter(|(_, link)| broken(link));
        let ids: Vec<ConnectionId> = links
            .map(|(id, link)| {
                link.open = false;
                *id
            })
            .collect();
        for id in ids {
            self.client_disconnected(id);
        }
    }

    /// A hibernating Room is restored from its snapshots.
    pub(super) fn restore(&mut self, id: u64) -> Result<(), String> {
        let config = host_config(&self.plan);
        let hibernating = |host: &&mut SimHost| host.room.is_none();
        let Some(host) = self.hosts.get_mut(&id).filter(hibernating) else {
            return Ok(());
        };
        let mut snapshots = Vec::new();
        for text in host.snapshots.values() {
            let snapshot = serde_json::from_str(text);
            snapshots.push(snapshot.map_err(|error| format!("{error} in {text}"))?);
        }
        host.restores += u32::from(!snapshots.is_empty());
        let process = host.process.clone();
        host.room = Some(RoomHost::restore(CONVERSATION, config, process, snapshots));
        self.sync_heartbeats_of_restored(id)
    }

    /// Before a hibernating Room connects a socket, it registers with the object of the session. That
    /// refuses a revoked session; one that is revoked later finds this Room registered.
    pub(super) fn register(&mut self, id: ConnectionId) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        link.stage = AdmissionStage::Opening;
        let session = self.clients.get(link.client).map(|client| &client.session);
        if session.is_some_and(|session| self.revoked.contains(session)) {
            self.closed(id, CloseCode::TokenInvalid);
        }
    }
}

impl SimHost {
    fn lose_memory(&mut self) {
        self.incarnation += 1;
        self.in_flight = None;
        self.flush_at = None;
        self.loading = None;
        self.must_serve = Seq(0);
        self.write_buffer = WriteBuffer::new(MAX_BUFFERED);
        (self.buffered, self.cached) = (None, None);
        self.evict();
    }

    /// The Room's memory ends; of the throttles only what is in snapshots remains.
    fn evict(&mut self) {
        self.room = None;
        self.evictions += 1;
        self.process = ProcessState::after(self.last_connection);
        if self.snapshots.is_empty() {
            // Without a connection there is no snapshot, so that the rechecks are lost too.
            self.must_serve = Seq(0);
            self.taken_in = Seq(0);
            (self.buffered, self.cached) = (None, None);
            self.without_head = true;
            self.recheck_era += 1;
        }
        for start in self.throttles.values_mut() {
            // Of two times in snapshots the later one counts, even if a clock was set back since.
            start.certain &= start.saved && !self.set_back;
        }
    }
}
