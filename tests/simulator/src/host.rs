//! The driver of these worlds: gives the Room its inputs and carries out its effects, as the
//! adapters do. What the store makes of commits and loads is in `storage.rs`, how the Room sleeps,
//! crashes and ends in `memory.rs`.

use std::collections::{BTreeMap, BTreeSet};

use super::chance::{Stream, stream};
use super::network::{FAR_AWAY, Kind};
use super::plan::Plan;
use super::world::{Happening, World};
use colloquy_proto::domain::{
    Caller, ConversationId, NewMessage, Seq, SessionId, Timestamp, UserId,
};
use colloquy_proto::protocol::Event;
use colloquy_proto::room::{
    BatchPolicy, ConnectionId, Effect, Effects, EncodedFrame, Input, Retirement, Room,
};

pub(super) const CONVERSATION: ConversationId = ConversationId(1);

/// How deep inputs that follow from one another may nest within one step; a token that is renewed
/// takes two.
const MAX_NESTED: usize = 8;

/// Where a Room's work was started: a host, and which of its memories. Answers to a memory that
/// is lost reach nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) host: u64,
    pub(super) memory: u64,
    /// What it had to look for was forgotten, or given less time, so often.
    pub(super) era: u64,
}

/// One process with a Room of the conversation.
pub(super) struct Host {
    /// None while it sleeps.
    pub(super) room: Option<Room>,
    pub(super) memory: u64,
    /// What its clock shows beyond the world's, in milliseconds.
    pub(super) skew: i64,
    pub(super) era: u64,
    pub(super) set_back: bool,
    /// How often its Room was made again from what connections kept.
    pub(super) recalls: u32,
    /// How often its clock was set.
    pub(super) jumps: u32,
    pub(super) crashed: Option<Timestamp>,
    /// What is kept of each connection, as the edge keeps it.
    pub(super) kept: BTreeMap<ConnectionId, String>,
    /// By the world's clock.
    pub(super) alarm: Option<Timestamp>,
    pub(super) in_flight: Option<Vec<NewMessage>>,
    /// When what has gathered is let go, by the world's clock.
    pub(super) release: Option<Timestamp>,
    /// From where on it reads.
    pub(super) loading: Option<Seq>,
    pub(super) jobs: u64,
    /// The newest event this memory is bound to tell of: it had it stored, it was told of it.
    pub(super) own: Seq,
    /// The newest event its Room has taken in.
    pub(super) met: Seq,
    /// Logins whose end it was told of.
    pub(super) revoked: BTreeSet<SessionId>,
    /// Whether this memory knows nothing of where the conversation stands.
    pub(super) fresh: bool,
    pub(super) closing: bool,
    /// Each user's running throttle.
    pub(super) taken: BTreeMap<UserId, Taken>,
}

/// A send that was taken and may have been stored, by the host's clock.
#[derive(Clone, Copy)]
pub(super) struct Taken {
    pub(super) at: Timestamp,
    /// Whether the Room is bound to know of it.
    pub(super) certain: bool,
    /// Whether it is also bound to know after a sleep.
    pub(super) kept: bool,
    /// Whether a connection of the user, perhaps the one that sent, may have left since.
    pub(super) left: bool,
}

impl World {
    pub(super) fn new_host(&mut self, skew: i64) {
        let id = self.hosts.keys().next_back().map_or(0, |last| last + 1);
        let host = Host {
            room: Some(self.new_room()),
            memory: 0,
            skew,
            era: 0,
            set_back: false,
            recalls: 0,
            jumps: 0,
            crashed: None,
            kept: BTreeMap::new(),
            alarm: None,
            in_flight: None,
            release: None,
            loading: None,
            jobs: 0,
            own: Seq(0),
            met: Seq(0),
            revoked: BTreeSet::new(),
            fresh: true,
            closing: false,
            taken: BTreeMap::new(),
        };
        self.hosts.insert(id, host);
        self.front = id;
    }

    pub(super) fn new_room(&self) -> Room {
        driven(Room::new(CONVERSATION, self.plan.throttle_ms), &self.plan)
    }

    /// What a host's clock shows.
    pub(super) fn clock(&self, host: u64) -> Timestamp {
        let skew = self.hosts.get(&host).map_or(0, |host| host.skew);
        Timestamp(self.now.0 + skew)
    }

    pub(super) fn place(&self, host: u64) -> Option<Place> {
        let Host { memory, era, .. } = *self.hosts.get(&host)?;
        Some(Place { host, memory, era })
    }

    /// Whether the memory that asked is still there to hear the answer.
    pub(super) fn remembers(&mut self, place: Place) -> Option<&mut Host> {
        let host = self.hosts.get_mut(&place.host)?;
        (host.memory == place.memory).then_some(host)
    }

