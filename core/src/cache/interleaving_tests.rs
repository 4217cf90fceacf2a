//! The cache that cannot lie, under disorder made on purpose.
//!
//! Writers, readers and an operator run as futures that give way before every single step:
//! each database statement and each command inside a pipeline. A seeded scheduler picks who goes
//! next. Pipelines break off, lose their answer, or have commands carried out long after their
//! caller was told of a failure; records come late, twice, reversed or never; keys are evicted;
//! the epoch changes over a restored, shorter history. A failure names its seed.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use async_trait::async_trait;

use super::{InProcess, KEPT_EVENTS, RecentHistory, RenderedPage};
use crate::ports::{Cache, CacheCommand, CacheError, CacheKind, CacheReply, Clock};
use colloquy_proto::domain::{
    ConversationId, Epoch, Message, MessageId, MessageNumber, Position, Seq, Timestamp, UserId,
};
use colloquy_proto::protocol::{DeletedEvent, EditedEvent, Event, MemberChange, MemberEvent};
use colloquy_proto::room::NewEvents;

const ID: ConversationId = ConversationId(7);

/// The generator `SplitMix64`.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((z ^ (z >> 31)) % n as u64).unwrap()
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}

type Shared<T> = Arc<Mutex<T>>;

/// Lets the scheduler pick someone else.
async fn give_way() {
    let mut waited = false;
    std::future::poll_fn(|_| {
        if std::mem::replace(&mut waited, true) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
}

/// A clock that stands still.
pub(super) struct NoTime;

impl Clock for NoTime {
    fn now(&self) -> Timestamp {
        Timestamp(0)
    }
}

/// A cache whose pipelines can be overtaken between any two commands, and fail in every way.
struct Unreliable {
    inner: InProcess,
    dice: Shared<Dice>,
    /// Commands whose caller has given up, still to be carried out.
    limbo: Mutex<Vec<CacheCommand>>,
}

#[async_trait]
impl Cache for Unreliable {
    async fn pipeline(&self, commands: Vec<CacheCommand>) -> Result<Vec<CacheReply>, CacheError> {
        let mut replies = Vec::new();
        let mut commands = commands.into_iter();
        while let Some(command) = commands.next() {
            give_way().await;
            if self.dice.lock().unwrap().one_in(25) {
                if self.dice.lock().unwrap().one_in(2) {
                    let mut limbo = self.limbo.lock().unwrap();
                    limbo.push(command);
                    limbo.extend(commands);
                }
                return Err(CacheError("made up".to_owned()));
            }
            replies.extend(self.inner.pipeline(vec![command]).await?);
        }
        give_way().await;
        if self.dice.lock().unwrap().one_in(25) {
            return Err(CacheError("answer lost".to_owned()));
        }
        Ok(replies)
    }

    fn kind(&self) -> CacheKind {
        CacheKind::Redis
    }
}

/// The database at one moment: its events as it tells them now, and what they make together.
#[derive(Clone)]
struct State {
    epoch: Epoch,
    events: Vec<Event>,
    messages: Vec<Message>,
}

impl State {
    fn position(&self) -> Position {
        Position {
            epoch: self.epoch.clone(),
            seq: Seq(i64::try_from(self.events.len()).unwrap()),
            number: MessageNumber(i64::try_from(self.messages.len()).unwrap()),
        }
    }

    fn newest(&self, limit: i64) -> &[Message] {
        let limit = usize::try_from(limit).unwrap();
        &self.messages[self.messages.len().saturating_sub(limit)..]
    }

    /// What a page is made of, unless that is more than is kept.
    fn events_of_page(&self, limit: i64) -> Option<&[Event]> {
        let first = self.newest(limit).first()?.seq.0;
        let events = &self.events[usize::try_from(first - 1).unwrap()..];
        (i64::try_from(events.len()).unwrap() <= KEPT_EVENTS).then_some(events)
    }

    /// Gives a message another text, or none, in every event that tells of it.
    fn change(&mut self, index: usize, text: &str) -> Event {
        let seq = self.position().seq.next();
        let message = &mut self.messages[index];
        message.content = text.into();
        message.version += 1;
        let (id, version) = (message.id, message.version);
        for event in &mut self.events {
            match event {
                Event::Message(told) if told.message_id == id => {
                    (told.message, told.version) = (text.into(), version);
                }
                Event::Edited(told) if told.message_id == id => {
                    (told.message, told.version) = (text.into(), version);
                }
                _ => {}
            }
        }
        let (user_id, timestamp) = (UserId(1), Timestamp(seq.0));
        if text.is_empty() {
            Event::Deleted(DeletedEvent {
                seq,
                message_id: id,
                version,
                user_id,
                timestamp,
            })
        } else {
            Event::Edited(EditedEvent {
                seq,
                message_id: id,
                message: text.into(),
                version,
                user_id,
                timestamp,
            })
        }
    }
}

/// The database: each state it was ever in, the last being now.
struct Database {
    states: Vec<State>,
    next_id: i64,
}

impl Database {
    fn now(&self) -> &State {
        self.states.last().unwrap()
    }

    /// One transaction of `count` events.
    fn commit(&mut self, count: usize, dice: &mut Dice) -> NewEvents {
        let mut state = self.now().clone();
        let mut told = Vec::new();
        for _ in 0..count {
            self.next_id += 1;
            let text = format!("text {}", self.next_id);
            let changeable: Vec<usize> = (0..state.messages.len())
                .rev()
                .take(30)
                .filter(|index| !state.messages[*index].content.is_empty())
                .collect();
            let event = match dice.below(12) {
                0 | 1 if !changeable.is_empty() => {
                    state.change(changeable[dice.below(changeable.len())], &text)
                }
                2 if !changeable.is_empty() => {
                    state.change(changeable[dice.below(changeable.len())], "")
                }
                3 => Event::Member(MemberEvent {
                    seq: state.position().seq.next(),
                    user_id: UserId(2),
                    username: "bob".into(),
                    change: MemberChange::Added,
                    by: UserId(1),
                    timestamp: Timestamp(self.next_id),
                }),
                _ => {
                    let message = self.message(&state, text);
                    state.messages.push(message.clone());
                    Event::Message(message.into())
                }
            };
            told.push((event.seq(), event.encode()));
            state.events.push(event);
        }
        let epoch = state.epoch.clone();
        self.states.push(state);
        NewEvents {
            conversation_id: ID,
            epoch,
            events: told,
        }
    }

    fn message(&self, state: &State, text: String) -> Message {
        let Position { seq, number, .. } = state.position();
        Message {
            id: MessageId(self.next_id),
            sender_id: UserId(1),
            sender: "ann".into(),
            content: text.into(),
            timestamp: Timestamp(self.next_id),
            seq: seq.next(),
            number: MessageNumber(number.0 + 1),
            client_message_id: None,
            reply_to: None,
            mentions: Vec::new(),
            version: 1,
        }
    }

    /// A restored backup, declared as such: an earlier state, and another history from there on.
    fn restore(&mut self, dice: &mut Dice) {
        let mut state = self.states[dice.below(self.states.len())].clone();
        state.epoch = Epoch(format!("e{}", self.states.len()).into());
        self.states.push(state);
    }
}

/// What all futures of one run share.
#[derive(Clone)]
struct World {
    database: Shared<Database>,
    dice: Shared<Dice>,
    history: Arc<RecentHistory>,
    cache: Arc<Unreliable>,
    /// Reads answered from the cache, and from the database.
    counts: Shared<(usize, usize)>,
}

impl World {
    fn new(seed: u64) -> Self {
        let dice = Arc::new(Mutex::new(Dice(seed)));
        // Small enough at times that histories are evicted by the limit, too.
        let capacity = if seed.is_multiple_of(4) {
            20_000
        } else {
            InProcess::DEFAULT_CAPACITY
        };
        let cache = Arc::new(Unreliable {
            inner: InProcess::new(Arc::new(NoTime), capacity),
            dice: dice.clone(),
            limbo: Mutex::default(),
        });
        let database = Database {
            states: vec![State {
                epoch: Epoch("e0".into()),
                events: Vec::new(),
                messages: Vec::new(),
            }],
            next_id: 0,
        };
        Self {
            database: Arc::new(Mutex::new(database)),
            dice,
            history: Arc::new(RecentHistory::new(cache.clone(), Arc::new(NoTime))),
            cache,
            counts: Arc::default(),
        }
    }

    fn below(&self, n: usize) -> usize {
        self.dice.lock().unwrap().below(n)
    }

    fn answered(&self) -> (usize, usize) {
        *self.counts.lock().unwrap()
    }

    async fn idle(&self, most: usize) {
        for _ in 0..self.below(most) {
            give_way().await;
        }
    }

    /// A Room: commits, then records. What it recorded before may still be on its way.
    async fn write(self, rounds: usize) {
        let mut late = Vec::new();
        for _ in 0..rounds {
            self.idle(6).await;
            let count = if self.below(20) == 0 {
                120
            } else {
                1 + self.below(3)
            };
            let mut new = {
                let mut dice = self.dice.lock().unwrap();
                self.database.lock().unwrap().commit(count, &mut dice)
            };
            self.idle(3).await;
            match self.below(12) {
                0 => continue,
                1 | 2 => {
                    late.push(new);
                    continue;
                }
                3 => new.events.reverse(),
                4 => late.push(new.clone()),
                _ => {}
            }
            self.history.record(&[new]).await;
        }
        while !late.is_empty() {
            let new = late.swap_remove(self.below(late.len()));
            self.idle(8).await;
            self.history.record(&[new]).await;
        }
    }

    /// A request: reads as the service does, and checks what it believed.
    async fn read(self, rounds: usize) {
        for _ in 0..rounds {
            self.idle(10).await;
            let limit = [1, 5, 20, 100][self.below(4)];
            // Everything of this state was acknowledged before the read began.
            let began = self.database.lock().unwrap().states.len() - 1;
            let (mut recent, position) = self.cache_and_position(limit).await;
            if let Some(recent) = &mut recent
                && let Some(page) = self.history.page(recent, &position, limit).await
            {
                self.check(began, limit, &page);
                self.counts.lock().unwrap().0 += 1;
                continue;
            }
            self.counts.lock().unwrap().1 += 1;
            let state = self.database.lock().unwrap().now().clone();
            self.idle(8).await;
            if let Some(recent) = recent
                && let Some(events) = state.events_of_page(limit)
            {
                self.history.fill(&recent, &state.epoch, events).await;
            }
        }
    }

    /// Both at once, either may be first.
    async fn cache_and_position(&self, limit: i64) -> (Option<super::CachedEvents>, Position) {
        let position = async {
            self.idle(4).await;
            self.database.lock().unwrap().now().position()
        };
        if self.below(2) == 0 {
            let position = position.await;
            self.idle(4).await;
            (self.history.read(ID, limit).await, position)
        } else {
            let recent = self.history.read(ID, limit).await;
            (recent, position.await)
        }
    }

    /// INVARIANT: a believed history holds the messages of one moment since the read began, each as
    /// it read then or later.
    fn check(&self, began: usize, limit: i64, believed: &RenderedPage) {
        let messages: Vec<Message> = serde_json::from_str(believed.messages.get()).unwrap();
        let database = self.database.lock().unwrap();
        let since = &database.states[began..];
        let then = since.iter().position(|state| {
            let held = state.newest(limit);
            state.position() == believed.position
                && held.len() == messages.len()
                && held
                    .iter()
                    .zip(&messages)
                    .all(|(held, shown)| held.version <= shown.version)
        });
        let Some(then) = then else {
            panic!("believed what never was: {:?}", believed.position);
        };
        let later = since[then..]
            .iter()
            .filter(|state| state.epoch == believed.position.epoch);
        let later: Vec<&State> = later.collect();
        for shown in &messages {
            let index = usize::try_from(shown.number.0 - 1).unwrap();
            let read_so = |state: &&State| state.messages.get(index) == Some(shown);
            assert!(later.iter().any(read_so), "never read so: {shown:?}");
        }
    }

    async fn operate(self, rounds: usize) {
        for _ in 0..rounds {
            self.idle(60).await;
            if self.below(3) == 0 {
                let mut dice = self.dice.lock().unwrap();
                self.database.lock().unwrap().restore(&mut dice);
            } else {
                let evict = CacheCommand::Del {
                    key: format!("history:{ID}"),
                };
                self.cache.inner.pipeline(vec![evict]).await.unwrap();
            }
        }
    }

    /// Carries out one of the commands whose callers have given up.
    fn haunt(&self) {
        let mut limbo = self.cache.limbo.lock().unwrap();
        if !limbo.is_empty() {
            let chosen = self.below(limbo.len());
            let command = limbo.swap_remove(chosen);
            drop(limbo);
            run_now(self.cache.inner.pipeline(vec![command])).unwrap();
        }
    }
}

fn run_now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the in-process cache never waits"),
    }
}

