//! Time, network and faults: everything around the Room that can go wrong, in an order that the
//! seed decides.

use std::collections::{BTreeMap, BTreeSet};

use super::client::Client;
use super::model_store::ModelStore;
use super::{Report, Violation};
use crate::domain::{Append, Appended, Epoch, Seq, SessionId, Timestamp, UserId};
use crate::protocol::Event;
use crate::room::{ConnectionId, Frame, Input, Join, Room, StoreFailed};

pub(super) const THROTTLE_MS: i64 = 300;
/// Whoever writes through another Room.
pub(super) const FOREIGN: UserId = UserId(99);
/// How long faults go on; after that everything must come to rest.
pub(super) const CHAOS_MS: i64 = 20_000;
/// A world that has not come to rest by then never will.
const PATIENCE_MS: i64 = 120_000;
const MAX_STEPS: u64 = 1_000_000;
/// Tokens of these worlds outlive them.
const FAR_AWAY: Timestamp = Timestamp(i64::MAX / 2);
pub(super) const END_OF_TOKENS: Timestamp = Timestamp(i64::MAX / 4);

pub(super) enum Happening {
    Act(usize),
    Enter(ConnectionId, Join),
    ToServer(ConnectionId, String),
    ToClient(ConnectionId, Frame),
    ClosedByServer(ConnectionId),
    Gone(ConnectionId),
    Apply {
        room: u64,
        sends: Vec<Append>,
        answer: Option<Timestamp>,
    },
    Committed {
        room: u64,
        result: Result<Vec<Appended>, StoreFailed>,
    },
    Load {
        room: u64,
        since: Seq,
        limit: i64,
    },
    LoadFailed {
        room: u64,
    },
    Foreign,
    Restart,
    Revoke(usize),
    Wake,
}

