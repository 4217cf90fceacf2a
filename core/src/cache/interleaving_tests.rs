//! The cached history under every interleaving and failure.
//!
//! Writers, readers and an operator run as futures that yield before every step: each database
//! statement and each command inside a pipeline. A seeded scheduler picks the next one. Pipelines
//! fail halfway, lose their reply, or have commands executed long after their caller has received an
//! error; writes are late, duplicated, reversed or lost; keys are evicted; the epoch changes with a
//! restored, shorter history. A failure names its seed.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use async_trait::async_trait;

use super::{InProcess, MAX_CACHED_EVENTS, RecentHistory, RenderedPage};
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

type SharedMut<T> = Arc<Mutex<T>>;

/// Yields to the scheduler.
async fn yield_now() {
    let mut yielded = false;
    std::future::poll_fn(|_| {
        if std::mem::replace(&mut yielded, true) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
}

/// A clock that does not advance.
pub(super) struct FixedClock;

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        Timestamp(0)
    }
}

/// A cache whose pipelines interleave between any two commands and fail in every way.
struct Unreliable {
    inner: InProcess,
    dice: SharedMut<Dice>,
    /// Commands of failed pipelines that execute later.
    delayed: Mutex<Vec<CacheCommand>>,
}

#[async_trait]
impl Cache for Unreliable {
    async fn pipeline(&self, commands: Vec<CacheCommand>) -> Result<Vec<CacheReply>, CacheError> {
        let mut replies = Vec::new();
        let mut commands = commands.into_iter();
        while let Some(command) = commands.next() {
            yield_now().await;
            if self.dice.lock().unwrap().one_in(25) {
                if self.dice.lock().unwrap().one_in(2) {
                    let mut delayed = self.delayed.lock().unwrap();
                    delayed.push(command);
                    delayed.extend(commands);
                }
                return Err(CacheError("injected".to_owned()));
            }
            replies.extend(self.inner.pipeline(vec![command]).await?);
        }
        yield_now().await;
        if self.dice.lock().unwrap().one_in(25) {
            return Err(CacheError("reply lost".to_owned()));
        }
        Ok(replies)
    }

    fn kind(&self) -> CacheKind {
        CacheKind::Redis
    }
}

/// A snapshot of the database: its events as it returns them now, and the messages they yield.
#[derive(Clone)]
struct DatabaseState {
    epoch: Epoch,
    events: Vec<Event>,
    messages: Vec<Message>,
}

impl DatabaseState {
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

    /// The events of a page; `None` when there are more than the cache keeps.
    fn events_of_page(&self, limit: i64) -> Option<&[Event]> {
        let first = self.newest(limit).first()?.seq.0;
        let events = &self.events[usize::try_from(first - 1).unwrap()..];
        (i64::try_from(events.len()).unwrap() <= MAX_CACHED_EVENTS).then_some(events)
    }

