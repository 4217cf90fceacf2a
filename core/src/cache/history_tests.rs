//! What [`CachedEvents::believe`] takes and leaves, case by case; races are in `interleaving_tests`.

use super::*;
use crate::cache::InProcess;
use crate::cache::in_process::tests::Hands;
use crate::cache::interleaving_tests::NoTime;
use crate::ports::History;
use colloquy_proto::domain::{Message, MessageId, MessageNumber, Seq, Timestamp, UserId};
use colloquy_proto::protocol::{DeletedEvent, EditedEvent};

const ID: ConversationId = ConversationId(1);

fn message(n: i64, text: &str) -> Message {
    Message {
        id: MessageId(n * 10),
        sender_id: UserId(1),
        sender: "ann".into(),
        content: text.into(),
        timestamp: Timestamp(n),
        seq: Seq(n),
        number: MessageNumber(n),
        client_message_id: None,
        reply_to: None,
        mentions: Vec::new(),
        version: 1,
    }
}

fn epoch(name: &str) -> Epoch {
    Epoch(name.into())
}

fn at(seq: i64) -> Position {
    Position {
        epoch: epoch("e1"),
        seq: Seq(seq),
        number: MessageNumber(seq),
    }
}

fn fact(epoch_name: &str, n: i64, text: &str) -> Arc<str> {
    member(
        &epoch(epoch_name),
        &Event::Message(message(n, text).into()).encode(),
    )
}

fn recent(seqs: impl IntoIterator<Item = i64>) -> CachedEvents {
    CachedEvents {
        id: ID,
        members: Some(seqs.into_iter().map(|n| fact("e1", n, "hi")).collect()),
        asked: 100,
        proven: None,
    }
}

fn believed(recent: &CachedEvents, seq: i64, limit: i64) -> Option<Vec<i64>> {
    let history = recent.prove_complete(&at(seq), limit)?;
    let seqs: Vec<i64> = history
        .messages
        .iter()
        .map(|message| message.seq.0)
        .collect();
    // INVARIANT: a page ends at the position it claims to reach.
    assert_eq!(history.position, at(seqs.last().copied().unwrap_or(seq)));
    Some(seqs)
}

#[test]
fn a_dense_run_down_to_the_limit_or_the_first_message_is_believed() {
    assert_eq!(believed(&recent(1..=3), 3, 100), Some(vec![1, 2, 3]));
    assert_eq!(believed(&recent(1..=9), 9, 2), Some(vec![8, 9]));
    assert_eq!(believed(&recent(5..=9), 9, 5), Some(vec![5, 6, 7, 8, 9]));
    assert_eq!(
        believed(&recent([]), 0, 100),
        Some(vec![]),
        "nothing was ever said"
    );
}

#[test]
fn a_run_that_ends_early_or_has_a_gap_is_not() {
    assert_eq!(believed(&recent([]), 3, 100), None, "evicted");
    assert_eq!(
        believed(&recent(1..=3), 4, 100),
        None,
        "the newest is missing"
    );
    assert_eq!(
        believed(&recent([1, 2, 4]), 4, 100),
        None,
        "a record was lost"
    );
    assert_eq!(
        believed(&recent(5..=9), 9, 6),
        None,
        "older ones were trimmed"
    );
}

#[test]
fn what_came_after_the_position_is_taken_as_far_as_it_is_dense() {
    assert_eq!(believed(&recent(1..=5), 3, 2), Some(vec![4, 5]));
    assert_eq!(believed(&recent([1, 2, 3, 5]), 3, 2), Some(vec![2, 3]));
    assert_eq!(believed(&recent([1, 2]), 0, 2), Some(vec![1, 2]));
    assert_eq!(believed(&recent([2]), 0, 2), Some(vec![]));
}

#[test]
fn twins_count_once_and_contradictions_void_everything() {
    let twice = |text: &str| CachedEvents {
        id: ID,
        members: Some(vec![fact("e1", 1, "hi"), fact("e1", 1, text)]),
        asked: 100,
        proven: None,
    };
    assert_eq!(believed(&twice("hi"), 1, 1), Some(vec![1]));
    assert_eq!(believed(&twice("ho"), 1, 1), None);
}

#[test]
fn one_stranger_voids_everything() {
    for stranger in [
        fact("e2", 1, "hi"),
        "garbage".into(),
        "e1 {}".into(),
        "".into(),
    ] {
        let mut recent = recent(1..=3);
        recent.members.as_mut().unwrap().insert(0, stranger.clone());
        assert_eq!(believed(&recent, 3, 2), None, "{stranger}");
    }
}

