use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;

use super::*;
use crate::ports::{CacheError, CacheKind};

const LIMITS: AttemptLimits = AttemptLimits {
    logins_per_account: 3,
    logins_per_address: 5,
    registrations_per_address: 2,
    window: Seconds(300),
    throttle_ms: 1_500,
};
const NOW: Timestamp = Timestamp(1_800_000_000_000);

/// The three commands a limiter needs, and nothing else.
#[derive(Default)]
struct Counters {
    counts: Mutex<HashMap<String, i64>>,
    pipelines: Mutex<Vec<Vec<CacheCommand>>>,
    away: AtomicBool,
    endless: AtomicBool,
}

#[async_trait]
impl Cache for Counters {
    async fn pipeline(&self, commands: Vec<CacheCommand>) -> Result<Vec<CacheReply>, CacheError> {
        if self.away.load(Ordering::Relaxed) {
            return Err(CacheError("away".to_owned()));
        }
        self.pipelines.lock().unwrap().push(commands.clone());
        let mut counts = self.counts.lock().unwrap();
        let reply = |command| match command {
            CacheCommand::SetNx { key, .. } => {
                counts.entry(key).or_insert(0);
                CacheReply::Done
            }
            CacheCommand::Incr { key } => {
                let count = counts.entry(key).or_insert(0);
                *count += 1;
                CacheReply::Integer(*count)
            }
            CacheCommand::Decr { key } => {
                let count = counts.entry(key).or_insert(0);
                *count -= 1;
                CacheReply::Integer(*count)
            }
            CacheCommand::Ttl { .. } => {
                CacheReply::Integer(if self.endless.load(Ordering::Relaxed) {
                    -1
                } else {
                    120
                })
            }
            CacheCommand::Del { key } => {
                counts.remove(&key);
                CacheReply::Done
            }
            _ => CacheReply::Done,
        };
        Ok(commands.into_iter().map(reply).collect())
    }

    fn kind(&self) -> CacheKind {
        CacheKind::InProcess
    }
}

fn limiter() -> (Arc<Counters>, Attempts) {
    let cache = Arc::new(Counters::default());
    (Arc::clone(&cache), Attempts::new(cache, LIMITS, [7; 32]))
}

#[expect(clippy::unnecessary_wraps, reason = "as the limiter takes it")]
fn address(text: &str) -> Option<IpAddr> {
    Some(text.parse().unwrap())
}

#[tokio::test]
async fn an_account_has_its_share_whatever_its_case_and_whoever_asks() {
    let (_, attempts) = limiter();
    for (name, from) in [
        ("ann", "10.0.0.1"),
        ("Ann", "10.0.0.2"),
        ("ANN", "10.0.0.3"),
    ] {
        assert_eq!(attempts.log_in(name, address(from), NOW).await, Ok(()));
    }
    let refused = attempts.log_in("ann", address("10.0.0.4"), NOW).await;
    assert_eq!(
        refused,
        Err(TooManyAttempts {
            retry_after: Seconds(120)
        })
    );
    assert_eq!(
        attempts.log_in("bob", address("10.0.0.1"), NOW).await,
        Ok(())
    );
    attempts.logged_in("ann").await;
    assert_eq!(
        attempts.log_in("ann", address("10.0.0.4"), NOW).await,
        Ok(())
    );
}

#[tokio::test]
async fn an_address_has_its_share_whatever_the_account() {
    let (_, attempts) = limiter();
    for account in 0..5 {
        let from = address(&format!("2001:db8::{account}"));
        assert_eq!(
            attempts.log_in(&format!("user{account}"), from, NOW).await,
            Ok(())
        );
    }
    assert!(
        attempts
            .log_in("user9", address("2001:db8::ffff"), NOW)
            .await
            .is_err()
    );
    assert!(
        attempts
            .log_in("user9", address("2001:db8:0:1::1"), NOW)
            .await
            .is_ok()
    );
    for _ in 0..2 {
        assert_eq!(attempts.register(address("10.0.0.1"), NOW).await, Ok(()));
    }
    assert!(
        attempts
            .register(address("::ffff:10.0.0.1"), NOW)
            .await
            .is_err()
    );
}

