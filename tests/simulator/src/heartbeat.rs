//! Signs of life, where the driver does not watch over its sockets itself but lets the Room do it,
//! as at the edge: pings are answered in the Room's place, and the Room is told of them when it
//! wakes and before every tick. A client whose line is dead falls silent, and the Room must let go
//! of it by itself; of who is heard it must not.

use super::network::Link;
use super::world::{Happening, World};
use colloquy_proto::domain::Timestamp;
use colloquy_proto::protocol::{HEARTBEAT_SECONDS, HEARTBEAT_TIMEOUT_SECONDS};
use colloquy_proto::room::Input;

/// When the Room looks at the latest again after it has heard of somebody, as it promises.
pub(super) const LOOK_AFTER_MS: i64 = 900_000;

/// When a client of the first version that pings does so first: nobody has told it how often.
const FIRST_V1_MS: i64 = 2_000;
const PING_MS: i64 = HEARTBEAT_SECONDS * 1_000;
const LOST_MS: i64 = HEARTBEAT_TIMEOUT_SECONDS * 1_000;

/// What is heard of one client, by the world's clock.
pub(super) struct Signs {
    /// How long after it was let in it pings first; none if it never does.
    first: Option<i64>,
    entered: Option<Timestamp>,
    /// Since when nothing passes.
    pub(super) died: Option<Timestamp>,
    spoke: Option<Timestamp>,
    /// Since when the Room is told of it.
    watched: Option<Timestamp>,
}

impl Signs {
    pub(super) fn of(v2: bool, pings: bool) -> Self {
        Self {
            first: pings.then_some(if v2 { PING_MS } else { FIRST_V1_MS }),
            entered: None,
            died: None,
            spoke: None,
            watched: None,
        }
    }

    pub(super) const fn speaks(&mut self, now: Timestamp) {
        self.spoke = Some(now);
    }

    fn last_ping(&self, now: Timestamp) -> Option<Timestamp> {
        let first = Timestamp(self.entered?.0 + self.first?);
        let until = self.died.map_or(now, |died| died.min(now));
        let pinging = until.millis_since(first);
        (pinging >= 0).then(|| Timestamp(first.0 + pinging - pinging % PING_MS))
    }

    /// The last thing that the Room must take for a sign of life.
    fn last_sign(&self, now: Timestamp) -> Option<Timestamp> {
        self.last_ping(now).max(self.entered)
    }

    /// The last thing that it may take for one.
    fn last_heard(&self, now: Timestamp) -> Option<Timestamp> {
        self.last_sign(now).max(self.spoke)
    }

    fn is_silent(&self, heard: Option<Timestamp>, now: Timestamp) -> bool {
        let lost = |heard: Timestamp| now.millis_since(heard) >= LOST_MS;
        self.watched.is_some() && heard.is_some_and(lost)
    }
}

impl World {
    /// A client was let in. One of the second version has been told how often to ping, so that
    /// the Room listens for it from now on.
    pub(super) fn enters(
        &mut self,
        id: colloquy_proto::room::ConnectionId,
        v2: bool,
    ) -> Result<(), String> {
        let now = self.now;
        let watched = (self.plan.watched && v2).then_some(now);
        let Some(link) = self.links.get_mut(&id).filter(|link| link.open) else {
            return Ok(());
        };
        (link.signs.entered, link.signs.watched) = (Some(now), watched);
        let host = link.host;
        if watched.is_none() {
            return Ok(());
        }
        let heard = [(id, self.clock(host))];
        self.input(host, Input::Heartbeats(&heard))
    }

    /// Tells the Room of the pings that were answered in its place.
    pub(super) fn listen(&mut self, host: u64) -> Result<(), String> {
        if !self.plan.watched {
            return Ok(());
        }
        let now = self.now;
        let skew = self.clock(host).millis_since(now);
        let mut heard = Vec::new();
        for (id, link) in &mut self.links {
            if let Some(at) = link.signs.last_ping(now)
                && link.open
                && link.host == host
            {
                link.signs.watched.get_or_insert(now);
                heard.push((*id, Timestamp(at.0 + skew)));
            }
        }
        self.input(host, Input::Heartbeats(&heard))
    }

    /// Nothing passes any more. The client sees that after a while, and the host a while later,
    /// unless its Room has to see it by itself.
    pub(super) fn half_open(&mut self, index: usize, noticed: i64, seen: i64) {
        let (now, watched) = (self.now, self.plan.watched);
        let Some(id) = self.link_of(index) else {
            return;
        };
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        link.signs.died = Some(now);
        let v2 = self.clients.get(index).is_some_and(|it| it.member.v2);
        if !watched || !(v2 || link.signs.last_ping(now).is_some()) {
            self.after(seen, Happening::Gone(id));
        }
        self.after(noticed, Happening::Noticed(id));
    }

    /// Whether the Room may close this connection because nothing was heard of it for long, and
    /// has not waited for longer than it promises.
    pub(super) fn has_fallen_silent(&self, link: &Link) -> bool {
        let (now, signs) = (self.now, &link.signs);
        let latest = signs.last_heard(now).map(|at| at.0 + LOOK_AFTER_MS);
        let latest = latest.max(signs.watched.map(|at| at.0));
        let in_time = latest.is_some_and(|latest| now.0 <= latest);
        self.is_clock_set(link.host) || signs.is_silent(signs.last_sign(now), now) && in_time
    }

    /// A tick lets go of everybody of whom nothing was heard for long.
    pub(super) fn check_silent(&self, host: u64) -> Result<(), String> {
        let now = self.now;
        let silent = |link: &&Link| {
            let signs = &link.signs;
            link.open && link.host == host && signs.is_silent(signs.last_heard(now), now)
        };
        match self.links.values().find(silent) {
            Some(link) if !self.is_clock_set(host) => {
                Err(format!("user {} fell silent and stays", link.user))
            }
            _ => Ok(()),
        }
    }

    /// When all has come to rest, the Room has looked: no dead line is held for a live one.
    pub(super) fn check_let_go(&self) -> Result<(), String> {
        let held = |link: &&Link| {
            let Signs { died, watched, .. } = link.signs;
            link.open && died.is_some() && watched.is_some() && !self.is_clock_set(link.host)
        };
        match self.links.values().find(held) {
            Some(link) => Err(format!(
                "user {} is held for ever on a dead line",
                link.user
            )),
            None => Ok(()),
        }
    }

    /// A clock that is set makes signs of life look older or newer than they are.
    fn is_clock_set(&self, host: u64) -> bool {
        self.hosts.get(&host).is_some_and(|host| host.jumps > 0)
    }
}