/// What was done to the message of `seq` 1, as facts: its text then.
fn edit(seq: i64, version: i64, text: &str) -> Arc<str> {
    let event = Event::Edited(EditedEvent {
        seq: Seq(seq),
        message_id: MessageId(10),
        message: text.into(),
        version,
        user_id: UserId(1),
        timestamp: Timestamp(seq),
    });
    member(&epoch("e1"), &event.encode())
}

fn deletion(seq: i64, version: i64) -> Arc<str> {
    let event = Event::Deleted(DeletedEvent {
        seq: Seq(seq),
        message_id: MessageId(10),
        version,
        user_id: UserId(1),
        timestamp: Timestamp(seq),
    });
    member(&epoch("e1"), &event.encode())
}

/// What a believed page says of the message of `seq` 1, at the position of so many messages.
fn shown(facts: &[Arc<str>], seq: i64) -> Option<(i64, String)> {
    let recent = CachedEvents {
        members: Some(facts.to_vec()),
        ..recent([])
    };
    let position = Position {
        number: MessageNumber(1),
        ..at(seq)
    };
    let history = recent.prove_complete(&position, 100)?;
    assert_eq!(history.position, position);
    let [message] = &*history.messages else {
        panic!("{history:?}");
    };
    Some((message.version, message.content.to_string()))
}

#[test]
fn a_page_shows_what_was_done_to_its_messages() {
    let said = fact("e1", 1, "hi");
    let now = |version, text: &str| Some((version, text.to_owned()));
    assert_eq!(shown(&[said.clone(), edit(2, 2, "ho")], 2), now(2, "ho"));
    let all = [said.clone(), edit(2, 2, "ho"), deletion(3, 3)];
    assert_eq!(shown(&all, 3), now(3, ""));
    // A fact that is missing may have been about the message.
    assert_eq!(shown(&[said.clone(), deletion(3, 3)], 3), None);
    // The database tells the first edit with the text of the second.
    let told_later = [said, edit(2, 3, "hey"), edit(3, 3, "hey")];
    assert_eq!(shown(&told_later, 3), now(3, "hey"));
}

#[test]
fn of_one_fact_told_twice_the_later_version_is_right() {
    let mut later = message(1, "ho");
    later.version = 2;
    let later = member(&epoch("e1"), &Event::Message(later.into()).encode());
    let said = fact("e1", 1, "hi");
    for facts in [[said.clone(), later.clone()], [later, said]] {
        let [one, other] = facts;
        let facts = [one, other, edit(2, 2, "ho")];
        assert_eq!(shown(&facts, 2), Some((2, "ho".to_owned())));
    }
    // Two texts of one version are none.
    let twice = [fact("e1", 1, "hi"), edit(2, 2, "ho"), edit(2, 2, "hey")];
    assert_eq!(shown(&twice, 2), None);
}

#[tokio::test]
async fn where_changes_take_the_places_of_messages_more_is_asked() {
    let clock = Arc::new(NoTime);
    let history = RecentHistory::new(Arc::new(InProcess::new(clock.clone(), 1 << 20)), clock);
    let said = fact("e1", 1, "hi");
    let facts = (2..=9).map(|seq| edit(seq, seq, "another"));
    let entries = std::iter::once((1, said)).chain((2..).zip(facts));
    let mut commands = Vec::new();
    add(&mut commands, ID, entries.collect());
    history.run(commands).await.expect("there");
    let position = Position {
        number: MessageNumber(1),
        ..at(9)
    };
    let mut recent = history.read(ID, 3).await.expect("there");
    let page = history.page(&mut recent, &position, 3).await;
    let page = page.expect("the whole of it");
    assert!(page.messages.get().contains("another"));
    assert_eq!(recent.asked, KEPT_EVENTS);
}

/// Answers as told, and counts the calls.
struct Scripted(
    std::sync::Mutex<Vec<Vec<CacheCommand>>>,
    Option<Vec<CacheReply>>,
);

#[async_trait::async_trait]
impl Cache for Scripted {
    async fn pipeline(&self, commands: Vec<CacheCommand>) -> Result<Vec<CacheReply>, CacheError> {
        self.0.lock().unwrap().push(commands);
        self.1.clone().ok_or_else(|| CacheError("away".to_owned()))
    }

