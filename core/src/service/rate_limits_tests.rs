//! Limits over a fake of the cache's counters.

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

/// Implements the commands of a limiter; expiry is fixed.
#[derive(Default)]
struct FakeCache {
    counts: Mutex<HashMap<String, i64>>,
    pipelines: Mutex<Vec<Vec<CacheCommand>>>,
    unavailable: AtomicBool,
    without_expiry: AtomicBool,
}

#[async_trait]
impl Cache for FakeCache {
    async fn pipeline(&self, commands: Vec<CacheCommand>) -> Result<Vec<CacheReply>, CacheError> {
        if self.unavailable.load(Ordering::Relaxed) {
            return Err(CacheError("unavailable".to_owned()));
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
                CacheReply::Integer(if self.without_expiry.load(Ordering::Relaxed) {
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

fn limiter() -> (Arc<FakeCache>, RateLimiter) {
    let cache = Arc::new(FakeCache::default());
    (Arc::clone(&cache), RateLimiter::new(cache, LIMITS, [7; 32]))
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "the type of the limiter's argument"
)]
fn address(text: &str) -> Option<IpAddr> {
    Some(text.parse().unwrap())
}

#[tokio::test]
async fn account_limit_ignores_case_and_address() {
    let (_, limiter) = limiter();
    for (name, client) in [
        ("ann", "10.0.0.1"),
        ("Ann", "10.0.0.2"),
        ("ANN", "10.0.0.3"),
    ] {
        assert_eq!(
            limiter.check_login(name, address(client), NOW).await,
            Ok(())
        );
    }
    let exceeded = limiter.check_login("ann", address("10.0.0.4"), NOW).await;
    assert_eq!(
        exceeded,
        Err(TooManyAttempts {
            retry_after: Seconds(120)
        })
    );
    assert_eq!(
        limiter.check_login("bob", address("10.0.0.1"), NOW).await,
        Ok(())
    );
    limiter.reset_login("ann").await;
    assert_eq!(
        limiter.check_login("ann", address("10.0.0.4"), NOW).await,
        Ok(())
    );
}

#[tokio::test]
async fn address_limit_spans_accounts() {
    let (_, limiter) = limiter();
    for account in 0..5 {
        let address = address(&format!("2001:db8::{account}"));
        assert_eq!(
            limiter
                .check_login(&format!("user{account}"), address, NOW)
                .await,
            Ok(())
        );
    }
    assert!(
        limiter
            .check_login("user9", address("2001:db8::ffff"), NOW)
            .await
            .is_err()
    );
    assert!(
        limiter
            .check_login("user9", address("2001:db8:0:1::1"), NOW)
            .await
            .is_ok()
    );
    for _ in 0..2 {
        assert_eq!(
            limiter.check_registration(address("10.0.0.1"), NOW).await,
            Ok(())
        );
    }
    assert!(
        limiter
            .check_registration(address("::ffff:10.0.0.1"), NOW)
            .await
            .is_err()
    );
}

/// One per 1.5 seconds, so ten in fifteen seconds.
#[tokio::test]
async fn edit_limit_is_per_user_and_conversation() {
    let (cache, limiter) = limiter();
    let (ann, conversation) = (UserId(1), ConversationId(7));
    for _ in 0..10 {
        assert_eq!(limiter.check_edit(ann, conversation, NOW).await, Ok(()));
    }
    let exceeded = limiter
        .check_edit(ann, conversation, NOW)
        .await
        .unwrap_err();
    assert_eq!(
        exceeded.retry_after,
        Seconds(120),
        "the TTL reported by the cache"
    );
    assert!(
        limiter
            .check_edit(ann, ConversationId(8), NOW)
            .await
            .is_ok()
    );
    assert!(
        limiter
            .check_edit(UserId(2), conversation, NOW)
            .await
            .is_ok()
    );
    let first_command = CacheCommand::SetNx {
        key: limiter.key("edit", "1 7"),
        seconds: 15,
    };
    assert_eq!(cache.pipelines.lock().unwrap()[0][0], first_command);
    let unlimited = AttemptLimits {
        throttle_ms: 0,
        ..LIMITS
    };
    let limiter = RateLimiter::new(cache, unlimited, [7; 32]);
    for _ in 0..100 {
        assert_eq!(limiter.check_edit(ann, conversation, NOW).await, Ok(()));
    }
}

#[tokio::test]
async fn counters_share_one_pipeline_and_reveal_no_name_or_address() {
    let (cache, limiter) = limiter();
    limiter
        .check_login("secretive", address("198.51.100.77"), NOW)
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
async fn attempts_are_counted_locally_while_the_cache_is_unavailable() {
    let (cache, limiter) = limiter();
    cache.unavailable.store(true, Ordering::Relaxed);
    for _ in 0..3 {
        assert_eq!(limiter.check_login("ann", None, NOW).await, Ok(()));
    }
    let exceeded = limiter.check_login("ann", None, NOW).await.unwrap_err();
    assert!((1..=301).contains(&exceeded.retry_after.0));
    assert_eq!(
        limiter
            .check_login("ann", None, NOW.plus(Seconds(300)))
            .await,
        Ok(())
    );
}

#[tokio::test]
async fn local_counters_are_bounded() {
    let (cache, limiter) = limiter();
    cache.unavailable.store(true, Ordering::Relaxed);
    for _ in 0..3 {
        limiter.check_login("ann", None, NOW).await.unwrap();
    }
    for account in 0..2 * MAX_LOCAL_COUNTERS {
        let _ = limiter
            .check_login(&format!("user{account}"), None, NOW)
            .await;
    }
    assert!(limiter.local.lock().unwrap().len() <= MAX_LOCAL_COUNTERS);
    assert!(
        limiter.check_login("ann", None, NOW).await.is_err(),
        "a flood of keys must not reset a counter"
    );
}

#[tokio::test]
async fn counter_without_expiry_gets_one() {
    let (cache, limiter) = limiter();
    cache.without_expiry.store(true, Ordering::Relaxed);
    limiter
        .check_registration(address("10.0.0.1"), NOW)
        .await
        .unwrap();
    let pipelines = cache.pipelines.lock().unwrap();
    assert!(matches!(
        pipelines[1][..],
        [CacheCommand::Expire { seconds: 300, .. }]
    ));
}

#[tokio::test]
async fn zero_means_no_limit() {
    let cache = Arc::new(FakeCache::default());
    let limits = AttemptLimits {
        logins_per_account: 0,
        logins_per_address: 0,
        ..LIMITS
    };
    let limiter = RateLimiter::new(Arc::clone(&cache) as Arc<dyn Cache>, limits, [7; 32]);
    for _ in 0..50 {
        limiter
            .check_login("ann", address("10.0.0.1"), NOW)
            .await
            .unwrap();
    }
    assert!(cache.pipelines.lock().unwrap().is_empty());
}