    /// Replaces a message's text, or deletes it, in every event that contains it.
    fn change(&mut self, index: usize, text: &str) -> Event {
        let seq = self.position().seq.next();
        let message = &mut self.messages[index];
        message.content = text.into();
        message.version += 1;
        let (id, version) = (message.id, message.version);
        for event in &mut self.events {
            match event {
                Event::Message(event) if event.message_id == id => {
                    (event.message, event.version) = (text.into(), version);
                }
                Event::Edited(event) if event.message_id == id => {
                    (event.message, event.version) = (text.into(), version);
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

/// The database: every state it has been in; the last is the current one.
struct Database {
    states: Vec<DatabaseState>,
    next_id: i64,
}

impl Database {
    fn now(&self) -> &DatabaseState {
        self.states.last().unwrap()
    }

    /// One transaction of `count` events.
    fn commit(&mut self, count: usize, dice: &mut Dice) -> NewEvents {
        let mut state = self.now().clone();
        let mut events = Vec::new();
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
            events.push((event.seq(), event.encode()));
            state.events.push(event);
        }
        let epoch = state.epoch.clone();
        self.states.push(state);
        NewEvents {
            conversation_id: ID,
            epoch,
            events,
        }
    }

    fn message(&self, state: &DatabaseState, text: String) -> Message {
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

    /// Restores a backup: an earlier state with a new epoch.
    fn restore(&mut self, dice: &mut Dice) {
        let mut state = self.states[dice.below(self.states.len())].clone();
        state.epoch = Epoch(format!("e{}", self.states.len()).into());
        self.states.push(state);
    }
}

/// The state that all futures of a run share.
#[derive(Clone)]
struct Scenario {
    database: SharedMut<Database>,
    dice: SharedMut<Dice>,
    history: Arc<RecentHistory>,
    cache: Arc<Unreliable>,
    /// Reads answered from the cache, and from the database.
    counts: SharedMut<(usize, usize)>,
}

impl Scenario {
    fn new(seed: u64) -> Self {
        let dice = Arc::new(Mutex::new(Dice(seed)));
        // Sometimes small enough that the limit evicts histories as well.
        let capacity = if seed.is_multiple_of(4) {
            20_000
        } else {
            InProcess::DEFAULT_CAPACITY
        };
        let cache = Arc::new(Unreliable {
            inner: InProcess::new(Arc::new(FixedClock), capacity),
            dice: dice.clone(),
            delayed: Mutex::default(),
        });
        let database = Database {
            states: vec![DatabaseState {
                epoch: Epoch("e0".into()),
                events: Vec::new(),
                messages: Vec::new(),
            }],
            next_id: 0,
        };
        Self {
            database: Arc::new(Mutex::new(database)),
            dice,
            history: Arc::new(RecentHistory::new(cache.clone(), Arc::new(FixedClock))),
            cache,
            counts: Arc::default(),
        }
    }

    fn below(&self, n: usize) -> usize {
        self.dice.lock().unwrap().below(n)
    }

    fn counts(&self) -> (usize, usize) {
        *self.counts.lock().unwrap()
    }

    async fn idle(&self, max: usize) {
        for _ in 0..self.below(max) {
            yield_now().await;
        }
    }

    /// A Room: commits, then records. Earlier records may still be in flight.
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

    /// A request: reads as the service does, and checks the page.
    async fn read(self, rounds: usize) {
        for _ in 0..rounds {
            self.idle(10).await;
            let limit = [1, 5, 20, 100][self.below(4)];
            // Everything in this state was acknowledged before the read started.
            let start = self.database.lock().unwrap().states.len() - 1;
            let (mut cached, position) = self.cache_and_position(limit).await;
            if let Some(cached) = &mut cached
                && let Some(page) = self.history.page(cached, &position, limit).await
            {
                self.check(start, limit, &page);
                self.counts.lock().unwrap().0 += 1;
                continue;
            }
            self.counts.lock().unwrap().1 += 1;
            let state = self.database.lock().unwrap().now().clone();
            self.idle(8).await;
            if let Some(cached) = cached
                && let Some(events) = state.events_of_page(limit)
            {
                self.history.fill(&cached, &state.epoch, events).await;
            }
        }
    }

    /// Both concurrently; either may finish first.
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
            let cached = self.history.read(ID, limit).await;
            (cached, position.await)
        }
    }

    /// INVARIANT: a proven page has the messages of one moment since the read started, each with its
    /// text of that moment or a later one.
    fn check(&self, start: usize, limit: i64, page: &RenderedPage) {
        let messages: Vec<Message> = serde_json::from_str(page.messages.get()).unwrap();
        let database = self.database.lock().unwrap();
        let since = &database.states[start..];
        let then = since.iter().position(|state| {
            let newest = state.newest(limit);
            state.position() == page.position
                && newest.len() == messages.len()
                && newest
                    .iter()
                    .zip(&messages)
                    .all(|(stored, read)| stored.version <= read.version)
        });
        let Some(then) = then else {
            panic!("a page that never existed: {:?}", page.position);
        };
        let later = since[then..]
            .iter()
            .filter(|state| state.epoch == page.position.epoch);
        let later: Vec<&DatabaseState> = later.collect();
        for message in &messages {
            let index = usize::try_from(message.number.0 - 1).unwrap();
            let had_it = |state: &&DatabaseState| state.messages.get(index) == Some(message);
            assert!(
                later.iter().any(had_it),
                "a text that never existed: {message:?}"
            );
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

    /// Executes one of the delayed commands.
    fn run_delayed(&self) {
        let mut delayed = self.cache.delayed.lock().unwrap();
        if !delayed.is_empty() {
            let chosen = self.below(delayed.len());
            let command = delayed.swap_remove(chosen);
            drop(delayed);
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

/// Runs one seed to its end. Returns how many reads the cache and the database served.
fn run(seed: u64) -> (usize, usize) {
    let scenario = Scenario::new(seed);
    let mut tasks: Vec<Task> = vec![
        Box::pin(scenario.clone().write(25)),
        Box::pin(scenario.clone().write(25)),
        Box::pin(scenario.clone().operate(5)),
    ];
    tasks.extend((0..4).map(|_| Box::pin(scenario.clone().read(30)) as Task));
    while !tasks.is_empty() {
        let chosen = scenario.below(tasks.len());
        let done = tasks[chosen]
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
            .is_ready();
        if done {
            drop(tasks.swap_remove(chosen));
        }
        if scenario.below(20) == 0 {
            scenario.run_delayed();
        }
    }
    scenario.counts()
}

/// Prints the seed when a run panics.
struct PrintSeedOnPanic(u64);

impl Drop for PrintSeedOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("failed with seed {}", self.0);
        }
    }
}

#[test]
fn no_interleaving_yields_a_false_page() {
    let (mut cached, mut loaded) = (0, 0);
    for seed in 0..60 {
        let _guard = PrintSeedOnPanic(seed);
        let (from_cache, from_database) = run(seed);
        cached += from_cache;
        loaded += from_database;
    }
    // The test is meaningful only if both paths ran.
    assert!(
        cached > 1_000 && loaded > 1_000,
        "cache {cached}, database {loaded}"
    );
}