    fn kind(&self) -> CacheKind {
        CacheKind::Redis
    }
}

#[tokio::test]
async fn every_write_is_one_pipeline_and_strangers_are_cleared_by_a_fill() {
    let cache = Arc::new(Scripted(std::sync::Mutex::default(), Some(Vec::new())));
    let history = RecentHistory::new(cache.clone(), Arc::new(NoTime));
    let page = [Event::Message(message(1, "hi").into())];
    history.fill(&recent([]), &epoch("e1"), &page).await;
    let strange = CachedEvents {
        members: Some(vec![fact("e0", 7, "old")]),
        ..recent([])
    };
    history.fill(&strange, &epoch("e1"), &page).await;
    history
        .record(&[new_events(ID, [2]), new_events(ConversationId(2), [7])])
        .await;
    history.record(&[new_events(ID, [])]).await;
    let calls = cache.0.lock().unwrap();
    let key = "history:1".to_owned();
    let clear = CacheCommand::Del { key: key.clone() };
    assert_eq!(
        calls
            .iter()
            .map(|call| call.contains(&clear))
            .collect::<Vec<_>>(),
        [false, true, false]
    );
    let added = [(key, 2), ("history:2".to_owned(), 7)].map(|(key, seq)| {
        [
            CacheCommand::ZAdd {
                key: key.clone(),
                entries: vec![(seq, "e1 {}".into())],
            },
            CacheCommand::ZTrim {
                key: key.clone(),
                count: KEPT_EVENTS,
            },
            CacheCommand::Expire {
                key,
                seconds: 86_400,
            },
        ]
    });
    assert_eq!(calls[2], added.concat());
}

#[tokio::test]
async fn a_fill_adds_what_the_cache_lacks_and_no_more() {
    let page = History {
        messages: (1..=4).map(|n| message(n, "hi")).collect(),
        position: at(4),
    };
    let told_otherwise = CachedEvents {
        members: Some(vec![fact("e1", 1, "hi"), fact("e1", 2, "ho")]),
        ..recent([])
    };
    let proven = VerifiedPage {
        page: RenderedPage::of(&page).expect("a page"),
        messages: page.messages.clone().into(),
    };
    // It was proven once; since then the cache may have lost it.
    let known_by_heart = CachedEvents {
        members: None,
        proven: Some(proven),
        ..recent([])
    };
    for (cached, expected) in [
        (recent([2, 3]), vec![1, 4]),
        (told_otherwise, vec![2, 3, 4]),
        (known_by_heart, vec![1, 2, 3, 4]),
        (recent(1..=4), vec![]),
    ] {
        let cache = Arc::new(Scripted(std::sync::Mutex::default(), Some(Vec::new())));
        let history = RecentHistory::new(cache.clone(), Arc::new(NoTime));
        let messages = page.messages.iter().cloned();
        let events: Vec<Event> = messages.map(|m| Event::Message(m.into())).collect();
        history.fill(&cached, &epoch("e1"), &events).await;
        let calls = cache.0.lock().unwrap();
        let added = calls.iter().flatten().filter_map(|command| match command {
            CacheCommand::ZAdd { entries, .. } => Some(entries),
            _ => None,
        });
        let seqs: Vec<i64> = added.flatten().map(|(seq, _)| *seq).collect();
        assert_eq!(seqs, expected, "{cached:?}");
    }
}

#[tokio::test]
async fn a_cache_that_is_away_is_no_error() {
    let history = RecentHistory::new(
        Arc::new(Scripted(std::sync::Mutex::default(), None)),
        Arc::new(NoTime),
    );
    assert!(history.read(ID, 100).await.is_none());
    history.record(&[new_events(ID, [1])]).await;
}

/// Events of no content.
fn new_events<const N: usize>(conversation_id: ConversationId, seqs: [i64; N]) -> NewEvents {
    NewEvents {
        conversation_id,
        epoch: epoch("e1"),
        events: seqs.map(|seq| (Seq(seq), "{}".into())).into(),
    }
}

/// Notes how many members each read asks for; without an answer when it is away.
struct Counting {
    inner: InProcess,
    asked: std::sync::Mutex<Vec<i64>>,
    away: AtomicBool,
}