pub(super) struct World {
    seed: u64,
    pub(super) rng: fastrand::Rng,
    pub(super) now: Timestamp,
    queue: BTreeMap<(Timestamp, u64), Happening>,
    order: u64,
    pub(super) room: Room,
    pub(super) room_number: u64,
    pub(super) store: ModelStore,
    pub(super) clients: Vec<Client>,
    /// Which client a connection belongs to, and when its last frame each way arrives.
    pub(super) owners: BTreeMap<ConnectionId, (usize, Timestamp, Timestamp)>,
    pub(super) revoked: BTreeSet<SessionId>,
    /// When this Room last took a send of a user that may have been stored.
    pub(super) accepted: BTreeMap<UserId, Timestamp>,
    next_connection: u64,
    pub(super) wake_at: Option<Timestamp>,
    pub(super) report: Report,
    step: u64,
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let count = rng.usize(2..9);
        let clients: Vec<Client> = (0..count)
            .map(|n| {
                // Some users hold two sockets.
                let user = i64::try_from(n / 2 + 1).unwrap_or(1);
                Client::new(user, &format!("s{n}"), rng.u8(0..4) > 0)
            })
            .collect();
        let mut world = Self {
            seed,
            rng,
            now: Timestamp(1_000_000),
            queue: BTreeMap::new(),
            order: 0,
            room: new_room(),
            room_number: 0,
            store: ModelStore::new(),
            clients,
            owners: BTreeMap::new(),
            revoked: BTreeSet::new(),
            accepted: BTreeMap::new(),
            next_connection: 0,
            wake_at: None,
            report: Report::default(),
            step: 0,
        };
        for client in 0..count {
            world.after(0, 500, Happening::Act(client));
        }
        for _ in 0..world.rng.usize(0..4) {
            world.after(0, CHAOS_MS, Happening::Restart);
        }
        for _ in 0..world.rng.usize(0..12) {
            world.after(0, CHAOS_MS, Happening::Foreign);
        }
        if world.rng.bool() {
            let client = world.rng.usize(0..count);
            world.after(CHAOS_MS / 2, CHAOS_MS, Happening::Revoke(client));
        }
        world
    }

    pub(super) fn run(mut self) -> Result<Report, Violation> {
        let start = self.now;
        self.play(start).map_err(|what| self.violation(what))?;
        self.check_served().map_err(|what| self.violation(what))?;
        // A Room hears of what another one wrote by its own next commit: one more message.
        self.last_word();
        self.play(start).map_err(|what| self.violation(what))?;
        for client in &self.clients {
            client
                .check_complete(&self.store)
                .map_err(|what| self.violation(what))?;
            self.report.acked += client.acks;
            self.report.delivered += client.delivered;
            self.report.synced += client.synced;
        }
        self.report.stored = self.store.events.len() as u64;
        Ok(self.report)
    }

    /// Lets happen what is planned until nothing is.
    fn play(&mut self, start: Timestamp) -> Result<(), String> {
        while let Some(((at, _), happening)) = self.queue.pop_first() {
            self.now = self.now.max(at);
            self.step += 1;
            let elapsed = self.now.millis_since(start);
            if elapsed > PATIENCE_MS || self.step > MAX_STEPS {
                return Err("the world does not come to rest".into());
            }
            self.happen(happening, elapsed < CHAOS_MS)?;
        }
        Ok(())
    }

    fn last_word(&mut self) {
        self.now = Timestamp(self.now.0.max(1_000_000 + CHAOS_MS) + THROTTLE_MS);
        let standing = |client: &Client| client.v2 && !self.revoked.contains(&client.session);
        let Some(index) = self.clients.iter().position(standing) else {
            return;
        };
        if self
            .clients
            .get(index)
            .is_some_and(|client| client.connection.is_none())
        {
            self.connect(index);
        }
        let Some(client) = self.clients.get_mut(index) else {
            return;
        };
        let frame = client.send();
        if let Some(id) = client.connection {
            self.send_up(id, frame);
        }
        self.after(1_000, 1_500, Happening::Act(index));
    }

    /// With nothing left to do, nobody waits for what this Room itself had stored, whether or not
    /// the answer reached it. Of other Rooms' events it need not have heard.
    fn check_served(&self) -> Result<(), String> {
        let own = |event: &&Event| matches!(event, Event::Message(m) if m.sender_id != FOREIGN);
        let newest = self
            .store
            .events
            .iter()
            .rev()
            .find(own)
            .map_or(Seq(0), Event::seq);
        self.clients
            .iter()
            .try_for_each(|client| client.check_served(&self.store, newest))
    }

    fn violation(&self, what: String) -> Violation {
        Violation {
            seed: self.seed,
            step: self.step,
            what,
        }
    }

    pub(super) fn after(&mut self, least: i64, most: i64, happening: Happening) -> Timestamp {
        let at = Timestamp(self.now.0 + self.rng.i64(least..=most));
        self.at(at, happening);
        at
    }

    pub(super) fn at(&mut self, at: Timestamp, happening: Happening) {
        self.order += 1;
        self.queue.insert((at, self.order), happening);
    }

    fn happen(&mut self, happening: Happening, chaos: bool) -> Result<(), String> {
        match happening {
            Happening::Act(client) => {
                self.act(client, chaos);
            }
            Happening::Enter(id, join) => return self.enter(id, join),
            Happening::ToServer(id, text) if self.owners.contains_key(&id) => {
                return self.input(Input::Text { id, text: &text });
            }
            Happening::ToClient(id, frame) => return self.deliver(id, &frame),
            Happening::ClosedByServer(id) => self.leave(id),
            Happening::Gone(id) => {
                self.owners.remove(&id);
                return self.input(Input::Disconnect { id });
            }
            Happening::Apply {
                room,
                sends,
                answer,
            } => {
                let outcomes = self.store.append(&sends);
                for (send, outcome) in sends.iter().zip(&outcomes) {
                    if !send.repeat_only && !matches!(outcome, Appended::Stored(_)) {
                        self.accepted.remove(&send.sender_id);
                    }
                }
                if let Some(at) = answer {
                    self.at(
                        at,
                        Happening::Committed {
                            room,
                            result: Ok(outcomes),
                        },
                    );
                }
            }
            Happening::Committed { room, result } if room == self.room_number => {
                return self.input(Input::Committed(result));
            }
            Happening::Load { room, since, limit } if room == self.room_number => {
                let page = self.store.after(since, limit);
                return self.input(Input::Loaded(Ok(Some(page))));
            }
            Happening::LoadFailed { room } if room == self.room_number => {
                return self.input(Input::Loaded(Err(StoreFailed)));
            }
            Happening::Foreign => self.foreign_write(),
            Happening::Restart => self.restart(),
            Happening::Revoke(client) => return self.revoke(client),
            Happening::Wake => {
                self.wake_at = None;
                return self.input(Input::Tick);
            }
            _ => {}
        }
        Ok(())
    }

    fn act(&mut self, index: usize, chaos: bool) {
        let Some(client) = self.clients.get_mut(index) else {
            return;
        };
        let quiet = client.unacked.is_empty() && client.connection.is_some();
        if self.revoked.contains(&client.session) || (!chaos && quiet) {
            return;
        }
        let Some(id) = client.connection else {
            self.connect(index);
            self.after(50, 1_500, Happening::Act(index));
            return;
        };
        let frames = match self.rng.u8(0..10) {
            0 if chaos => {
                self.lose(index, id);
                Vec::new()
            }
            1..=5 if chaos => vec![client.send()],
            _ => client.repeat(),
        };
        for frame in frames {
            self.send_up(id, frame);
        }
        self.after(50, 1_500, Happening::Act(index));
    }

    /// The client is let in now; the Room hears of it a while later.
    fn connect(&mut self, index: usize) {
        self.next_connection += 1;
        let id = ConnectionId(self.next_connection);
        let position = self.store.position();
        let Some(client) = self.clients.get_mut(index) else {
            return;
        };
        client.connected(id, position.seq);
        let join = Join {
            user_id: client.user,
            session_id: client.session.clone(),
            expires_at: FAR_AWAY,
            v2: client.v2,
            position,
        };
        let entered = self.after(0, 400, Happening::Enter(id, join));
        // Nothing it says arrives before that.
        self.owners.insert(id, (index, entered, self.now));
    }

    /// The connection breaks: the client knows at once, the server after a while.
    fn lose(&mut self, index: usize, id: ConnectionId) {
        if let Some(client) = self.clients.get_mut(index) {
            client.connection = None;
        }
        self.after(0, 5_000, Happening::Gone(id));
    }

    pub(super) fn leave(&mut self, id: ConnectionId) {
        let Some((index, ..)) = self.owners.remove(&id) else {
            return;
        };
        let Some(client) = self.clients.get_mut(index) else {
            return;
        };
        if client.connection == Some(id) {
            client.connection = None;
            self.after(100, 2_000, Happening::Act(index));
        }
    }

    fn send_up(&mut self, id: ConnectionId, text: String) {
        let delay = self.rng.i64(0..120);
        let Some((_, up, _)) = self.owners.get_mut(&id) else {
            return;
        };
        *up = Timestamp(up.0.max(self.now.0 + delay));
        let at = *up;
        self.at(at, Happening::ToServer(id, text));
    }

    /// Frames of one connection arrive in order, each after its own delay.
    pub(super) fn send_down(
        &mut self,
        id: ConnectionId,
        happening: Happening,
    ) -> Result<(), String> {
        let delay = self.rng.i64(0..120);
        let Some((index, _, down)) = self.owners.get_mut(&id) else {
            return Ok(());
        };
        let session = self.clients.get(*index).map(|client| &client.session);
        let closing = matches!(happening, Happening::ClosedByServer(_));
        if !closing && session.is_some_and(|session| self.revoked.contains(session)) {
            return Err(format!("{session:?} was revoked and still served"));
        }
        *down = Timestamp(down.0.max(self.now.0 + delay));
        let at = *down;
        self.at(at, happening);
        Ok(())
    }

    fn deliver(&mut self, id: ConnectionId, frame: &Frame) -> Result<(), String> {
        let Some((index, ..)) = self.owners.get(&id) else {
            return Ok(());
        };
        let Some(client) = self.clients.get_mut(*index) else {
            return Ok(());
        };
        if client.connection != Some(id) {
            return Ok(());
        }
        if let Some(answer) = client.receive(frame, &self.store)? {
            self.send_up(id, answer);
        }
        Ok(())
    }
}

pub(super) fn new_room() -> Room {
    Room::new(
        crate::domain::ConversationId(1),
        THROTTLE_MS,
        Some(Epoch("e".into())),
    )
}
