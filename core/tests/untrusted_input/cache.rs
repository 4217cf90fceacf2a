//! Cached events. A shared Redis may hold anything under this server's keys; a page read from it is
//! correct, or is not returned at all.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use colloquy_core::cache::{InProcess, RecentHistory, RenderedPage, redis_args};
use colloquy_core::ports::{Cache, CacheCommand, CacheError, CacheKind, CacheReply, Clock};
use colloquy_fuzz::{Rng, Target, arbitrary_text, for_all};
use colloquy_proto::domain::{
    ConversationId, Epoch, Message, MessageId, MessageNumber, Position, Seq, Timestamp, UserId,
};
use colloquy_proto::protocol::{
    DeletedEvent, EditedEvent, Event, MemberChange, MemberEvent, MessageEvent,
};
use futures_util::FutureExt as _;

use crate::tokens::NOW;

const ID: ConversationId = ConversationId(1);

/// A clock set by the test.
#[derive(Default)]
struct ManualClock(AtomicI64);

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::Relaxed))
    }
}

/// A cache with fixed members that ignores writes.
#[derive(Default)]
struct FixedCache(Mutex<Vec<Arc<str>>>);

#[async_trait]
impl Cache for FixedCache {
    async fn pipeline(&self, commands: Vec<CacheCommand>) -> Result<Vec<CacheReply>, CacheError> {
        let members = self.0.lock().expect("nothing panicked");
        let replies = commands.iter().map(|command| match command {
            CacheCommand::ZTop { count, .. } => {
                let count = usize::try_from(*count).expect("a count");
                let below = members.len().saturating_sub(count);
                CacheReply::Members(members[below..].to_vec())
            }
            _ => CacheReply::Done,
        });
        Ok(replies.collect())
    }

    fn kind(&self) -> CacheKind {
        CacheKind::Redis
    }
}

fn epoch() -> Epoch {
    Epoch("e1".into())
}

fn history_over(cache: &Arc<FixedCache>, clock: &Arc<ManualClock>) -> RecentHistory {
    let cache = Arc::clone(cache) as Arc<dyn Cache>;
    RecentHistory::new(cache, Arc::clone(clock) as Arc<dyn Clock>)
}

/// The page at this position, if the cached events prove one.
fn page(
    history: &RecentHistory,
    position: &Position,
    limit: i64,
) -> Option<(RenderedPage, Vec<Message>)> {
    let read = async {
        let mut cached = history.read(ID, limit).await?;
        let page = history.page(&mut cached, position, limit).await;
        if page.is_none() {
            history.fill(&cached, &position.epoch, &[]).await;
        }
        page
    };
    let page = read.now_or_never().expect("a cache that never waits")?;
    let messages = serde_json::from_str(page.messages.get()).expect("messages");
    Some((page, messages))
}

#[test]
fn cached_events() {
    let target = Target {
        name: "cached_events",
        corpus: include_str!("corpus/cached_events.txt"),
        words: &[
            "e1 ",
            "e2 ",
            "\n",
            "message",
            "message.edited",
            "message.deleted",
            "member",
            "seq",
            "number",
            "version",
            "message_id",
            "joined",
            "left",
            "null",
        ],
        cases: 2_000,
    };
    target.run(|input| {
        let text = String::from_utf8_lossy(input);
        let cache = Arc::new(FixedCache(Mutex::new(
            text.split('\n').map(Arc::from).collect(),
        )));
        let clock = Arc::new(ManualClock::default());
        let history = history_over(&cache, &clock);
        for (limit, seq) in [(1, 0), (1, 3), (50, 3), (50, 4), (50, i64::MAX)] {
            clock.0.fetch_add(1_000, Ordering::Relaxed);
            let position = Position {
                epoch: epoch(),
                seq: Seq(seq),
                number: MessageNumber(seq.min(3)),
            };
            if let Some((page, messages)) = page(&history, &position, limit) {
                assert_eq!(page.position.epoch, position.epoch);
                assert!(page.position.seq >= position.seq, "an older page");
                assert!(
                    i64::try_from(messages.len()).expect("few") <= limit,
                    "too many"
                );
            }
        }
    });
}

