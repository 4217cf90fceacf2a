//! [`CachedEvents::prove_complete`] case by case; races are in `interleaving_tests`.

use super::*;
use crate::cache::InProcess;
use crate::cache::in_process::tests::ManualClock;
use crate::cache::interleaving_tests::FixedClock;
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

fn stored(epoch_name: &str, n: i64, text: &str) -> Arc<str> {
    encode_member(
        &epoch(epoch_name),
        &Event::Message(message(n, text).into()).encode(),
    )
}

fn cached(seqs: impl IntoIterator<Item = i64>) -> CachedEvents {
    CachedEvents {
        conversation_id: ID,
        members: Some(seqs.into_iter().map(|n| stored("e1", n, "hi")).collect()),
        requested: 100,
        verified: None,
    }
}

fn proven(cached: &CachedEvents, seq: i64, limit: i64) -> Option<Vec<i64>> {
    let history = cached.prove_complete(&at(seq), limit)?;
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
fn dense_run_to_the_limit_or_the_first_message_is_complete() {
    assert_eq!(proven(&cached(1..=3), 3, 100), Some(vec![1, 2, 3]));
    assert_eq!(proven(&cached(1..=9), 9, 2), Some(vec![8, 9]));
    assert_eq!(proven(&cached(5..=9), 9, 5), Some(vec![5, 6, 7, 8, 9]));
    assert_eq!(
        proven(&cached([]), 0, 100),
        Some(vec![]),
        "an empty conversation"
    );
}

#[test]
fn short_or_gapped_run_is_incomplete() {
    assert_eq!(proven(&cached([]), 3, 100), None, "evicted");
    assert_eq!(
        proven(&cached(1..=3), 4, 100),
        None,
        "the newest is missing"
    );
    assert_eq!(proven(&cached([1, 2, 4]), 4, 100), None, "a write was lost");
    assert_eq!(
        proven(&cached(5..=9), 9, 6),
        None,
        "older ones were trimmed"
    );
}

#[test]
fn events_after_the_position_are_included_while_dense() {
    assert_eq!(proven(&cached(1..=5), 3, 2), Some(vec![4, 5]));
    assert_eq!(proven(&cached([1, 2, 3, 5]), 3, 2), Some(vec![2, 3]));
    assert_eq!(proven(&cached([1, 2]), 0, 2), Some(vec![1, 2]));
    assert_eq!(proven(&cached([2]), 0, 2), Some(vec![]));
}

#[test]
fn duplicates_count_once_and_contradictions_void_the_set() {
    let twice = |text: &str| CachedEvents {
        conversation_id: ID,
        members: Some(vec![stored("e1", 1, "hi"), stored("e1", 1, text)]),
        requested: 100,
        verified: None,
    };
    assert_eq!(proven(&twice("hi"), 1, 1), Some(vec![1]));
    assert_eq!(proven(&twice("ho"), 1, 1), None);
}

#[test]
fn one_foreign_or_malformed_member_voids_the_set() {
    for foreign in [
        stored("e2", 1, "hi"),
        "garbage".into(),
        "e1 {}".into(),
        "".into(),
    ] {
        let mut cached = cached(1..=3);
        cached.members.as_mut().unwrap().insert(0, foreign.clone());
        assert_eq!(proven(&cached, 3, 2), None, "{foreign}");
    }
}

/// An edit of the message with `seq` 1.
fn edit(seq: i64, version: i64, text: &str) -> Arc<str> {
    let event = Event::Edited(EditedEvent {
        seq: Seq(seq),
        message_id: MessageId(10),
        message: text.into(),
        version,
        user_id: UserId(1),
        timestamp: Timestamp(seq),
    });
    encode_member(&epoch("e1"), &event.encode())
}

fn deletion(seq: i64, version: i64) -> Arc<str> {
    let event = Event::Deleted(DeletedEvent {
        seq: Seq(seq),
        message_id: MessageId(10),
        version,
        user_id: UserId(1),
        timestamp: Timestamp(seq),
    });
    encode_member(&epoch("e1"), &event.encode())
}

/// Version and text of the message with `seq` 1 on a proven page at `seq`.
fn proven_message(members: &[Arc<str>], seq: i64) -> Option<(i64, String)> {
    let cached = CachedEvents {
        members: Some(members.to_vec()),
        ..cached([])
    };
    let position = Position {
        number: MessageNumber(1),
        ..at(seq)
    };
    let history = cached.prove_complete(&position, 100)?;
    assert_eq!(history.position, position);
    let [message] = &*history.messages else {
        panic!("{history:?}");
    };
    Some((message.version, message.content.to_string()))
}

#[test]
fn edits_and_deletions_are_applied_to_the_page() {
    let sent = stored("e1", 1, "hi");
    let expected = |version, text: &str| Some((version, text.to_owned()));
    assert_eq!(
        proven_message(&[sent.clone(), edit(2, 2, "ho")], 2),
        expected(2, "ho")
    );
    let all = [sent.clone(), edit(2, 2, "ho"), deletion(3, 3)];
    assert_eq!(proven_message(&all, 3), expected(3, ""));
    // The missing event may have changed the message.
    assert_eq!(proven_message(&[sent.clone(), deletion(3, 3)], 3), None);
    // Read later, the database returns the first edit with the text of the second.
    let read_later = [sent, edit(2, 3, "hey"), edit(3, 3, "hey")];
    assert_eq!(proven_message(&read_later, 3), expected(3, "hey"));
}

#[test]
fn later_version_of_the_same_event_is_used() {
    let mut later = message(1, "ho");
    later.version = 2;
    let later = encode_member(&epoch("e1"), &Event::Message(later.into()).encode());
    let sent = stored("e1", 1, "hi");
    for pair in [[sent.clone(), later.clone()], [later, sent]] {
        let [one, other] = pair;
        let members = [one, other, edit(2, 2, "ho")];
        assert_eq!(proven_message(&members, 2), Some((2, "ho".to_owned())));
    }
    // Two texts of one version contradict each other.
    let twice = [stored("e1", 1, "hi"), edit(2, 2, "ho"), edit(2, 2, "hey")];
    assert_eq!(proven_message(&twice, 2), None);
}

#[tokio::test]
async fn more_events_are_requested_when_edits_fill_the_page() {
    let clock = Arc::new(FixedClock);
    let history = RecentHistory::new(Arc::new(InProcess::new(clock.clone(), 1 << 20)), clock);
    let sent = stored("e1", 1, "hi");
    let edits = (2..=9).map(|seq| edit(seq, seq, "another"));
    let entries = std::iter::once((1, sent)).chain((2..).zip(edits));
    let mut commands = Vec::new();
    push_add(&mut commands, ID, entries.collect());
    history.run(commands).await.expect("available");
    let position = Position {
        number: MessageNumber(1),
        ..at(9)
    };
    let mut cached = history.read(ID, 3).await.expect("available");
    let page = history.page(&mut cached, &position, 3).await;
    let page = page.expect("a complete page");
    assert!(page.messages.get().contains("another"));
    assert_eq!(cached.requested, MAX_CACHED_EVENTS);
}

/// Returns fixed replies and records the calls.
struct Scripted(
    std::sync::Mutex<Vec<Vec<CacheCommand>>>,
    Option<Vec<CacheReply>>,
);

#[async_trait::async_trait]
impl Cache for Scripted {
    async fn pipeline(&self, commands: Vec<CacheCommand>) -> Result<Vec<CacheReply>, CacheError> {
        self.0.lock().unwrap().push(commands);
        self.1
            .clone()
            .ok_or_else(|| CacheError("unavailable".to_owned()))
    }

    fn kind(&self) -> CacheKind {
        CacheKind::Redis
    }
}

#[tokio::test]
async fn writes_are_one_pipeline_and_a_fill_clears_a_voided_set() {
    let cache = Arc::new(Scripted(std::sync::Mutex::default(), Some(Vec::new())));
    let history = RecentHistory::new(cache.clone(), Arc::new(FixedClock));
    let page = [Event::Message(message(1, "hi").into())];
    history.fill(&cached([]), &epoch("e1"), &page).await;
    let foreign = CachedEvents {
        members: Some(vec![stored("e0", 7, "old")]),
        ..cached([])
    };
    history.fill(&foreign, &epoch("e1"), &page).await;
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
                count: MAX_CACHED_EVENTS,
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
async fn fill_adds_only_missing_events() {
    let page = History {
        messages: (1..=4).map(|n| message(n, "hi")).collect(),
        position: at(4),
    };
    let contradicting = CachedEvents {
        members: Some(vec![stored("e1", 1, "hi"), stored("e1", 2, "ho")]),
        ..cached([])
    };
    let verified = VerifiedPage {
        page: RenderedPage::of(&page).expect("a page"),
        messages: page.messages.clone().into(),
    };
    // Verified before; the cache may have lost it since.
    let memoized = CachedEvents {
        members: None,
        verified: Some(verified),
        ..cached([])
    };
    for (before, expected) in [
        (cached([2, 3]), vec![1, 4]),
        (contradicting, vec![2, 3, 4]),
        (memoized, vec![1, 2, 3, 4]),
        (cached(1..=4), vec![]),
    ] {
        let cache = Arc::new(Scripted(std::sync::Mutex::default(), Some(Vec::new())));
        let history = RecentHistory::new(cache.clone(), Arc::new(FixedClock));
        let messages = page.messages.iter().cloned();
        let events: Vec<Event> = messages.map(|m| Event::Message(m.into())).collect();
        history.fill(&before, &epoch("e1"), &events).await;
        let calls = cache.0.lock().unwrap();
        let added = calls.iter().flatten().filter_map(|command| match command {
            CacheCommand::ZAdd { entries, .. } => Some(entries),
            _ => None,
        });
        let seqs: Vec<i64> = added.flatten().map(|(seq, _)| *seq).collect();
        assert_eq!(seqs, expected, "{before:?}");
    }
}

#[tokio::test]
async fn unavailable_cache_is_no_error() {
    let history = RecentHistory::new(
        Arc::new(Scripted(std::sync::Mutex::default(), None)),
        Arc::new(FixedClock),
    );
    assert!(history.read(ID, 100).await.is_none());
    history.record(&[new_events(ID, [1])]).await;
}

/// Events without content.
fn new_events<const N: usize>(conversation_id: ConversationId, seqs: [i64; N]) -> NewEvents {
    NewEvents {
        conversation_id,
        epoch: epoch("e1"),
        events: seqs.map(|seq| (Seq(seq), "{}".into())).into(),
    }
}

/// Records the counts of each read; fails while it is unavailable.
struct RecordingCache {
    inner: InProcess,
    requested: std::sync::Mutex<Vec<i64>>,
    unavailable: AtomicBool,
}

#[async_trait::async_trait]
impl Cache for RecordingCache {
    async fn pipeline(&self, commands: Vec<CacheCommand>) -> Result<Vec<CacheReply>, CacheError> {
        for command in &commands {
            if let CacheCommand::ZTop { count, .. } = command {
                self.requested.lock().unwrap().push(*count);
            }
        }
        if self.unavailable.load(Ordering::Relaxed) {
            return Err(CacheError("unavailable".to_owned()));
        }
        self.inner.pipeline(commands).await
    }

    fn kind(&self) -> CacheKind {
        CacheKind::Redis
    }
}

struct Fixture {
    history: RecentHistory,
    cache: Arc<RecordingCache>,
    clock: Arc<ManualClock>,
}

impl Fixture {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::default());
        let cache = Arc::new(RecordingCache {
            inner: InProcess::new(Arc::new(FixedClock), 1 << 20),
            requested: std::sync::Mutex::default(),
            unavailable: AtomicBool::new(false),
        });
        Self {
            history: RecentHistory::new(cache.clone(), clock.clone()),
            cache,
            clock,
        }
    }

    async fn record(&self, seqs: std::ops::RangeInclusive<i64>) {
        self.record_texts(seqs, "hi").await;
    }

    async fn record_texts(&self, seqs: std::ops::RangeInclusive<i64>, text: &str) {
        let events = seqs.map(|n| (Seq(n), Event::Message(message(n, text).into()).encode()));
        let new = NewEvents {
            conversation_id: ID,
            epoch: epoch("e1"),
            events: events.collect(),
        };
        self.history.record(&[new]).await;
    }

    /// Lets the liveness of the cache run out.
    fn later(&self) {
        self.clock.0.fetch_add(CACHE_LIVENESS_MS, Ordering::Relaxed);
    }

    /// The page read at `seq`, and the counts requested from the cache for it.
    async fn read(&self, seq: i64, limit: i64) -> (Option<Vec<i64>>, Vec<i64>) {
        let page = async {
            let mut cached = self.history.read(ID, limit).await?;
            self.history.page(&mut cached, &at(seq), limit).await
        };
        let seqs = page.await.map(|page| {
            let messages: Vec<Message> = serde_json::from_str(page.messages.get()).unwrap();
            messages.iter().map(|message| message.seq.0).collect()
        });
        (
            seqs,
            std::mem::take(&mut *self.cache.requested.lock().unwrap()),
        )
    }
}

