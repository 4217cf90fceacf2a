//! Time and order: what is going to happen, when, and what is checked at the end.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::chance::{Stream, stream};
use super::client::{Client, text_of};
use super::heartbeat::LOOK_AFTER_MS;
use super::host::{Host, Place};
use super::model_store::ModelStore;
use super::network::{Kind, Link};
use super::plan::{CHAOS_MS, Fate, Plan, Planned};
use super::rest::RestSend;
use super::{Case, Report};
use colloquy_proto::domain::{BatchOutcome, NewMessage, SessionId, Timestamp, UserId};
use colloquy_proto::protocol::{CloseCode, EventPage, StoredEvent};
use colloquy_proto::room::{
    ConnectionId, EncodedFrame, Input, NewConnection, RequestId, StoreFailed,
};

/// Whoever writes without a Room, and who has the last word.
pub(super) const FOREIGN: UserId = UserId(99);
pub(super) const LAST: UserId = UserId(98);
const START: Timestamp = Timestamp(100_000_000);
/// A world that has not come to rest by then never will.
const REST_MS: i64 = 150_000;
const MAX_STEPS: u64 = 400_000;

/// One thing on its way.
#[derive(Debug)]
pub(super) enum Happening {
    Planned(Planned),
    /// The end of the chaos.
    Calm,
    /// A client looks after its connection and its sends.
    Tend(usize),
    Enter(ConnectionId, NewConnection),
    ToServer(ConnectionId, String),
    ToClient(ConnectionId, EncodedFrame, Kind),
    Closed(ConnectionId, CloseCode),
    /// A client sees that its connection is dead; the host sees it.
    Noticed(ConnectionId),
    Gone(ConnectionId),
    /// A Room's driver lets go what has gathered.
    Release(Place),
    Apply {
        place: Place,
        sends: Vec<NewMessage>,
        answer: Option<i64>,
    },
    Committed(Place, Result<BatchOutcome, StoreFailed>),
    Load(Place, colloquy_proto::domain::Seq, i64),
    Loaded(Place, Result<Option<EventPage>, StoreFailed>),
    RestAgain(RestSend),
    /// A Room is told of a change, or that there may be one.
    Told(Option<StoredEvent>),
    ShutDown(u64),
    Wake(u64),
}

pub(super) struct World {
    pub(super) seed: u64,
    pub(super) plan: Plan,
    pub(super) now: Timestamp,
    queue: BTreeMap<(Timestamp, u64), Happening>,
    order: u64,
    pub(super) calm: bool,
    pub(super) store: ModelStore,
    /// What becomes of the next commits and loads.
    pub(super) fates: VecDeque<Fate>,
    pub(super) failing_loads: (u32, i64),
    pub(super) hosts: BTreeMap<u64, Host>,
    /// The host that new connections and REST sends go to.
    pub(super) front: u64,
    /// Whether hosts write down what their connections need to survive their sleep.
    pub(super) keeps: bool,
    pub(super) clients: Vec<Client>,
    pub(super) links: BTreeMap<ConnectionId, Link>,
    pub(super) next_connection: u64,
    /// By which connections a host heard of a named send, the last one last.
    pub(super) came_by: BTreeMap<(u64, String), Vec<ConnectionId>>,
    pub(super) revoked: BTreeSet<SessionId>,
    pub(super) rest: BTreeMap<RequestId, RestSend>,
    pub(super) next_request: u64,
    pub(super) report: Report,
    step: u64,
    /// How many inputs are being carried out within one another.
    pub(super) nested: usize,
    /// What happened, when somebody wants to read it.
    diary: Option<Vec<String>>,
}

impl World {
    pub(super) fn new(case: &Case) -> Self {
        let plan = Plan::of(case.seed);
        let items: Vec<(i64, Planned)> = (0_u32..)
            .zip(&plan.items)
            .filter(|(number, _)| case.has(*number))
            .map(|(_, item)| *item)
            .collect();
        let members = plan.members.iter().enumerate();
        let mut world = Self {
            seed: case.seed,
            now: START,
            queue: BTreeMap::new(),
            order: 0,
            calm: false,
            store: ModelStore::new(),
            fates: VecDeque::new(),
            failing_loads: (0, 0),
            hosts: BTreeMap::new(),
            front: 0,
            keeps: items
                .iter()
                .any(|(_, item)| matches!(item, Planned::Sleep | Planned::Crash)),
            clients: members.map(|(n, member)| Client::new(n, *member)).collect(),
            links: BTreeMap::new(),
            next_connection: 0,
            came_by: BTreeMap::new(),
            revoked: BTreeSet::new(),
            rest: BTreeMap::new(),
            next_request: 0,
            report: Report::default(),
            step: 0,
            nested: 0,
            diary: None,
            plan,
        };
        world.new_host(0);
        for (after, item) in items {
            world.after(after, Happening::Planned(item));
        }
        world.after(CHAOS_MS, Happening::Calm);
        world
    }

    /// Keeps a diary from now on.
    pub(super) fn write_down(&mut self) {
        self.diary = Some(Vec::new());
    }

    pub(super) fn diary(&mut self) -> Vec<String> {
        self.diary.take().unwrap_or_default()
    }

    pub(super) fn note(&mut self, what: impl FnOnce() -> String) {
        let elapsed = self.now.millis_since(START);
        if let Some(diary) = &mut self.diary {
            diary.push(format!("{elapsed:>7} ms  {}", what()));
        }
    }