/// A conversation's dense events, and the texts of each message by version.
struct Timeline {
    events: Vec<Event>,
    texts: BTreeMap<MessageId, Vec<Arc<str>>>,
}

fn some_timeline(random: &mut Rng) -> Timeline {
    let mut timeline = Timeline {
        events: Vec::new(),
        texts: BTreeMap::new(),
    };
    let mut number = 0;
    for seq in 1..=random.i64(0..60) {
        let changed = MessageId(random.i64(1..=seq));
        let text: Arc<str> = arbitrary_text(random).into();
        let (seq, user_id, timestamp) = (Seq(seq), UserId(1), Timestamp(NOW.0 + seq));
        let kind = random.u8(0..8);
        let event = match (kind, timeline.texts.get_mut(&changed)) {
            (0 | 1, Some(texts)) => {
                let deletes = kind == 0;
                texts.push(if deletes {
                    Arc::default()
                } else {
                    text.clone()
                });
                let version = i64::try_from(texts.len()).expect("few");
                let message_id = changed;
                if deletes {
                    Event::Deleted(DeletedEvent {
                        seq,
                        message_id,
                        version,
                        user_id,
                        timestamp,
                    })
                } else {
                    let message = text;
                    Event::Edited(EditedEvent {
                        seq,
                        message_id,
                        message,
                        version,
                        user_id,
                        timestamp,
                    })
                }
            }
            (2, _) => Event::Member(MemberEvent {
                seq,
                user_id,
                username: text,
                change: MemberChange::Added,
                by: user_id,
                timestamp,
            }),
            _ => {
                number += 1;
                timeline.texts.insert(MessageId(seq.0), vec![text.clone()]);
                Event::Message(MessageEvent {
                    seq,
                    number: MessageNumber(number),
                    message_id: MessageId(seq.0),
                    message: text,
                    sender_id: user_id,
                    sender: "ann".into(),
                    timestamp,
                    client_message_id: None,
                    reply_to: None,
                    mentions: Vec::new(),
                    version: 1,
                })
            }
        };
        timeline.events.push(event);
    }
    timeline
}

impl Timeline {
    /// The messages at a position, each with its version there.
    fn at(&self, seq: Seq) -> Vec<(MessageId, i64)> {
        let mut messages: Vec<(MessageId, i64)> = Vec::new();
        for event in self.events.iter().take_while(|event| event.seq() <= seq) {
            let (id, version) = match event {
                Event::Message(message) => {
                    messages.push((message.message_id, 1));
                    continue;
                }
                Event::Edited(edited) => (edited.message_id, edited.version),
                Event::Deleted(deleted) => (deleted.message_id, deleted.version),
                Event::Member(_) => continue,
            };
            let mut found = messages.iter_mut();
            found.find(|(other, _)| *other == id).expect("a message").1 = version;
        }
        messages
    }

    /// The position after the first `seq` events.
    fn position(&self, seq: usize) -> Position {
        let messages = self
            .events
            .iter()
            .take(seq)
            .filter(|event| event.is_message());
        Position {
            epoch: epoch(),
            seq: Seq(i64::try_from(seq).expect("few")),
            number: MessageNumber(i64::try_from(messages.count()).expect("few")),
        }
    }

    /// An event as the cache may store it: a message may have its latest text.
    fn member(&self, random: &mut Rng, event: &Event) -> Arc<str> {
        let mut event = event.clone();
        if let Event::Message(message) = &mut event
            && random.u8(0..4) == 0
        {
            let texts = &self.texts[&message.message_id];
            message.message = texts.last().expect("a text").clone();
            message.version = i64::try_from(texts.len()).expect("few");
        }
        format!("e1 {}", event.encode()).into()
    }