#[async_trait::async_trait]
impl Cache for Counting {
    async fn pipeline(&self, commands: Vec<CacheCommand>) -> Result<Vec<CacheReply>, CacheError> {
        for command in &commands {
            if let CacheCommand::ZTop { count, .. } = command {
                self.asked.lock().unwrap().push(*count);
            }
        }
        if self.away.load(Ordering::Relaxed) {
            return Err(CacheError("away".to_owned()));
        }
        self.inner.pipeline(commands).await
    }

    fn kind(&self) -> CacheKind {
        CacheKind::Redis
    }
}

struct Watched {
    history: RecentHistory,
    cache: Arc<Counting>,
    clock: Arc<Hands>,
}

impl Watched {
    fn new() -> Self {
        let clock = Arc::new(Hands::default());
        let cache = Arc::new(Counting {
            inner: InProcess::new(Arc::new(NoTime), 1 << 20),
            asked: std::sync::Mutex::default(),
            away: AtomicBool::new(false),
        });
        Self {
            history: RecentHistory::new(cache.clone(), clock.clone()),
            cache,
            clock,
        }
    }

    async fn record(&self, seqs: std::ops::RangeInclusive<i64>) {
        let events = seqs.map(|n| (Seq(n), Event::Message(message(n, "hi").into()).encode()));
        let new = NewEvents {
            conversation_id: ID,
            epoch: epoch("e1"),
            events: events.collect(),
        };
        self.history.record(&[new]).await;
    }

    fn later(&self) {
        self.clock.0.fetch_add(THERE_FOR_MS, Ordering::Relaxed);
    }

    /// What a reader is shown at `seq`, and how much was asked of the cache for it.
    async fn shown(&self, seq: i64, limit: i64) -> (Option<Vec<i64>>, Vec<i64>) {
        let page = async {
            let mut recent = self.history.read(ID, limit).await?;
            self.history.page(&mut recent, &at(seq), limit).await
        };
        let seqs = page.await.map(|page| {
            let messages: Vec<Message> = serde_json::from_str(page.messages.get()).unwrap();
            messages.iter().map(|message| message.seq.0).collect()
        });
        (seqs, std::mem::take(&mut *self.cache.asked.lock().unwrap()))
    }
}

fn run(from: i64, to: i64) -> Vec<i64> {
    (from..=to).collect()
}

#[tokio::test]
async fn only_what_is_new_since_a_proof_is_asked_of_the_cache() {
    let world = Watched::new();
    world.record(1..=50).await;
    assert_eq!(world.shown(50, 20).await, (Some(run(31, 50)), vec![20]));
    world.later();
    assert_eq!(world.shown(50, 20).await, (Some(run(31, 50)), vec![8]));
    world.record(51..=58).await;
    world.later();
    assert_eq!(world.shown(58, 20).await, (Some(run(39, 58)), vec![8]));
    // One more than that is found by asking again.
    world.record(59..=67).await;
    world.later();
    assert_eq!(world.shown(67, 20).await, (Some(run(48, 67)), vec![8, 20]));
    // A message that the cache was never told of is not jumped over.
    world.record(69..=70).await;
    world.later();
    assert_eq!(world.shown(70, 20).await, (None, vec![8, 20]));
}

#[tokio::test]
async fn a_cache_that_has_just_answered_is_not_asked_for_a_page_known_by_heart() {
    let world = Watched::new();
    world.record(1..=50).await;
    assert_eq!(world.shown(50, 20).await, (Some(run(31, 50)), vec![20]));
    assert_eq!(world.shown(50, 20).await, (Some(run(31, 50)), vec![]));
    assert_eq!(world.shown(50, 7).await.1, [7], "another page");
    // Where the conversation has moved on, it is asked all the same, and again if need be.
    world.record(51..=52).await;
    assert_eq!(world.shown(52, 20).await, (Some(run(33, 52)), vec![8]));
    world.record(53..=67).await;
    assert_eq!(world.shown(67, 20).await, (Some(run(48, 67)), vec![8, 20]));
    // Whether it is there is found out in time, and at once when anybody finds it away.
    world.cache.away.store(true, Ordering::Relaxed);
    assert_eq!(world.shown(67, 20).await, (Some(run(48, 67)), vec![]));
    world.later();
    assert_eq!(world.shown(67, 20).await, (None, vec![8]));
    world.cache.away.store(false, Ordering::Relaxed);
    assert_eq!(world.shown(67, 20).await, (Some(run(48, 67)), vec![8]));
    world.cache.away.store(true, Ordering::Relaxed);
    world.record(68..=68).await;
    assert_eq!(world.shown(67, 20).await, (None, vec![8]));
}
