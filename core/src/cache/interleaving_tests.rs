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

use super::{InProcess, NewEvents, Page, RecentHistory};
use crate::domain::{
    ConversationId, Epoch, Message, MessageId, Number, Position, Seq, Timestamp, UserId,
};
use crate::ports::{Cache, CacheCommand, CacheError, CacheKind, CacheReply, Clock, History};
use crate::protocol::Event;

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

/// The database: each state it was ever in, the last being now.
struct Database {
    states: Vec<(Epoch, Vec<Message>)>,
    next_id: i64,
}

impl Database {
    fn now(&self) -> &(Epoch, Vec<Message>) {
        self.states.last().unwrap()
    }

    fn position(&self) -> Position {
        let (epoch, log) = self.now();
        let length = i64::try_from(log.len()).unwrap();
        Position {
            epoch: epoch.clone(),
            seq: Seq(length),
            number: Number(length),
        }
    }

    fn page(&self, limit: i64) -> History {
        History {
            messages: newest(&self.now().1, limit).to_vec(),
            position: self.position(),
        }
    }

    /// One transaction that appends `count` messages.
    fn commit(&mut self, count: usize) -> NewEvents {
        let (epoch, mut log) = self.now().clone();
        let mut events = Vec::new();
        for _ in 0..count {
            let seq = i64::try_from(log.len()).unwrap() + 1;
            self.next_id += 1;
            let message = Message {
                id: MessageId(self.next_id),
                sender_id: UserId(1),
                sender: "ann".into(),
                content: format!("text {}", self.next_id).into(),
                timestamp: Timestamp(self.next_id),
                seq: Seq(seq),
                number: Number(seq),
                client_message_id: None,
                reply_to: None,
                mentions: Vec::new(),
                version: 1,
            };
            events.push((Seq(seq), Event::Message(message.clone().into()).encode()));
            log.push(message);
        }
        self.states.push((epoch.clone(), log));
        NewEvents {
            conversation_id: ID,
            epoch,
            events,
        }
    }

    /// A restored backup, declared as such.
    fn restore(&mut self, dice: &mut Dice) {
        let mut log = self.now().1.clone();
        log.truncate(dice.below(log.len() + 1));
        let epoch = Epoch(format!("e{}", self.states.len()).into());
        self.states.push((epoch, log));
    }
}

fn newest(log: &[Message], limit: i64) -> &[Message] {
    &log[log.len().saturating_sub(usize::try_from(limit).unwrap())..]
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
            states: vec![(Epoch("e0".into()), Vec::new())],
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
            let mut new = self.database.lock().unwrap().commit(count);
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
            let page = self.database.lock().unwrap().page(limit);
            self.idle(8).await;
            if let Some(recent) = recent {
                self.history.fill(&recent, &page).await;
            }
        }
    }

    /// Both at once, either may be first.
    async fn cache_and_position(&self, limit: i64) -> (Option<super::Recent>, Position) {
        let position = async {
            self.idle(4).await;
            self.database.lock().unwrap().position()
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

    /// INVARIANT: a believed history is the database's at one moment since the read began.
    fn check(&self, began: usize, limit: i64, believed: &Page) {
        let messages: Vec<Message> = serde_json::from_str(believed.messages.get()).unwrap();
        let database = self.database.lock().unwrap();
        let held = database.states[began..].iter().any(|(epoch, log)| {
            *epoch == believed.position.epoch
                && newest(log, limit) == messages
                && believed.position.seq.0 == i64::try_from(log.len()).unwrap()
        });
        assert!(held, "believed what never was: {:?}", believed.position);
    }

    async fn operate(self, rounds: usize) {
        for _ in 0..rounds {
            self.idle(60).await;
            if self.below(3) == 0 {
                let mut dice = self.dice.lock().unwrap();
                self.database.lock().unwrap().restore(&mut dice);
            } else {
                let evict = CacheCommand::Delete {
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