    /// INVARIANT: a page has the newest messages of one moment, each with its text of that moment or a
    /// later one.
    fn check(&self, position: &Position, limit: i64, page: &RenderedPage, messages: &[Message]) {
        let top = page.position.seq;
        assert!(top >= position.seq, "an older page");
        assert!(
            top.0 <= i64::try_from(self.events.len()).expect("few"),
            "a position that does not exist"
        );
        let all = self.at(top);
        let below = all
            .len()
            .saturating_sub(usize::try_from(limit).expect("a limit"));
        let expected = &all[below..];
        let actual: Vec<MessageId> = messages.iter().map(|message| message.id).collect();
        let ids: Vec<MessageId> = expected.iter().map(|(id, _)| *id).collect();
        assert_eq!(actual, ids);
        for (message, (id, version)) in messages.iter().zip(expected) {
            assert!(message.version >= *version, "an older text");
            let index = usize::try_from(message.version - 1).expect("a version");
            assert_eq!(message.content, self.texts[id][index]);
        }
    }
}

/// Removes, duplicates or corrupts a member.
fn corrupt(random: &mut Rng, members: &mut Vec<Arc<str>>) {
    let index = random.usize(0..=members.len());
    let corrupted = match (random.u8(0..5), members.get(index)) {
        (0, Some(_)) => return drop(members.remove(index)),
        (1, Some(member)) => member.clone(),
        (2, Some(member)) => member.replacen("e1 ", "e2 ", 1).into(),
        (3, Some(member)) => member.get(..member.len() / 2).unwrap_or_default().into(),
        _ => arbitrary_text(random).into(),
    };
    members.insert(index, corrupted);
}

#[test]
fn cached_events_yield_correct_pages_or_none() {
    for_all("cached_events_yield_correct_pages_or_none", 400, |random| {
        let timeline = some_timeline(random);
        let (cache, clock) = (
            Arc::new(FixedCache::default()),
            Arc::new(ManualClock::default()),
        );
        let history = history_over(&cache, &clock);
        let (limit, intact) = (random.i64(1..30), random.bool());
        let mut from = 0;
        while from <= timeline.events.len() {
            let seq = from;
            // The cache may be ahead of the position.
            let cached = if intact {
                seq
            } else {
                random.usize(seq..=timeline.events.len())
            };
            let mut members: Vec<Arc<str>> = timeline.events[..cached]
                .iter()
                .map(|event| timeline.member(random, event))
                .collect();
            if !intact {
                (0..random.usize(0..4)).for_each(|_| corrupt(random, &mut members));
            }
            *cache.0.lock().expect("nothing panicked") = members;
            clock.0.fetch_add(random.i64(0..50), Ordering::Relaxed);
            let position = timeline.position(seq);
            match page(&history, &position, limit) {
                Some((page, messages)) => timeline.check(&position, limit, &page, &messages),
                None => assert!(!intact, "a complete set was not proven"),
            }
            from += random.usize(1..9);
        }
    });
}

/// A model of the Redis commands in use. <https://redis.io/docs/latest/commands/>
#[derive(Default)]
struct Redis {
    sets: BTreeMap<String, Vec<(i64, String)>>,
    expiries: BTreeMap<String, i64>,
}