    /// Gives a Room one input and carries out what it wants done.
    pub(super) fn input(&mut self, id: u64, input: Input<'_>) -> Result<(), String> {
        // What a Room wants done may be an input in turn, to be answered before anything else.
        if self.nested >= MAX_NESTED {
            return Err("a Room's wishes lead to ever more of them".into());
        }
        self.nested += 1;
        let outcome = self.give(id, input);
        self.nested -= 1;
        outcome?;
        // A Room that is woken by an input hears of others first, and has not seen this one then.
        if self.nested == 0 {
            self.check_gone(id)?;
        }
        Ok(())
    }

    fn give(&mut self, id: u64, input: Input<'_>) -> Result<(), String> {
        let now = self.clock(id);
        self.wake(id)?;
        let Some(host) = self.hosts.get_mut(&id) else {
            return Ok(());
        };
        let Some(room) = &mut host.room else {
            return Ok(());
        };
        host.closing |= matches!(input, Input::Shutdown);
        let asked = matches!(input, Input::Frame { .. } | Input::Send { .. });
        let effects = room.handle(input, now);
        let throttled = self.carry_out(id, effects)?;
        if asked {
            self.check_throttled(id, &throttled)?;
        }
        self.gather(id);
        self.settle(id);
        Ok(())
    }

    fn settle(&mut self, id: u64) {
        self.keep(id);
        self.arm(id);
        self.retire(id);
    }

    /// What waits in a held Room is let go when it wants, or a little later.
    fn gather(&mut self, id: u64) {
        let (now, real) = (self.clock(id), self.now);
        let Some(place) = self.place(id) else { return };
        let Some(host) = self.hosts.get_mut(&id) else {
            return;
        };
        let Some(at) = host.flush_deadline(now).filter(|_| host.release.is_none()) else {
            return;
        };
        let moment = u64::try_from(real.0).unwrap_or(0);
        let mut chance = stream(self.seed, Stream::Driver, id, moment);
        let late = chance.i64(0..self.plan.gather_ms);
        let at = Timestamp(real.0 + at.millis_since(now) + late);
        host.release = Some(at);
        self.at(at, Happening::Release(place));
    }

    pub(super) fn release(&mut self, place: Place) -> Result<(), String> {
        let now = self.clock(place.host);
        let Some(host) = self.remembers(place) else {
            return Ok(());
        };
        host.release = None;
        let Some(room) = &mut host.room else {
            return Ok(());
        };
        let effects = room.flush(now);
        self.carry_out(place.host, effects)?;
        self.settle(place.host);
        Ok(())
    }

