//! Limits of logins: what an attempt is counted for, and what follows when a limit is reached.
//!
//! | counted for | limit | beyond it |
//! | --- | --- | --- |
//! | the client's address | `LOGIN_ATTEMPTS_PER_ADDRESS` per window | refused |
//! | account and address | `LOGIN_ATTEMPTS_PER_ACCOUNT` per window | refused |
//! | the account, from all addresses | 20 at once | delayed, longer and longer |
//! | | 100 an hour (OWASP ASVS 2.2.1) | refused |
//!
//! A known device, an address from which the account was used within 30 days, is exempt from the
//! limits of the account: an attacker elsewhere cannot lock out the owner. An attempt is counted
//! before its password is hashed. A successful login is not counted as a guess; it clears only the
//! counter of its own address, so that the owner's logins give an attacker elsewhere no more guesses.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::rate_limits::{RateLimiter, TooManyAttempts, network, whole};
use crate::ports::{Bucket, Charge, CounterKey, CounterKind, Returned, Timer};
use crate::unicode::username_key;
use colloquy_proto::domain::Timestamp;

/// The guesses of an account that are possible at once.
const ACCOUNT_BURST: i64 = 80;

/// Then 20 an hour: together at most 100 in any hour (OWASP ASVS 4.0.3, 2.2.1).
const ACCOUNT_INTERVAL_MS: i64 = 180_000;

/// The guesses of an account that are not delayed.
const UNDELAYED: i64 = 20;

/// How much longer each further attempt is delayed than the one before.
const DELAY_STEP_MS: i64 = 100;

/// The longest delay.
const MAX_DELAY_MS: i64 = 3_000;

/// The most attempts delayed at a time, of one account and in total. More are refused.
const MAX_DELAYED_PER_ACCOUNT: usize = 8;
const MAX_DELAYED: usize = 512;

/// What one login attempt is counted for.
pub(super) struct LoginAttempt {
    charges: Vec<Charge>,
    account: u64,
}

/// An attempt that the address may make.
pub(super) struct CountedLogin {
    /// The attempts counted for the account, or when there is room for another one.
    of_account: Result<i64, TooManyAttempts>,
}

impl RateLimiter {
    /// The counters of an attempt. All forms of a username log in to one account, so they have the
    /// same counters.
    pub(super) fn login_attempt(&self, username: &str, address: Option<IpAddr>) -> LoginAttempt {
        let account = self.hash("account", &username_key(username));
        let from = self.hash("address", &network(address));
        let mut charges = Vec::with_capacity(3);
        if let Some(bucket) = self.per_window(self.limits.logins_per_address) {
            let (kind, key) = (CounterKind::LoginAddress, whole(from));
            charges.push(Charge { kind, key, bucket });
        }
        if let Some(bucket) = self.per_window(self.limits.logins_per_account) {
            let key = CounterKey {
                partition: account,
                item: from,
            };
            charges.push(Charge {
                kind: CounterKind::LoginAccountAddress,
                key,
                bucket,
            });
            // The last one: it is charged only when the address may try at all.
            charges.push(Charge {
                kind: CounterKind::LoginAccount,
                key: whole(account),
                bucket: Bucket {
                    burst: ACCOUNT_BURST,
                    interval_ms: ACCOUNT_INTERVAL_MS,
                },
            });
        }
        LoginAttempt { charges, account }
    }

    /// Counts an attempt.
    ///
    /// # Errors
    /// [`TooManyAttempts`] when the address may not try, or not this account. The limit of the
    /// account is checked by [`Self::admit_login`], once it is known who asks.
    pub(super) async fn count_login(
        &self,
        attempt: &LoginAttempt,
    ) -> Result<CountedLogin, TooManyAttempts> {
        if attempt.charges.is_empty() {
            return Ok(CountedLogin { of_account: Ok(0) });
        }
        let charged = self.counters.charge(&attempt.charges).await;
        let of_account = match charged {
            // Without a limit per account the last counter is that of the address.
            Ok(used) if attempt.counts_account() => Ok(used),
            Ok(_) => Ok(0),
            Err(empty) if attempt.is_account(empty.index) => Err(empty.into()),
            Err(empty) => return Err(empty.into()),
        };
        Ok(CountedLogin { of_account })
    }

