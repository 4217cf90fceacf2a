//! How a Room of these worlds loses its memory and comes back: asleep, crashed, restarted, made
//! again from what its sockets remember.

use super::host::{CONVERSATION, Host, driven};
use super::world::World;
use colloquy_proto::domain::Seq;
use colloquy_proto::room::{ConnectionId, Room};

impl World {
    /// The Room's memory is dropped while nothing is under way.
    pub(super) fn sleep(&mut self) {
        let (front, now) = (self.front, self.clock(self.front));
        let waiting = self.rest.values().any(|send| send.host == front);
        let Some(host) = self.hosts.get_mut(&front) else {
            return;
        };
        let gathering = host.flush_deadline(now).is_some();
        let busy = host.in_flight.is_some() || host.loading.is_some() || gathering;
        if busy || waiting || host.room.is_none() {
            return;
        }
        host.forget();
        self.report.sleeps += 1;
    }

    /// The Room's memory is lost whatever is under way; its sockets stay.
    pub(super) fn crash(&mut self) {
        let (front, now) = (self.front, self.now);
        let Some(host) = self.hosts.get_mut(&front) else {
            return;
        };
        host.lose_memory();
        host.crashed = Some(now);
        self.report.crashes += 1;
        self.drop_tickets(front);
    }

    /// The process dies: memory is gone, every socket breaks, what is on its way to the database
    /// may still arrive there.
    pub(super) fn restart(&mut self) {
        let (front, room) = (self.front, self.new_room());
        let Some(host) = self.hosts.get_mut(&front) else {
            return;
        };
        host.lose_memory();
        host.kept.clear();
        host.met = Seq(0);
        host.taken.clear();
        // So are all who were being let in by a login that has ended since.
        host.revoked.clear();
        host.fresh = true;
        host.room = Some(room);
        self.report.restarts += 1;
        self.drop_tickets(front);
        let here: Vec<ConnectionId> = self
            .links
            .iter_mut()
            .filter(|(_, link)| link.host == front)
            .map(|(id, link)| {
                link.open = false;
                *id
            })
            .collect();
        for id in here {
            self.left(id);
        }
    }

    /// The Room as its sockets remember it.
    pub(super) fn wake(&mut self, id: u64) -> Result<(), String> {
        let room = self.new_room();
        let Some(host) = self.hosts.get_mut(&id).filter(|host| host.room.is_none()) else {
            return Ok(());
        };
        let mut snapshots = Vec::new();
        for text in host.kept.values() {
            let snapshot = serde_json::from_str(text);
            snapshots.push(snapshot.map_err(|error| format!("{error} in {text}"))?);
        }
        host.room = Some(if snapshots.is_empty() {
            room
        } else {
            host.recalls += 1;
            let room = Room::restore(CONVERSATION, self.plan.throttle_ms, snapshots);
            driven(room, &self.plan)
        });
        self.listen(id)
    }
}

impl Host {
    fn lose_memory(&mut self) {
        self.memory += 1;
        self.room = None;
        self.in_flight = None;
        self.release = None;
        self.loading = None;
        self.own = Seq(0);
        self.forget();
    }

    /// The Room goes; of the throttles it knows what connections have kept.
    fn forget(&mut self) {
        self.room = None;
        if self.kept.is_empty() {
            // Without a connection nothing is kept, nor what it was still going to look for.
            self.own = Seq(0);
            self.met = Seq(0);
            self.fresh = true;
            self.era += 1;
        }
        for taken in self.taken.values_mut() {
            // Of two times that connections kept, the later counts, also where it is of a clock
            // that was set back since.
            taken.certain &= taken.kept && !self.set_back;
        }
    }
}
