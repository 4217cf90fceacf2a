//! Heartbeats where the Room watches its sockets, as at the edge: the runtime answers pings in the
//! Room's place, and the Room receives their times when it is restored and before every tick. It must
//! close a client whose connection is dead, and no client that pings.

use super::events::ScheduledEvent;
use super::link::{HeartbeatState, Link, RECHECK_AFTER_MS};
use super::world::World;
use colloquy_proto::domain::Timestamp;
use colloquy_proto::protocol::HEARTBEAT_SECONDS;
use colloquy_proto::room::{ConnectionId, Input};

impl World {
    /// A socket is about to be connected. A v2 client receives the ping interval in `hello`, so the Room
    /// watches it from now on.
    pub(super) fn start_heartbeats(&mut self, id: ConnectionId, v2: bool) {
        let now = self.now;
        let watched_since = (self.plan.watched && v2).then_some(now);
        if let Some(link) = self.links.get_mut(&id) {
            link.heartbeat.connected_at = Some(now);
            link.heartbeat.watched_since = watched_since;
        }
    }

    /// Reports to the Room the pings that were answered in its place.
    pub(super) fn sync_heartbeats(&mut self, host: u64) -> Result<(), String> {
        let Some(pings) = self.pings_at(host) else {
            return Ok(());
        };
        self.input(host, Input::Heartbeats(&pings))
    }

    /// The same for a Room that is being restored, before the input that restores it.
    pub(super) fn sync_heartbeats_of_restored(&mut self, host: u64) -> Result<(), String> {
        let Some(pings) = self.pings_at(host) else {
            return Ok(());
        };
        self.drive(host, |room, now, sink| {
            room.handle(Input::Heartbeats(&pings), now, sink);
        })
        .map(drop)
    }

    /// The last ping of each connection, by the host's clock; none where the Room does not watch.
    fn pings_at(&mut self, host: u64) -> Option<Vec<(ConnectionId, Timestamp)>> {
        if !self.plan.watched {
            return None;
        }
        let now = self.now;
        let skew = self.clock(host).millis_since(now);
        let mut pings = Vec::new();
        for (id, link) in &mut self.links {
            if let Some(at) = link.heartbeat.last_ping(now)
                && link.open
                && link.host == host
            {
                link.heartbeat.watched_since.get_or_insert(now);
                pings.push((*id, Timestamp(at.0 + skew)));
            }
        }
        Some(pings)
    }

    /// No frame passes any more. The client notices after a while, and the host a while later, unless
    /// its Room has to find out by itself.
    pub(super) fn half_open(&mut self, index: usize, client_after: i64, host_after: i64) {
        let (now, watched) = (self.now, self.plan.watched);
        let Some(id) = self.link_of(index) else {
            return;
        };
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        link.heartbeat.dead_since = Some(now);
        let v2 = self.clients.get(index).is_some_and(|it| it.profile.v2);
        if !watched || !(v2 || link.heartbeat.last_ping(now).is_some()) {
            self.after(host_after, ScheduledEvent::HostDisconnected(id));
        }
        self.after(client_after, ScheduledEvent::ClientDisconnected(id));
    }

    /// Whether the Room may close this connection as silent, and is not later than it promises.
    pub(super) fn has_fallen_silent(&self, link: &Link) -> bool {
        let (now, heartbeat) = (self.now, &link.heartbeat);
        let alive_at = heartbeat.may_be_alive_at(now);
        let latest = alive_at.map(|at| at.0 + RECHECK_AFTER_MS);
        let latest = latest.max(heartbeat.watched_since.map(|at| at.0));
        let is_in_time = latest.is_some_and(|latest| now.0 <= latest);
        let is_silent = heartbeat.is_silent(heartbeat.must_be_alive_at(now), now);
        self.is_clock_set(link.host) || is_silent && is_in_time
    }

    /// Whether the Room may close this connection to make room for another one of the user.
    pub(super) fn has_missed_a_ping(&self, link: &Link) -> bool {
        let alive_at = link.heartbeat.must_be_alive_at(self.now);
        let is_missed = |at: Timestamp| self.now.millis_since(at) >= HEARTBEAT_SECONDS * 1_000;
        self.is_clock_set(link.host) || alive_at.is_some_and(is_missed)
    }

    /// A tick closes every silent connection.
    pub(super) fn check_silent_connections(&self, host: u64) -> Result<(), String> {
        let now = self.now;
        let is_silent = |link: &&Link| {
            let heartbeat = &link.heartbeat;
            let alive_at = heartbeat.may_be_alive_at(now);
            link.open && link.host == host && heartbeat.is_silent(alive_at, now)
        };
        match self.links.values().find(is_silent) {
            Some(link) if !self.is_clock_set(host) => {
                Err(format!("user {} is silent and stays connected", link.user))
            }
            _ => Ok(()),
        }
    }

    /// With nothing left to do, no dead connection is open.
    pub(super) fn check_dead_connections(&self) -> Result<(), String> {
        let is_held = |link: &&Link| {
            let HeartbeatState {
                dead_since,
                watched_since,
                ..
            } = link.heartbeat;
            let is_dead = dead_since.is_some() && watched_since.is_some();
            link.open && is_dead && !self.is_clock_set(link.host)
        };
        match self.links.values().find(is_held) {
            Some(link) => Err(format!("the dead connection of user {} stays", link.user)),
            None => Ok(()),
        }
    }

    /// A clock that is set makes the last ping look older or newer than it is.
    fn is_clock_set(&self, host: u64) -> bool {
        self.hosts
            .get(&host)
            .is_some_and(|host| host.clock_jumps > 0)
    }
}