    /// Uncounts an attempt for which the password was not checked: an outage must not lock out its
    /// victims, and no password was guessed.
    pub(super) async fn refund_login(&self, attempt: &LoginAttempt, counted: &CountedLogin) {
        let returned = attempt.returned(counted, |_| Some(Returned::One));
        self.give_back(&returned).await;
    }

    /// Settles a successful login: frequent logins do not lock the owner out.
    pub(super) async fn settle_login(&self, attempt: &LoginAttempt, counted: &CountedLogin) {
        let returned = attempt.returned(counted, |kind| match kind {
            CounterKind::LoginAccountAddress => Some(Returned::All),
            CounterKind::LoginAccount => Some(Returned::One),
            _ => None,
        });
        self.give_back(&returned).await;
    }

    async fn give_back(&self, returned: &[(Charge, Returned)]) {
        if !returned.is_empty() {
            self.counters.give_back(returned).await;
        }
    }
}

impl LoginAttempt {
    fn is_account(&self, index: usize) -> bool {
        let charge = self.charges.get(index);
        charge.is_some_and(|charge| charge.kind == CounterKind::LoginAccount)
    }

    fn counts_account(&self) -> bool {
        self.is_account(self.charges.len().saturating_sub(1))
    }

    /// What is returned of the charges that were made.
    fn returned(
        &self,
        counted: &CountedLogin,
        of: impl Fn(CounterKind) -> Option<Returned>,
    ) -> Vec<(Charge, Returned)> {
        let was_made = |charge: &&Charge| {
            charge.kind != CounterKind::LoginAccount || counted.of_account.is_ok()
        };
        let made = self.charges.iter().filter(was_made);
        made.filter_map(|charge| Some((*charge, of(charge.kind)?)))
            .collect()
    }
}

/// Delays attempts on accounts that are being guessed. A delayed attempt holds no hashing capacity.
///
/// Its place is a time, not an entry to be freed: at the edge a cancelled request never runs again.
pub(super) struct LoginDelays {
    timer: Arc<dyn Timer>,
    /// When the delays end, by account.
    delayed: Mutex<HashMap<u64, Vec<Timestamp>>>,
}

impl LoginDelays {
    pub(super) fn new(timer: Arc<dyn Timer>) -> Self {
        Self {
            timer,
            delayed: Mutex::default(),
        }
    }

    /// Applies the limits of the account. Returns at once for an account that is not being guessed.
    ///
    /// # Errors
    /// [`TooManyAttempts`] when the account has had too many guesses, or too many wait already.
    pub(super) async fn admit(
        &self,
        attempt: &LoginAttempt,
        counted: &CountedLogin,
        now: Timestamp,
    ) -> Result<(), TooManyAttempts> {
        let delay_ms = delay_ms(counted.of_account?);
        if delay_ms == 0 {
            return Ok(());
        }
        if !self.reserve(attempt.account, delay_ms, now) {
            return Err(TooManyAttempts {
                retry_after_ms: delay_ms,
            });
        }
        let delay = Duration::from_millis(delay_ms.unsigned_abs());
        self.timer.sleep(delay).await;
        Ok(())
    }

    /// Whether there is a place for another delayed attempt.
    fn reserve(&self, account: u64, delay_ms: i64, now: Timestamp) -> bool {
        // A panic would at worst leave a place taken until its time is over.
        let mut delayed = self.delayed.lock().unwrap_or_else(PoisonError::into_inner);
        // Later than any delay, only after the clock was set back.
        let in_delay = |end: &Timestamp| (1..=MAX_DELAY_MS).contains(&end.millis_since(now));
        delayed.retain(|_, ends| {
            ends.retain(in_delay);
            !ends.is_empty()
        });
        let total: usize = delayed.values().map(Vec::len).sum();
        let of_account = delayed.get(&account).map_or(0, Vec::len);
        if total >= MAX_DELAYED || of_account >= MAX_DELAYED_PER_ACCOUNT {
            return false;
        }
        let end = Timestamp(now.0.saturating_add(delay_ms));
        delayed.entry(account).or_default().push(end);
        true
    }
}

/// How long an attempt waits after so many.
fn delay_ms(used: i64) -> i64 {
    let beyond = used.saturating_sub(UNDELAYED).max(0);
    beyond.saturating_mul(DELAY_STEP_MS).min(MAX_DELAY_MS)
}

#[cfg(test)]
#[path = "login_limits_tests.rs"]
mod tests;