/// 1.5 seconds each, so ten in fifteen seconds.
#[tokio::test]
async fn a_user_has_a_share_of_edits_in_each_conversation() {
    let (cache, attempts) = limiter();
    let (ann, here) = (UserId(1), ConversationId(7));
    for _ in 0..10 {
        assert_eq!(attempts.edit(ann, here, NOW).await, Ok(()));
    }
    let refused = attempts.edit(ann, here, NOW).await.unwrap_err();
    assert_eq!(refused.retry_after, Seconds(120), "as the cache says");
    assert!(attempts.edit(ann, ConversationId(8), NOW).await.is_ok());
    assert!(attempts.edit(UserId(2), here, NOW).await.is_ok());
    let begun = CacheCommand::SetNx {
        key: attempts.key("edit", "1 7"),
        seconds: 15,
    };
    assert_eq!(cache.pipelines.lock().unwrap()[0][0], begun);
    let unlimited = AttemptLimits {
        throttle_ms: 0,
        ..LIMITS
    };
    let attempts = Attempts::new(cache, unlimited, [7; 32]);
    for _ in 0..100 {
        assert_eq!(attempts.edit(ann, here, NOW).await, Ok(()));
    }
}

#[tokio::test]
async fn all_keys_go_in_one_pipeline_and_show_nothing() {
    let (cache, attempts) = limiter();
    attempts
        .log_in("secretive", address("198.51.100.77"), NOW)
        .await
        .unwrap();
    let pipelines = cache.pipelines.lock().unwrap();
    assert_eq!((pipelines.len(), pipelines[0].len()), (1, 6));
    let text = format!("{pipelines:?}");
    assert!(
        !text.contains("secretive") && !text.contains("198.51.100.77"),
        "{text}"
    );
}

#[tokio::test]
async fn without_the_cache_attempts_are_still_counted() {
    let (cache, attempts) = limiter();
    cache.away.store(true, Ordering::Relaxed);
    for _ in 0..3 {
        assert_eq!(attempts.log_in("ann", None, NOW).await, Ok(()));
    }
    let refused = attempts.log_in("ann", None, NOW).await.unwrap_err();
    assert!((1..=301).contains(&refused.retry_after.0));
    assert_eq!(
        attempts.log_in("ann", None, NOW.plus(Seconds(300))).await,
        Ok(())
    );
}

#[tokio::test]
async fn counters_of_this_process_are_bounded() {
    let (cache, attempts) = limiter();
    cache.away.store(true, Ordering::Relaxed);
    for _ in 0..3 {
        attempts.log_in("ann", None, NOW).await.unwrap();
    }
    for account in 0..2 * MAX_LOCAL_COUNTERS {
        let _ = attempts.log_in(&format!("user{account}"), None, NOW).await;
    }
    assert!(attempts.local.lock().unwrap().len() <= MAX_LOCAL_COUNTERS);
    assert!(
        attempts.log_in("ann", None, NOW).await.is_err(),
        "a flood of keys reset a counter"
    );
}

#[tokio::test]
async fn a_counter_without_an_end_is_given_one() {
    let (cache, attempts) = limiter();
    cache.endless.store(true, Ordering::Relaxed);
    attempts.register(address("10.0.0.1"), NOW).await.unwrap();
    let pipelines = cache.pipelines.lock().unwrap();
    assert!(matches!(
        pipelines[1][..],
        [CacheCommand::Expire { seconds: 300, .. }]
    ));
}

#[tokio::test]
async fn nought_is_no_limit() {
    let cache = Arc::new(Counters::default());
    let limits = AttemptLimits {
        logins_per_account: 0,
        logins_per_address: 0,
        ..LIMITS
    };
    let attempts = Attempts::new(Arc::clone(&cache) as Arc<dyn Cache>, limits, [7; 32]);
    for _ in 0..50 {
        attempts
            .log_in("ann", address("10.0.0.1"), NOW)
            .await
            .unwrap();
    }
    assert!(cache.pipelines.lock().unwrap().is_empty());
}
