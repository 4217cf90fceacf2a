//! All clients of a run: gathered, started, brought to their end, each with its log.

use std::collections::BTreeMap;
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant as Moment};

use anyhow::Result;
use fastrand::Rng;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use crate::checker::Stored;
use crate::editor::Editor;
use crate::leaver::Leaver;
use crate::line::Line;
use crate::log::{Entry, Log, Manner, Room};
use crate::maker::Maker;
use crate::people::{self, Api, Party, Pass};
use crate::rest::Poster;
use crate::v1::Plain;
use crate::v2::Resumer;
use crate::world::{Client, Habits, Phase};

/// The most clients in one conversation, and how many of them are one person's.
const ROOM: u32 = 24;
const DEVICES: u32 = 2;

/// Which of eight clients ends its login now and then. In a full conversation the same login is also
/// that of a v1 client.
const RESTLESS: u32 = 5;

/// Which of the clients in a conversation is that of who made it.
const MAKER: u32 = 4;

/// In most conversations.
const CALM: Habits = Habits {
    pause: Duration::from_millis(1_200),
    window: 40,
    loud: false,
    restless: false,
};

/// In the first, where so much is said that who is away misses more than one resume delivers, and at
/// times so much at once that who reads nothing has more waiting than a queue holds.
const BUSY: Habits = Habits {
    pause: Duration::from_millis(300),
    window: 120,
    loud: true,
    restless: false,
};

/// Where a throttle holds them back.
const THROTTLED: Habits = Habits {
    pause: Duration::from_millis(1_800),
    window: 2,
    loud: false,
    restless: false,
};

enum Actor {
    V1(Plain),
    V2(Resumer),
    Rest(Poster),
}

impl Actor {
    fn client(&mut self) -> &mut Client {
        match self {
            Self::V1(Plain { client, .. })
            | Self::V2(Resumer { client, .. })
            | Self::Rest(Poster { client }) => client,
        }
    }

    async fn chat(mut self) -> Self {
        let mut editor = Editor::of(self.client());
        let mut leaver = Leaver::of(self.client());
        let chat = async {
            match &mut self {
                Self::V1(actor) => actor.chat().await,
                Self::V2(actor) => actor.chat().await,
                Self::Rest(actor) => actor.chat().await,
            }
        };
        tokio::join!(chat, editor.edit(), leaver.keep());
        self
    }

    /// Has everything: up to this `seq` by its socket, or up to this `number` from the history.
    async fn catch_up(mut self, (seq, number): (u64, u64)) -> Self {
        match &mut self {
            Self::V1(actor) => actor.client.catch_up(number).await,
            Self::V2(actor) => actor.catch_up(seq).await,
            Self::Rest(actor) => actor.client.catch_up(number).await,
        }
        self
    }
}

/// Where the clients of a run are to be.
pub(crate) struct Place<'a> {
    pub(crate) ports: &'a [u16],
    pub(crate) lines: &'a [Arc<Line>],
    pub(crate) witness: mpsc::Sender<(Room, Entry)>,
}

pub(crate) struct Crowd {
    phase: watch::Sender<Phase>,
    shouts: watch::Sender<u64>,
    logs: Vec<Arc<Mutex<Log>>>,
    idle: Vec<Actor>,
    busy: Vec<JoinHandle<Actor>>,
    makers: Vec<Maker>,
    keeping: Vec<JoinHandle<()>>,
}

impl Crowd {
    /// Registers people past the lines and gives each their clients. A quarter of them, and at
    /// least one party, is on the server with a throttle.
    pub(crate) async fn gather(count: u32, seed: u64, place: Place<'_>) -> Result<Self> {
        let mut crowd = Self {
            phase: watch::channel(Phase::Running).0,
            shouts: watch::channel(0).0,
            logs: Vec::new(),
            idle: Vec::new(),
            busy: Vec::new(),
            makers: Vec::new(),
            keeping: Vec::new(),
        };
        let throttled = count.div_ceil(4);
        for (server, mut left) in [count - throttled, throttled].into_iter().enumerate() {
            let direct = Api::new(SocketAddr::from((Ipv4Addr::LOCALHOST, place.ports[server])))?;
            let api = Api::new(place.lines[server].address())?;
            while left > 0 {
                let here = left.min(ROOM);
                left -= here;
                let name = format!("torture{}", crowd.logs.len());
                let people = usize::try_from(here.div_ceil(DEVICES).max(2))?;
                let party = people::gather(&direct, server, &name, people).await?;
                crowd.join(&party, here, seed, &api, &place.witness);
            }
        }
        Ok(crowd)
    }

