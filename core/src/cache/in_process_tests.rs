//! The in-process cache: Redis' semantics and the memory limit.

use std::sync::atomic::{AtomicI64, Ordering};

use super::*;

/// A clock set by the test.
#[derive(Default)]
pub(in crate::cache) struct ManualClock(pub(in crate::cache) AtomicI64);

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::Relaxed))
    }
}

fn cache(capacity: usize) -> (Arc<ManualClock>, InProcess) {
    let clock = Arc::new(ManualClock::default());
    (clock.clone(), InProcess::new(clock, capacity))
}

async fn run(cache: &InProcess, command: CacheCommand) -> CacheReply {
    cache.pipeline(vec![command]).await.unwrap().remove(0)
}

fn add(key: &str, entries: &[(i64, &str)]) -> CacheCommand {
    let entries = entries
        .iter()
        .map(|(score, member)| (*score, Arc::from(*member)))
        .collect();
    CacheCommand::ZAdd {
        key: key.to_owned(),
        entries,
    }
}

async fn top(cache: &InProcess, key: &str, count: i64) -> Vec<String> {
    match run(
        cache,
        CacheCommand::ZTop {
            key: key.to_owned(),
            count,
        },
    )
    .await
    {
        CacheReply::Members(members) => members.iter().map(ToString::to_string).collect(),
        other => panic!("{other:?}"),
    }
}

async fn integer(cache: &InProcess, command: CacheCommand) -> i64 {
    match run(cache, command).await {
        CacheReply::Integer(value) => value,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn sets_are_sorted_deduplicated_and_trimmed_from_below() {
    let (_, cache) = cache(InProcess::DEFAULT_CAPACITY);
    run(&cache, add("a", &[(10, "ten"), (9, "nine")])).await;
    run(
        &cache,
        add("a", &[(11, "eleven"), (10, "ten"), (10, "other")]),
    )
    .await;
    assert_eq!(
        top(&cache, "a", 10).await,
        ["nine", "other", "ten", "eleven"]
    );
    assert_eq!(top(&cache, "a", 2).await, ["ten", "eleven"]);
    run(
        &cache,
        CacheCommand::ZTrim {
            key: "a".to_owned(),
            count: 1,
        },
    )
    .await;
    assert_eq!(top(&cache, "a", 10).await, ["eleven"]);
    run(
        &cache,
        CacheCommand::ZTrim {
            key: "a".to_owned(),
            count: 0,
        },
    )
    .await;
    assert_eq!(
        integer(
            &cache,
            CacheCommand::Ttl {
                key: "a".to_owned()
            }
        )
        .await,
        -2
    );
}

#[tokio::test]
async fn counters_reset_at_their_expiry() {
    let (clock, cache) = cache(InProcess::DEFAULT_CAPACITY);
    let key = || "c".to_owned();
    for expected in 1..=3 {
        run(
            &cache,
            CacheCommand::SetNx {
                key: key(),
                seconds: 60,
            },
        )
        .await;
        assert_eq!(
            integer(&cache, CacheCommand::Incr { key: key() }).await,
            expected
        );
    }
    assert_eq!(integer(&cache, CacheCommand::Decr { key: key() }).await, 2);
    clock.0.store(59_000, Ordering::Relaxed);
    assert_eq!(integer(&cache, CacheCommand::Ttl { key: key() }).await, 1);
    clock.0.store(60_000, Ordering::Relaxed);
    assert_eq!(integer(&cache, CacheCommand::Ttl { key: key() }).await, -2);
    assert_eq!(integer(&cache, CacheCommand::Incr { key: key() }).await, 1);
    assert_eq!(integer(&cache, CacheCommand::Ttl { key: key() }).await, -1);
    run(
        &cache,
        CacheCommand::Expire {
            key: key(),
            seconds: 5,
        },
    )
    .await;
    assert_eq!(integer(&cache, CacheCommand::Ttl { key: key() }).await, 5);
    run(&cache, CacheCommand::Del { key: key() }).await;
    assert_eq!(integer(&cache, CacheCommand::Ttl { key: key() }).await, -2);
}

#[tokio::test]
async fn command_on_a_key_of_another_type_is_an_error() {
    let (_, cache) = cache(InProcess::DEFAULT_CAPACITY);
    run(&cache, add("a", &[(1, "one")])).await;
    assert!(
        cache
            .pipeline(vec![CacheCommand::Incr {
                key: "a".to_owned()
            }])
            .await
            .is_err()
    );
}

#[tokio::test]
async fn least_recently_used_key_is_evicted_first() {
    let (_, cache) = cache(3 * (KEY_OVERHEAD + 1 + MEMBER_OVERHEAD + 100));
    let text = "x".repeat(100);
    for key in ["a", "b", "c"] {
        run(&cache, add(key, &[(1, &text)])).await;
    }
    top(&cache, "a", 1).await;
    run(&cache, add("d", &[(1, &text)])).await;
    let mut present = Vec::new();
    for key in ["a", "b", "c", "d"] {
        present.push(top(&cache, key, 1).await.len());
    }
    assert_eq!(present, [1, 0, 1, 1]);
}

#[tokio::test]
async fn byte_count_matches_the_entries_after_any_commands() {
    let (clock, cache) = cache(20_000);
    let mut x = 1_u64;
    for round in 0..20_000_i64 {
        x = x
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let key = format!("k{}", (x >> 33) % 40);
        let command = match (x >> 50) % 6 {
            0 => CacheCommand::Del { key },
            1 => CacheCommand::Expire { key, seconds: 3 },
            2 => CacheCommand::ZTrim { key, count: 2 },
            3 => CacheCommand::ZTop { key, count: 5 },
            _ => add(
                &key,
                &[(round % 7, &"y".repeat(usize::try_from(x >> 56).unwrap()))],
            ),
        };
        run(&cache, command).await;
        clock.0.fetch_add(100, Ordering::Relaxed);
        let keys = cache.keys.lock().unwrap();
        // INVARIANT: the byte count is the sum over all entries, and never above the limit.
        assert_eq!(
            keys.bytes,
            keys.entries
                .values()
                .map(|entry| entry.bytes)
                .sum::<usize>()
        );
        assert!(keys.bytes <= 20_000);
        assert_eq!(keys.entries.len(), keys.by_last_use.len());
    }
    clock.0.fetch_add(10_000_000, Ordering::Relaxed);
    for key in 0..40 {
        run(
            &cache,
            CacheCommand::Del {
                key: format!("k{key}"),
            },
        )
        .await;
    }
    assert_eq!(cache.keys.lock().unwrap().bytes, 0);
}