fn run(from: i64, to: i64) -> Vec<i64> {
    (from..=to).collect()
}

#[tokio::test]
async fn only_events_after_a_verified_page_are_requested() {
    let fixture = Fixture::new();
    fixture.record(1..=50).await;
    assert_eq!(fixture.read(50, 20).await, (Some(run(31, 50)), vec![20]));
    fixture.later();
    assert_eq!(fixture.read(50, 20).await, (Some(run(31, 50)), vec![8]));
    fixture.record(51..=58).await;
    fixture.later();
    assert_eq!(fixture.read(58, 20).await, (Some(run(39, 58)), vec![8]));
    // More new events than that take a second request.
    fixture.record(59..=67).await;
    fixture.later();
    assert_eq!(fixture.read(67, 20).await, (Some(run(48, 67)), vec![8, 20]));
    // A message that was never written to the cache is not skipped.
    fixture.record(69..=70).await;
    fixture.later();
    assert_eq!(fixture.read(70, 20).await, (None, vec![8, 20]));
}

/// A text of which twenty reach the size of a page: `MAX_HISTORY_BYTES` is 20 × 24 KiB.
fn long_text() -> String {
    "x".repeat(24 * 1024 - 1024 - 2)
}

#[test]
fn messages_that_reach_the_size_of_a_page_are_a_complete_page() {
    let cached = |seqs: std::ops::RangeInclusive<i64>| CachedEvents {
        conversation_id: ID,
        members: Some(seqs.map(|n| stored("e1", n, &long_text())).collect()),
        requested: 100,
        verified: None,
    };
    assert_eq!(proven(&cached(1..=30), 30, 100), Some(run(11, 30)));
    assert_eq!(proven(&cached(11..=30), 30, 100), Some(run(11, 30)));
    assert_eq!(proven(&cached(12..=30), 30, 100), None);
    assert_eq!(proven(&cached(1..=30), 30, 19), Some(run(12, 30)));
    assert_eq!(proven(&cached(1..=19), 19, 100), Some(run(1, 19)));
}

