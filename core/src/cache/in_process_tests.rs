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
        CacheReply::Done => panic!("no members"),
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
    assert!(cache.keys.lock().unwrap().entries.is_empty());
}

#[tokio::test]
async fn set_is_gone_at_its_expiry() {
    let (clock, cache) = cache(InProcess::DEFAULT_CAPACITY);
    let key = || "a".to_owned();
    let expire = |seconds| CacheCommand::Expire {
        key: key(),
        seconds,
    };
    run(&cache, expire(60)).await;
    run(&cache, add("a", &[(1, "one")])).await;
    clock.0.store(60_000, Ordering::Relaxed);
    assert_eq!(top(&cache, "a", 1).await, ["one"], "no set, no expiry");
    run(&cache, expire(60)).await;
    clock.0.store(119_999, Ordering::Relaxed);
    assert_eq!(top(&cache, "a", 1).await, ["one"]);
    clock.0.store(120_000, Ordering::Relaxed);
    assert!(top(&cache, "a", 1).await.is_empty());
    run(&cache, add("a", &[(2, "two")])).await;
    run(&cache, CacheCommand::Del { key: key() }).await;
    assert!(top(&cache, "a", 1).await.is_empty());
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