    /// Does everything in order; answers who was told to wait.
    fn carry_out(&mut self, host: u64, effects: Effects) -> Result<Vec<UserId>, String> {
        let mut throttled = Vec::new();
        for effect in effects {
            self.note(|| format!("            {effect:?}"));
            match effect {
                Effect::Reply { to, frames } => {
                    let told = |frame: &EncodedFrame| frame.contains(r#""code":"throttled""#);
                    let user = self.links.get(&to).map(|link| link.user);
                    throttled.extend(user.filter(|_| frames.iter().any(told)));
                    self.send_down(to, &frames, Kind::Answer)?;
                }
                Effect::Fanout { to, frames } => {
                    for id in to {
                        self.send_down(id, &frames, Kind::Shared)?;
                    }
                }
                Effect::Close { id, close } => self.close(id, close)?,
                Effect::Commit(sends) => self.commit(host, sends)?,
                Effect::Load { since, limit } => self.start_load(host, since, limit)?,
                Effect::CacheEvents { events, .. } => {
                    self.check_recorded(&events)?;
                    self.takes_in(host, events.last().map(|(seq, _)| *seq));
                }
                Effect::Authenticate { id, .. } => {
                    let Some(link) = self.links.get(&id) else {
                        continue;
                    };
                    let client = self.clients.get(link.client);
                    let Some(caller) = client.map(|client| Caller {
                        user_id: client.user,
                        session_id: client.session.clone(),
                        expires_at: FAR_AWAY,
                    }) else {
                        continue;
                    };
                    if let Some(link) = self.links.get_mut(&id) {
                        link.expires_at = FAR_AWAY;
                    }
                    let result = Ok(caller);
                    self.input(host, Input::Authenticated { id, result })?;
                }
                Effect::CompleteRequest {
                    request_id,
                    outcome,
                } => {
                    throttled.extend(self.answered(request_id, outcome)?);
                }
            }
        }
        Ok(throttled)
    }

    /// The cache is told of nothing but what is stored.
    fn check_recorded(&self, events: &[(Seq, EncodedFrame)]) -> Result<(), String> {
        events.iter().try_for_each(|(seq, frame)| {
            let told: Option<Event> = serde_json::from_str(frame).ok();
            if told.is_some_and(|told| told.seq() == *seq && self.store.knows(&told)) {
                return Ok(());
            }
            Err(format!("the cache was told of {seq} what is not stored"))
        })
    }

    /// Whoever is told to wait has sent within the period.
    fn check_throttled(&self, host: u64, users: &[UserId]) -> Result<(), String> {
        let now = self.clock(host);
        let Some(host) = self.hosts.get(&host) else {
            return Ok(());
        };
        let crashed = host.crashed;
        let lost = crashed.is_some_and(|at| self.now.millis_since(at) < self.plan.throttle_ms);
        // What connections kept of a period that is over runs again by a clock that was set back.
        let lost = lost || host.recalls > 0 && host.set_back;
        if host.in_flight.is_some() || host.flush_deadline(now).is_some() || lost {
            // What waits for its commit has taken its period already, also when it is lost with
            // the Room's memory.
            return Ok(());
        }
        let period = 0..self.plan.throttle_ms;
        let running = |user: &UserId| {
            let taken = host.taken.get(user);
            taken.is_some_and(|taken| period.contains(&now.millis_since(taken.at)))
        };
        match users.iter().find(|user| !running(user)) {
            Some(user) => Err(format!("user {user} was throttled without having sent")),
            None => Ok(()),
        }
    }

    /// Writes down what connections need after a sleep, as an adapter does after every input.
    fn keep(&mut self, id: u64) {
        let now = self.clock(id);
        let Some(host) = self.hosts.get_mut(&id).filter(|_| self.keeps) else {
            return;
        };
        let Some(room) = &mut host.room else { return };
        for snapshot in room.take_dirty_snapshots(now) {
            let text = serde_json::to_string(&snapshot).unwrap_or_default();
            host.kept.insert(snapshot.connection_id(), text);
        }
    }

    /// A connection is over for the host.
    pub(super) fn forget_kept(&mut self, host: u64, user: UserId, id: ConnectionId) {
        let Some(host) = self.hosts.get_mut(&host) else {
            return;
        };
        host.kept.remove(&id);
        if let Some(taken) = host.taken.get_mut(&user) {
            taken.kept = false;
            taken.left = true;
        }
    }

    /// One alarm is set at a time, the earliest one. It outlives the Room's memory.
    fn arm(&mut self, id: u64) {
        let (now, real, last) = (self.clock(id), self.now, self.last_alarm());
        let Some(host) = self.hosts.get_mut(&id) else {
            return;
        };
        let next = host.room.as_ref().and_then(|room| room.next_wakeup(now));
        let Some(next) = next else { return };
        let at = Timestamp(real.0 + next.millis_since(now).max(0));
        // Of what comes after the end of the world nobody hears.
        if at > last {
            return;
        }
        if host.alarm.is_none_or(|armed| at < armed) {
            host.alarm = Some(at);
            self.at(at, Happening::Wake(id));
        }
    }

    /// The alarm: afterwards nobody is there whose token is over.
    pub(super) fn tick(&mut self, id: u64) -> Result<(), String> {
        let Some(host) = self.hosts.get_mut(&id) else {
            return Ok(());
        };
        host.alarm = None;
        self.listen(id)?;
        self.input(id, Input::Tick)?;
        self.check_silent(id)?;
        let now = self.clock(id);
        let over =
            |link: &&super::network::Link| link.open && link.host == id && link.expires_at <= now;
        match self.links.values().find(over) {
            Some(link) => Err(format!("user {} stays without a token", link.user)),
            None => Ok(()),
        }
    }

    /// A host that ends goes when nothing is left to do.
    fn retire(&mut self, id: u64) {
        let now = self.clock(id);
        let Some(host) = self.hosts.get(&id) else {
            return;
        };
        let idle = host.room.as_ref().map(|room| room.retirement(now));
        if host.closing && idle == Some(Retirement::Now) && id != self.front {
            self.hosts.remove(&id);
        }
    }
}

/// A Room as the driver of this world wants it.
pub(super) fn driven(mut room: Room, plan: &Plan) -> Room {
    if plan.gather_ms > 0 {
        // A driver that is slow to let go is one that lets wait for long.
        room.enable_batching(BatchPolicy {
            commit_multiple: 1 + plan.gather_ms / 50,
            max_linger_ms: 10 + 2 * plan.gather_ms,
        });
    }
    room
}

impl Host {
    /// When what has gathered in its Room is to leave.
    pub(super) fn flush_deadline(&self, now: Timestamp) -> Option<Timestamp> {
        self.room.as_ref()?.flush_deadline(now)
    }
}