#[tokio::test]
async fn size_of_a_page_bounds_pages_that_continue_a_verified_one() {
    let fixture = Fixture::new();
    fixture.record_texts(5..=30, &long_text()).await;
    assert_eq!(fixture.read(30, 100).await.0, Some(run(11, 30)));
    assert_eq!(fixture.read(30, 100).await.0, Some(run(11, 30)));
    // With a short message the page is not full with nineteen long ones.
    fixture.record(31..=31).await;
    assert_eq!(fixture.read(31, 100).await.0, Some(run(11, 31)));
    fixture.record_texts(32..=32, &long_text()).await;
    assert_eq!(fixture.read(32, 100).await.0, Some(run(12, 32)));
    // A deletion makes room for an older message, which only the cache has.
    let deleted = Event::Deleted(DeletedEvent {
        seq: Seq(33),
        message_id: MessageId(320),
        version: 2,
        user_id: UserId(1),
        timestamp: Timestamp(33),
    });
    let new = NewEvents {
        conversation_id: ID,
        epoch: epoch("e1"),
        events: vec![(Seq(33), deleted.encode())],
    };
    fixture.history.record(&[new]).await;
    fixture.later();
    assert_eq!(fixture.read(33, 100).await.0, Some(run(11, 32)));
}

#[tokio::test]
async fn live_cache_is_not_asked_for_a_memoized_page() {
    let fixture = Fixture::new();
    fixture.record(1..=50).await;
    assert_eq!(fixture.read(50, 20).await, (Some(run(31, 50)), vec![20]));
    assert_eq!(fixture.read(50, 20).await, (Some(run(31, 50)), vec![]));
    assert_eq!(fixture.read(50, 7).await.1, [7], "another page");
    // At a later position it is asked, and a second time if necessary.
    fixture.record(51..=52).await;
    assert_eq!(fixture.read(52, 20).await, (Some(run(33, 52)), vec![8]));
    fixture.record(53..=67).await;
    assert_eq!(fixture.read(67, 20).await, (Some(run(48, 67)), vec![8, 20]));
    // An outage is noticed after the liveness time, or at once when any request fails.
    fixture.cache.unavailable.store(true, Ordering::Relaxed);
    assert_eq!(fixture.read(67, 20).await, (Some(run(48, 67)), vec![]));
    fixture.later();
    assert_eq!(fixture.read(67, 20).await, (None, vec![8]));
    fixture.cache.unavailable.store(false, Ordering::Relaxed);
    assert_eq!(fixture.read(67, 20).await, (Some(run(48, 67)), vec![8]));
    fixture.cache.unavailable.store(true, Ordering::Relaxed);
    fixture.record(68..=68).await;
    assert_eq!(fixture.read(67, 20).await, (None, vec![8]));
}
