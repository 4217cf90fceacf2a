//! Limits of registrations, edits and requests, over counters in this process.

use std::sync::atomic::{AtomicI64, Ordering};

use super::*;
use crate::ports::Clock;
use colloquy_proto::domain::{Seconds, Timestamp};

pub(crate) const LIMITS: AttemptLimits = AttemptLimits {
    logins_per_account: 3,
    logins_per_address: 5,
    registrations_per_address: 2,
    window: Seconds(300),
    throttle_ms: 1_500,
    budget_factor: 1,
};

/// A clock set by the test.
#[derive(Debug)]
pub(crate) struct ManualClock(AtomicI64);

impl ManualClock {
    pub(crate) fn advance(&self, duration_ms: i64) {
        self.0.fetch_add(duration_ms, Ordering::Relaxed);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::Relaxed))
    }
}

pub(crate) fn limiter(limits: AttemptLimits) -> (Arc<ManualClock>, RateLimiter) {
    let clock = Arc::new(ManualClock(AtomicI64::new(1_800_000_000_000)));
    let counters = InProcessCounters::new(clock.clone(), 1_000);
    let limiter = RateLimiter::new(Arc::new(counters), clock.clone(), limits, [7; 32]);
    (clock, limiter)
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "the type of the limiter's argument"
)]
pub(crate) fn address(text: &str) -> Option<IpAddr> {
    Some(text.parse().unwrap())
}

const fn retry_after(retry_after_ms: i64) -> Result<(), TooManyAttempts> {
    Err(TooManyAttempts { retry_after_ms })
}

#[tokio::test]
async fn registrations_are_limited_per_network() {
    let (clock, limiter) = limiter(LIMITS);
    let register = async |from| limiter.check_registration(from).await;
    for _ in 0..2 {
        assert_eq!(register(address("10.0.0.1")).await, Ok(()));
    }
    let refused = retry_after(150_000);
    assert_eq!(register(address("::ffff:10.0.0.1")).await, refused);
    assert_eq!(register(address("10.0.0.2")).await, Ok(()));
    clock.advance(150_000);
    assert_eq!(register(address("10.0.0.1")).await, Ok(()));
    // Clients without a usable address share one bucket.
    for _ in 0..2 {
        assert_eq!(register(None).await, Ok(()));
    }
    assert_eq!(register(None).await, refused);
}

/// One per 1.5 seconds, ten at once.
#[tokio::test]
async fn edit_limit_is_per_user_and_conversation() {
    let (clock, throttled) = limiter(LIMITS);
    let (ann, conversation) = (UserId(1), ConversationId(7));
    for _ in 0..10 {
        assert_eq!(throttled.check_edit(ann, conversation).await, Ok(()));
    }
    clock.advance(500);
    let refused = throttled.check_edit(ann, conversation).await;
    assert_eq!(refused, retry_after(1_000));
    for (user, conversation) in [(ann, ConversationId(8)), (UserId(2), conversation)] {
        assert_eq!(throttled.check_edit(user, conversation).await, Ok(()));
    }
    let unlimited = AttemptLimits {
        throttle_ms: 0,
        ..LIMITS
    };
    let (_, unthrottled) = limiter(unlimited);
    for _ in 0..100 {
        assert_eq!(unthrottled.check_edit(ann, conversation).await, Ok(()));
    }
}

#[tokio::test]
async fn budgets_are_per_user_and_scaled_by_the_factor() {
    for (factor, burst) in [(1, 30), (2, 60)] {
        let (clock, limiter) = limiter(AttemptLimits {
            budget_factor: factor,
            ..LIMITS
        });
        let change = async |user| limiter.check_budget(Budget::Members, UserId(user)).await;
        for _ in 0..burst {
            assert_eq!(change(1).await, Ok(()));
        }
        assert_eq!(change(1).await, retry_after(2_000 / factor));
        assert_eq!(change(2).await, Ok(()));
        clock.advance(2_000 / factor);
        assert_eq!(change(1).await, Ok(()));
    }
    let (_, limiter) = limiter(AttemptLimits {
        budget_factor: 0,
        ..LIMITS
    });
    for budget in Budget::PER_USER {
        for _ in 0..2_000 {
            assert_eq!(limiter.check_budget(budget, UserId(1)).await, Ok(()));
        }
    }
}

#[test]
fn device_is_named_by_account_and_network() {
    let (_, limiter) = limiter(LIMITS);
    let device = |user, from| limiter.device(UserId(user), address(from)).unwrap();
    let known = device(1, "2001:db8::1");
    assert_eq!(known, device(1, "2001:db8::2"));
    assert_ne!(known, device(1, "2001:db8:0:1::1"));
    assert_ne!(known, device(2, "2001:db8::1"));
    assert_eq!(known.0.len(), 32);
    assert_eq!(limiter.device(UserId(1), None), None);
}