    /// How many steps have been taken.
    pub(super) const fn step(&self) -> u64 {
        self.step
    }

    pub(super) fn run(&mut self) -> Result<Report, String> {
        self.live()?;
        for client in &self.clients {
            self.report.acked += client.sends.acks;
            self.report.delivered += client.delivered;
            self.report.synced += client.synced;
            self.report.resets += client.resets;
        }
        self.report.stored = self.store.events.len() as u64;
        Ok(self.report)
    }

    fn live(&mut self) -> Result<(), String> {
        self.play()?;
        self.check_rest()?;
        // A Room hears of what another one wrote by its own next commit: one more message.
        let client_message_id = None;
        let message = text_of("the last word", false);
        self.send_over_rest(RestSend {
            host: self.front,
            user: LAST,
            session: SessionId("last".into()),
            client_message_id,
            message,
            repeats: false,
        })?;
        self.play()?;
        self.check_rest()?;
        self.clients
            .iter()
            .try_for_each(|client| client.check_complete(&self.store))
    }

    /// Lets happen what is planned until nothing is.
    fn play(&mut self) -> Result<(), String> {
        while let Some(((at, _), happening)) = self.queue.pop_first() {
            self.now = self.now.max(at);
            self.step += 1;
            self.note(|| format!("{happening:?}"));
            if self.now.0 > self.last_alarm().0 + REST_MS || self.step > MAX_STEPS {
                return Err("the world does not come to rest".into());
            }
            self.happen(happening)?;
        }
        Ok(())
    }

    /// With nothing left to do, nobody waits: not for an answer over REST, and not for what
    /// their own Room had stored, whether or not the answer reached it. Of other Rooms' events
    /// it need not have heard.
    fn check_rest(&self) -> Result<(), String> {
        if let Some(send) = self.rest.values().next() {
            return Err(format!(
                "a REST send of user {} was never answered",
                send.user
            ));
        }
        for (id, link) in &self.links {
            let client = self.clients.get(link.client);
            let (Some(client), Some(host)) = (client, self.hosts.get(&link.host)) else {
                continue;
            };
            if client.connection == Some(*id) && !client.stopped {
                client.check_served(host.own, &self.store)?;
                if self.store.left_after(link.granted, link.user, host.own) {
                    return Err(format!("user {} was removed and stays", link.user));
                }
            }
        }
        self.check_let_go()
    }

    /// Of what is due after this nobody hears. Where the Room watches over its sockets, it has
    /// looked by then whether those are there that fell silent before the calm.
    pub(super) fn last_alarm(&self) -> Timestamp {
        let looks = if self.plan.watched { LOOK_AFTER_MS } else { 0 };
        Timestamp(START.0 + CHAOS_MS + REST_MS + looks)
    }

    /// Something happens after so many milliseconds.
    pub(super) fn after(&mut self, millis: i64, happening: Happening) {
        self.at(Timestamp(self.now.0 + millis), happening);
    }

    pub(super) fn at(&mut self, at: Timestamp, happening: Happening) {
        self.order += 1;
        self.queue.insert((at, self.order), happening);
    }

    fn happen(&mut self, happening: Happening) -> Result<(), String> {
        match happening {
            Happening::Planned(planned) => self.deed(planned),
            Happening::Calm => self.become_calm(),
            Happening::Tend(client) => {
                self.tend(client);
                Ok(())
            }
            Happening::Enter(id, connection) => self.enter(id, connection),
            Happening::ToServer(id, text) => self.reach_host(id, &text),
            Happening::ToClient(id, frame, kind) => self.reach_client(id, &frame, kind),
            Happening::Closed(id, close) => {
                self.closed(id, close);
                Ok(())
            }
            Happening::Noticed(id) => {
                self.left(id);
                Ok(())
            }
            Happening::Gone(id) => self.gone(id),
            Happening::Release(place) => self.release(place),
            Happening::Apply {
                place,
                sends,
                answer,
            } => self.apply(place, &sends, answer),
            Happening::Committed(place, result) => self.committed(place, result),
            Happening::Load(place, since, limit) => {
                self.load(place, since, limit);
                Ok(())
            }
            Happening::Loaded(place, result) => self.loaded(place, result),
            Happening::RestAgain(send) => self.send_over_rest(send),
            Happening::Told(change) => self.told(change),
            Happening::ShutDown(host) => self.shut_down(host),
            Happening::Wake(host) => self.tick(host),
        }
    }

    /// No more faults: what is still set up to fail works, and one host remains.
    fn become_calm(&mut self) -> Result<(), String> {
        self.calm = true;
        self.fates.clear();
        self.failing_loads = (0, 0);
        let front = self.front;
        let others: Vec<u64> = self.hosts.range(..front).map(|(host, _)| *host).collect();
        others.into_iter().try_for_each(|host| self.shut_down(host))
    }

    /// Chances of one client at this point of its life.
    pub(super) fn chance_of(&self, client: usize) -> fastrand::Rng {
        let moment = u64::try_from(self.now.0).unwrap_or(0);
        stream(self.seed, Stream::Client, client as u64, moment)
    }

    /// Shuts one host down; whoever was there finds the front.
    fn shut_down(&mut self, host: u64) -> Result<(), String> {
        self.input(host, Input::Shutdown)
    }
}