    fn join(
        &mut self,
        party: &Party,
        clients: u32,
        seed: u64,
        api: &Api,
        witness: &mpsc::Sender<(Room, Entry)>,
    ) {
        let habits = match (self.logs.len(), party.room.server) {
            (0, _) => BUSY,
            (_, 0) => CALM,
            _ => THROTTLED,
        };
        let Some((maker, others)) = party.people.split_first() else {
            return;
        };
        for (turn, person) in (0..clients).zip(party.people.iter().cycle()) {
            let index = u32::try_from(self.logs.len()).unwrap_or(u32::MAX);
            let manner = match turn % 8 {
                _ if turn == MAKER => Manner::Maker,
                3 => Manner::Rest,
                1 | 6 => Manner::V1,
                _ => Manner::V2,
            };
            let person = if turn == MAKER { maker } else { person };
            let log = Log::new(index, manner, party.room, person.id);
            let log = Arc::new(Mutex::new(log));
            self.logs.push(Arc::clone(&log));
            let client = Client {
                index,
                manner,
                person: Arc::clone(person),
                room: party.room,
                api: api.clone(),
                habits: Habits {
                    restless: turn % 8 == RESTLESS,
                    ..habits
                },
                phase: self.phase.subscribe(),
                shouts: self.shouts.subscribe(),
                log,
                witness: witness.clone(),
                rng: Rng::with_seed(seed.wrapping_add(u64::from(index) << 32)),
                next: 0,
                pass: Pass::default(),
                asked: Moment::now(),
                failed: 0,
            };
            match manner {
                Manner::V1 => self.idle.push(Actor::V1(Plain::new(client))),
                Manner::V2 => self.idle.push(Actor::V2(Resumer::new(client))),
                Manner::Rest => self.idle.push(Actor::Rest(Poster::new(client))),
                Manner::Maker => {
                    let others = others.iter().map(|person| person.id).collect();
                    self.makers.push(Maker::new(client, others));
                }
            }
        }
    }

    /// Lets everyone begin.
    pub(crate) fn start(&mut self) {
        self.set_going(Actor::chat);
        let makers = self.makers.drain(..);
        self.keeping
            .extend(makers.map(|maker| tokio::spawn(maker.keep())));
    }

    fn set_going<F>(&mut self, work: impl Fn(Actor) -> F)
    where
        F: Future<Output = Actor> + Send + 'static,
    {
        for actor in self.idle.drain(..) {
            self.busy.push(tokio::spawn(work(actor)));
        }
    }

    /// Counting one more asks the loud ones to say all they can at once.
    pub(crate) fn shouts(&self) -> watch::Sender<u64> {
        self.shouts.clone()
    }

    /// Tells everyone how far the run is.
    pub(crate) fn enter(&self, phase: Phase) {
        self.phase.send_replace(phase);
    }

    /// Waits until everyone is done, but no longer than `patience`. Answers who is not.
    pub(crate) async fn settle(&mut self, patience: Duration) -> Vec<String> {
        done(&mut self.busy, patience, |actor| self.idle.push(actor)).await
    }

    /// Lets everyone have everything there is, each by a last resume or from the history.
    pub(crate) async fn catch_up(
        &mut self,
        stored: &BTreeMap<Room, Stored>,
        patience: Duration,
    ) -> Vec<String> {
        self.set_going(|mut actor| {
            let stored = stored.get(&actor.client().room);
            actor.catch_up(stored.map_or((0, 0), |stored| (stored.seq, stored.number)))
        });
        self.settle(patience).await
    }

    /// Everyone has everything: nobody needs to be a member any more.
    pub(crate) async fn end(&mut self, patience: Duration) -> Vec<String> {
        self.enter(Phase::Over);
        done(&mut self.keeping, patience, drop).await
    }

    /// What everyone was told.
    pub(crate) fn logs(&self) -> Vec<Log> {
        let logs = self.logs.iter();
        logs.map(|log| log.lock().unwrap_or_else(PoisonError::into_inner).clone())
            .collect()
    }
}

/// Waits until these are done, but no longer than `patience`. Answers who is not.
async fn done<T>(
    tasks: &mut Vec<JoinHandle<T>>,
    patience: Duration,
    mut keep: impl FnMut(T),
) -> Vec<String> {
    let deadline = Instant::now() + patience;
    let mut stuck = Vec::new();
    for mut task in tasks.drain(..) {
        match timeout_at(deadline, &mut task).await {
            Ok(Ok(done)) => keep(done),
            Ok(Err(error)) => stuck.push(format!("a client failed: {error}")),
            Err(_) => {
                task.abort();
                let seconds = patience.as_secs();
                stuck.push(format!("a client was not done after {seconds} s"));
            }
        }
    }
    stuck
}
