//! Virtual time: what is scheduled, in which order it happens, and what is checked at the end.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::client::{Client, text_of};
use super::events::{RestSend, ScheduledEvent};
use super::link::{Link, RECHECK_AFTER_MS};
use super::model_store::ModelStore;
use super::plan::{CommitFate, FAULTS_MS, Plan, PlannedAction};
use super::rng::{Stream, stream};
use super::sim_host::SimHost;
use super::{Case, Report};
use colloquy_proto::domain::{SessionId, Timestamp, UserId};
use colloquy_proto::room::{ConnectionId, Input, RequestId};

/// The user of another program that writes to the database, and the sender of the last message.
pub(super) const FOREIGN: UserId = UserId(99);
pub(super) const LAST: UserId = UserId(98);
const START: Timestamp = Timestamp(100_000_000);
/// A world that is not idle by then never will be, in milliseconds.
const SETTLE_MS: i64 = 150_000;
const MAX_STEPS: u64 = 400_000;

pub(super) struct World {
    pub(super) seed: u64,
    pub(super) plan: Plan,
    pub(super) now: Timestamp,
    queue: BTreeMap<(Timestamp, u64), ScheduledEvent>,
    order: u64,
    pub(super) faults_over: bool,
    pub(super) store: ModelStore,
    /// The fates of the next commits and loads.
    pub(super) fates: VecDeque<CommitFate>,
    pub(super) failing_loads: (u32, i64),
    pub(super) hosts: BTreeMap<u64, SimHost>,
    /// The host that new connections and REST sends go to.
    pub(super) primary: u64,
    /// Whether hosts store snapshots, so that Rooms can hibernate.
    pub(super) hibernates: bool,
    pub(super) clients: Vec<Client>,
    pub(super) links: BTreeMap<ConnectionId, Link>,
    /// All connection ids given out.
    pub(super) connection_ids: BTreeSet<ConnectionId>,
    /// The connections on which a host received a named send, the last one last.
    pub(super) arrived_on: BTreeMap<(u64, String), Vec<ConnectionId>>,
    pub(super) revoked: BTreeSet<SessionId>,
    pub(super) rest_requests: BTreeMap<RequestId, RestSend>,
    pub(super) next_request: u64,
    pub(super) report: Report,
    step: u64,
    /// Found where no result can be returned; reported after the step.
    pub(super) violation: Option<String>,
    /// What happened, a line each, if it is wanted.
    trace: Option<Vec<String>>,
}

impl World {
    pub(super) fn new(case: &Case) -> Self {
        let plan = Plan::of(case.seed);
        let items: Vec<(i64, PlannedAction)> = (0_u32..)
            .zip(&plan.items)
            .filter(|(number, _)| case.has(*number))
            .map(|(_, item)| *item)
            .collect();
        let clients = plan.clients.iter().enumerate();
        let mut world = Self {
            seed: case.seed,
            now: START,
            queue: BTreeMap::new(),
            order: 0,
            faults_over: false,
            store: ModelStore::new(),
            fates: VecDeque::new(),
            failing_loads: (0, 0),
            hosts: BTreeMap::new(),
            primary: 0,
            hibernates: items
                .iter()
                .any(|(_, item)| matches!(item, PlannedAction::Sleep | PlannedAction::Crash)),
            clients: clients
                .map(|(n, profile)| Client::new(n, *profile))
                .collect(),
            links: BTreeMap::new(),
            connection_ids: BTreeSet::new(),
            arrived_on: BTreeMap::new(),
            revoked: BTreeSet::new(),
            rest_requests: BTreeMap::new(),
            next_request: 0,
            report: Report::default(),
            step: 0,
            violation: None,
            trace: None,
            plan,
        };
        world.new_host(0);
        for (after, item) in items {
            world.after(after, ScheduledEvent::PlannedAction(item));
        }
        world.after(FAULTS_MS, ScheduledEvent::FaultsEnd);
        world
    }

    /// Keeps a trace from now on.
    pub(super) fn enable_trace(&mut self) {
        self.trace = Some(Vec::new());
    }

    pub(super) fn trace(&mut self) -> Vec<String> {
        self.trace.take().unwrap_or_default()
    }

    pub(super) fn record_trace(&mut self, what: impl FnOnce() -> String) {
        let elapsed = self.now.millis_since(START);
        if let Some(trace) = &mut self.trace {
            trace.push(format!("{elapsed:>7} ms  {}", what()));
        }
    }

    /// How many steps have been taken.
    pub(super) const fn step(&self) -> u64 {
        self.step
    }

    pub(super) fn run(&mut self) -> Result<Report, String> {
        self.run_to_end()?;
        for client in &self.clients {
            self.report.acked += client.sends.acks;
            self.report.delivered += client.delivered;
            self.report.synced += client.synced;
            self.report.resets += client.resets;
        }
        self.report.stored = self.store.events.len() as u64;
        Ok(self.report)
    }