type Task = Pin<Box<dyn Future<Output = ()>>>;

/// One run to its end; how many reads the cache and the database answered.
fn run(seed: u64) -> (usize, usize) {
    let world = World::new(seed);
    let mut tasks: Vec<Task> = vec![
        Box::pin(world.clone().write(25)),
        Box::pin(world.clone().write(25)),
        Box::pin(world.clone().operate(5)),
    ];
    tasks.extend((0..4).map(|_| Box::pin(world.clone().read(30)) as Task));
    while !tasks.is_empty() {
        let chosen = world.below(tasks.len());
        let done = tasks[chosen]
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
            .is_ready();
        if done {
            drop(tasks.swap_remove(chosen));
        }
        if world.below(20) == 0 {
            world.haunt();
        }
    }
    world.answered()
}

/// Names the seed when a run panics.
struct Failing(u64);

impl Drop for Failing {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("failed with seed {}", self.0);
        }
    }
}

#[test]
fn no_interleaving_makes_the_cache_lie() {
    let (mut cached, mut asked) = (0, 0);
    for seed in 0..60 {
        let _named = Failing(seed);
        let (from_cache, from_database) = run(seed);
        cached += from_cache;
        asked += from_database;
    }
    // Both paths must have been walked, or the test has proved nothing.
    assert!(
        cached > 1_000 && asked > 1_000,
        "cache {cached}, database {asked}"
    );
}
