//! Limits of logins: by address, by account and address, and by account.

use std::sync::atomic::{AtomicI64, Ordering};

use async_trait::async_trait;

use super::super::rate_limits::tests::{LIMITS, ManualClock, address, limiter};
use super::*;
use crate::config::AttemptLimits;
use crate::ports::Clock as _;

/// Records delays instead of waiting.
#[derive(Default)]
struct RecordingTimer(AtomicI64);

#[async_trait]
impl Timer for RecordingTimer {
    async fn sleep(&self, duration: Duration) {
        let millis = i64::try_from(duration.as_millis()).unwrap();
        self.0.fetch_add(millis, Ordering::Relaxed);
    }
}

struct Logins {
    clock: Arc<ManualClock>,
    limiter: RateLimiter,
    delays: LoginDelays,
    timer: Arc<RecordingTimer>,
}

impl Logins {
    fn new() -> Self {
        let (clock, limiter) = limiter(LIMITS);
        let timer = Arc::new(RecordingTimer::default());
        Self {
            clock,
            limiter,
            delays: LoginDelays::new(timer.clone()),
            timer,
        }
    }

    /// A guess from an address that is no known device.
    async fn guess(&self, username: &str, from: &str) -> Result<(), TooManyAttempts> {
        let attempt = self.limiter.login_attempt(username, address(from));
        let counted = self.limiter.count_login(&attempt).await?;
        self.delays
            .admit(&attempt, &counted, self.clock.now())
            .await
    }

    /// Guesses until the account is refused from new addresses too. Returns how many were possible.
    async fn guess_from_everywhere(&self, username: &str) -> i64 {
        let mut guesses = 0;
        for host in 0..250 {
            let from = format!("10.0.{}.{}", host / 250, host % 250 + 1);
            while self.guess(username, &from).await.is_ok() {
                guesses += 1;
                // The delay is waited out.
                self.clock.advance(self.timer.0.swap(0, Ordering::Relaxed));
            }
        }
        guesses
    }
}

#[tokio::test]
async fn failed_logins_are_limited_per_account_and_address() {
    let logins = Logins::new();
    for name in ["ann", "Ann", "ANN"] {
        assert_eq!(logins.guess(name, "10.0.0.1").await, Ok(()));
    }
    let refused = logins.guess("ann", "10.0.0.1").await.unwrap_err();
    assert_eq!(refused.retry_after_ms, 100_000);
    // Neither another address nor another account is affected.
    assert_eq!(logins.guess("ann", "10.0.0.2").await, Ok(()));
    assert_eq!(logins.guess("bob", "10.0.0.1").await, Ok(()));
    logins.clock.advance(100_000);
    assert_eq!(logins.guess("ann", "10.0.0.1").await, Ok(()));
}

#[tokio::test]
async fn address_limit_spans_accounts_and_spares_them_once_it_is_reached() {
    let logins = Logins::new();
    for account in 0..5 {
        let from = format!("2001:db8::{account}");
        let guess = logins.guess(&format!("user{account}"), &from).await;
        assert_eq!(guess, Ok(()));
    }
    for _ in 0..200 {
        let refused = logins.guess("user9", "2001:db8::ffff").await;
        assert!(refused.is_err());
    }
    for _ in 0..3 {
        assert_eq!(logins.guess("user9", "2001:db8:0:1::1").await, Ok(()));
    }
}

#[tokio::test]
async fn account_is_slowed_down_and_has_at_most_a_hundred_guesses_an_hour() {
    let logins = Logins::new();
    let started = logins.clock.now();
    let mut guesses = logins.guess_from_everywhere("ann").await;
    assert!(guesses >= ACCOUNT_BURST, "{guesses}");
    let slowed_ms = logins.clock.now().millis_since(started);
    assert!(slowed_ms > 60_000, "slowed down by {slowed_ms} ms only");
    // Every refusal names when the next guess is possible.
    let refused = logins.guess("ann", "10.9.9.9").await.unwrap_err();
    assert!((1..=ACCOUNT_INTERVAL_MS).contains(&refused.retry_after_ms));
    for minute in 0..60 {
        logins.clock.advance(60_000);
        let from = format!("10.8.0.{}", minute + 1);
        while logins.clock.now().millis_since(started) < 3_600_000
            && logins.guess("ann", &from).await.is_ok()
        {
            guesses += 1;
        }
    }
    assert!((95..=100).contains(&guesses), "{guesses}");
}

#[tokio::test]
async fn success_clears_only_the_counter_of_its_own_address() {
    let (_, limiter) = limiter(LIMITS);
    let attempt = |from| limiter.login_attempt("ann", address(from));
    for _ in 0..3 {
        limiter.count_login(&attempt("10.0.0.1")).await.unwrap();
    }
    let own = attempt("10.0.0.2");
    let counted = limiter.count_login(&own).await.unwrap();
    limiter.settle_login(&own, &counted).await;
    assert!(limiter.count_login(&attempt("10.0.0.1")).await.is_err());
    let counted = limiter.count_login(&own).await.unwrap();
    assert_eq!(counted.of_account, Ok(4), "three guesses and this one");
}

#[tokio::test]
async fn refunded_attempt_is_not_counted() {
    let logins = Logins::new();
    for _ in 0..10 {
        let attempt = logins.limiter.login_attempt("ann", address("10.0.0.1"));
        let counted = logins.limiter.count_login(&attempt).await.unwrap();
        logins.limiter.refund_login(&attempt, &counted).await;
    }
    assert_eq!(logins.guess("ann", "10.0.0.1").await, Ok(()));
}

#[tokio::test]
async fn number_of_delayed_attempts_is_bounded() {
    let (_, limiter) = limiter(LIMITS);
    let delays = LoginDelays::new(Arc::new(RecordingTimer::default()));
    let now = Timestamp(1_800_000_000_000);
    let admit = async |account: i64, now| {
        let attempt = limiter.login_attempt(&format!("user{account}"), None);
        let counted = CountedLogin {
            of_account: Ok(UNDELAYED + 5),
        };
        delays.admit(&attempt, &counted, now).await
    };
    for _ in 0..MAX_DELAYED_PER_ACCOUNT {
        assert_eq!(admit(0, now).await, Ok(()));
    }
    let refused = Err(TooManyAttempts {
        retry_after_ms: 500,
    });
    assert_eq!(admit(0, now).await, refused);
    assert_eq!(
        admit(1, now).await,
        Ok(()),
        "other accounts are not affected"
    );
    let mut admitted = 0;
    for account in 2..1_000 {
        admitted += usize::from(admit(account, now).await.is_ok());
    }
    assert_eq!(admitted, MAX_DELAYED - MAX_DELAYED_PER_ACCOUNT - 1);
    assert_eq!(admit(0, Timestamp(now.0 + 500)).await, Ok(()));
}

#[tokio::test]
async fn zero_means_no_limit() {
    let (_, limiter) = limiter(AttemptLimits {
        logins_per_account: 0,
        logins_per_address: 0,
        ..LIMITS
    });
    let attempt = limiter.login_attempt("ann", address("10.0.0.1"));
    for _ in 0..500 {
        let counted = limiter.count_login(&attempt).await.unwrap();
        assert_eq!(counted.of_account, Ok(0));
    }
}