    fn run_to_end(&mut self) -> Result<(), String> {
        self.play()?;
        self.check_idle()?;
        // A Room finds the events that another one has written at its own next commit, so one more
        // message is sent.
        let client_message_id = None;
        let message = text_of("the last message", false);
        self.send_over_rest(RestSend {
            host: self.primary,
            user: LAST,
            session: SessionId("last".into()),
            client_message_id,
            message,
            repeats: false,
        })?;
        self.play()?;
        self.check_idle()?;
        self.clients
            .iter()
            .try_for_each(|client| client.check_complete(&self.store))
    }

    /// Handles events until none are scheduled.
    fn play(&mut self) -> Result<(), String> {
        while let Some(((at, _), event)) = self.queue.pop_first() {
            self.now = self.now.max(at);
            self.step += 1;
            self.record_trace(|| format!("{event:?}"));
            if self.now.0 > self.last_alarm().0 + SETTLE_MS || self.step > MAX_STEPS {
                return Err("the world does not become idle".into());
            }
            self.handle_event(event)?;
            if let Some(violation) = self.violation.take() {
                return Err(violation);
            }
        }
        Ok(())
    }

    /// With nothing left to do, every REST request is answered and every client has the events that its
    /// own Room had stored, whether or not the response reached it. Events of other Rooms may be
    /// missing.
    fn check_idle(&self) -> Result<(), String> {
        if let Some(send) = self.rest_requests.values().next() {
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
                client.check_served(host.must_serve, &self.store)?;
                if self
                    .store
                    .removed_after(link.admitted_at, link.user, host.must_serve)
                {
                    return Err(format!("user {} was removed and stays", link.user));
                }
            }
        }
        self.check_cached()?;
        self.check_dead_connections()
    }

    /// The time of the last alarm that matters. Where the Room watches its sockets, it has checked by
    /// then those that fell silent during the faults.
    pub(super) fn last_alarm(&self) -> Timestamp {
        let recheck = if self.plan.watched {
            RECHECK_AFTER_MS
        } else {
            0
        };
        Timestamp(START.0 + FAULTS_MS + SETTLE_MS + recheck)
    }

    /// Schedules an event in this many milliseconds.
    pub(super) fn after(&mut self, millis: i64, event: ScheduledEvent) {
        self.at(Timestamp(self.now.0 + millis), event);
    }

    pub(super) fn at(&mut self, at: Timestamp, event: ScheduledEvent) {
        self.order += 1;
        self.queue.insert((at, self.order), event);
    }

    fn handle_event(&mut self, event: ScheduledEvent) -> Result<(), String> {
        match event {
            ScheduledEvent::PlannedAction(action) => self.act(action),
            ScheduledEvent::FaultsEnd => self.end_faults(),
            ScheduledEvent::PollClient(client) => {
                self.poll_client(client);
                Ok(())
            }
            ScheduledEvent::Register(id) => {
                self.register(id);
                Ok(())
            }
            ScheduledEvent::Connect(id, connection) => self.connect_to_room(id, connection),
            ScheduledEvent::ToServer(id, text) => self.reach_host(id, &text),
            ScheduledEvent::ToClient(id, frame, delivery) => {
                self.reach_client(id, &frame, delivery)
            }
            ScheduledEvent::Drained(id) => self.drained(id),
            ScheduledEvent::Closed(id, close) => {
                self.closed(id, close);
                Ok(())
            }
            ScheduledEvent::ClientDisconnected(id) => {
                self.client_disconnected(id);
                Ok(())
            }
            ScheduledEvent::HostDisconnected(id) => self.host_disconnected(id),
            ScheduledEvent::Flush(origin) => self.flush(origin),
            ScheduledEvent::WriteCache(origin) => self.write_cache(origin),
            ScheduledEvent::CacheWritten(origin) => {
                self.cache_written(origin);
                Ok(())
            }
            ScheduledEvent::Apply {
                origin,
                sends,
                answer,
            } => self.apply(origin, &sends, answer),
            ScheduledEvent::Committed(origin, result) => self.committed(origin, result),
            ScheduledEvent::Load(origin, since, limit) => {
                self.load(origin, since, limit);
                Ok(())
            }
            ScheduledEvent::Loaded(origin, result) => self.loaded(origin, result),
            ScheduledEvent::RetryRest(send) => self.send_over_rest(send),
            ScheduledEvent::Notify(change) => self.notify(change),
            ScheduledEvent::ShutDown(host) => self.shut_down(host),
            ScheduledEvent::Alarm(host) => self.on_alarm(host),
        }
    }

    /// No more faults: commits and loads succeed from here on, and one host remains.
    fn end_faults(&mut self) -> Result<(), String> {
        self.faults_over = true;
        self.fates.clear();
        self.failing_loads = (0, 0);
        let primary = self.primary;
        let others: Vec<u64> = self.hosts.range(..primary).map(|(host, _)| *host).collect();
        others.into_iter().try_for_each(|host| self.shut_down(host))
    }

    /// The random numbers of one client at this time.
    pub(super) fn rng_of(&self, client: usize) -> fastrand::Rng {
        let moment = u64::try_from(self.now.0).unwrap_or(0);
        stream(self.seed, Stream::Client, client as u64, moment)
    }

    /// Shuts one host down; its clients reconnect to the primary.
    fn shut_down(&mut self, host: u64) -> Result<(), String> {
        self.input(host, Input::Shutdown)
    }
}