impl Redis {
    fn run(&mut self, args: &[String], now_s: i64) -> CacheReply {
        let number = |arg: &String| -> i64 { arg.parse().expect("a number") };
        let expired: Vec<String> = self
            .expiries
            .iter()
            .filter(|(_, end)| **end <= now_s)
            .map(|(key, _)| key.clone())
            .collect();
        for key in &expired {
            self.delete(key);
        }
        let args: Vec<&String> = args.iter().collect();
        match (args[0].as_str(), &args[1..]) {
            ("PING", []) => CacheReply::Done,
            ("ZADD", [key, entries @ ..]) => {
                let set = self.sets.entry((*key).clone()).or_default();
                for pair in entries.chunks_exact(2) {
                    set.retain(|(_, member)| member != pair[1]);
                    set.push((number(pair[0]), pair[1].clone()));
                }
                set.sort();
                assert_eq!(entries.len() % 2, 0, "a score without a member");
                CacheReply::Done
            }
            ("ZREMRANGEBYRANK", [key, first, last]) => {
                let (set, range) = self.ranks(key, number(first), number(last));
                set.drain(range);
                if set.is_empty() {
                    self.delete(key);
                }
                CacheReply::Done
            }
            ("ZRANGE", [key, first, last]) => {
                let (set, range) = self.ranks(key, number(first), number(last));
                let members = set[range]
                    .iter()
                    .map(|(_, member)| member.as_str().into())
                    .collect();
                if set.is_empty() {
                    self.delete(key);
                }
                CacheReply::Members(members)
            }
            ("DEL", [key]) => {
                self.delete(key);
                CacheReply::Done
            }
            ("EXPIRE", [key, seconds]) => {
                if self.sets.contains_key(*key) {
                    self.expiries
                        .insert((*key).clone(), now_s + number(seconds));
                }
                CacheReply::Done
            }
            other => panic!("no such command: {other:?}"),
        }
    }

    fn delete(&mut self, key: &String) {
        self.sets.remove(key);
        self.expiries.remove(key);
    }

    /// A set, and the indices from one rank to another; negative ones count from the end.
    fn ranks(
        &mut self,
        key: &str,
        first: i64,
        last: i64,
    ) -> (&mut Vec<(i64, String)>, std::ops::Range<usize>) {
        let set = self.sets.entry(key.to_owned()).or_default();
        let length = i64::try_from(set.len()).expect("few");
        let from_end = |rank: i64| if rank < 0 { rank + length } else { rank };
        let first = from_end(first).max(0);
        let end = (from_end(last) + 1).min(length).max(first.min(length));
        let index = |rank: i64| usize::try_from(rank).expect("a rank");
        (set, index(first.min(length))..index(end))
    }
}

fn some_cache_command(random: &mut Rng) -> CacheCommand {
    let key = if random.bool() { "one" } else { "other" };
    let set = || key.to_owned();
    let small = random.i64(1..6);
    match random.u8(0..6) {
        0 | 1 => {
            let entries = (0..random.usize(1..4)).map(|_| {
                let member: Arc<str> = arbitrary_text(random).into();
                // A member always has the same score.
                (i64::try_from(member.len()).expect("short"), member)
            });
            CacheCommand::ZAdd {
                key: set(),
                entries: entries.collect(),
            }
        }
        2 => CacheCommand::ZTrim {
            key: set(),
            count: small - 1,
        },
        3 => CacheCommand::ZTop {
            key: set(),
            count: small - 1,
        },
        4 => CacheCommand::Del { key: set() },
        _ => CacheCommand::Expire {
            key: set(),
            seconds: small,
        },
    }
}

#[test]
fn redis_args_have_the_semantics_of_the_in_process_cache() {
    for_all(
        "redis_args_have_the_semantics_of_the_in_process_cache",
        3_000,
        |random| {
            let clock = Arc::new(ManualClock::default());
            let in_process = InProcess::new(
                Arc::clone(&clock) as Arc<dyn Clock>,
                InProcess::DEFAULT_CAPACITY,
            );
            let mut redis = Redis::default();
            for _ in 0..random.usize(1..30) {
                let command = some_cache_command(random);
                let now = clock
                    .0
                    .fetch_add(1_000 * random.i64(0..2), Ordering::Relaxed);
                let now = clock.now().0.max(now) / 1_000;
                let expected = redis.run(&redis_args(&command), now);
                let name = format!("{command:?}");
                let replies = in_process
                    .pipeline(vec![command])
                    .now_or_never()
                    .expect("no waiting");
                assert_eq!(replies.expect("of its type"), [expected], "{name}");
            }
        },
    );
}
