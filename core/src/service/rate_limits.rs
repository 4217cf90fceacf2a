//! Rate limits of logins and registrations, checked before a password is hashed, and of edits,
//! checked before they are stored. Sends are limited by the Room's throttle instead.
//!
//! Fixed-window counters in the cache, shared by all servers. While the cache is unavailable a
//! counter of this process takes over, so that limits always hold and no attempt fails because of
//! the cache. Keys are peppered hashes: a reader of the cache learns no username and no address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use crate::config::AttemptLimits;
use crate::ports::{Cache, CacheCommand, CacheReply};
use colloquy_proto::domain::{ConversationId, Seconds, Timestamp, UserId};

/// The most counters kept in this process while the cache is unavailable; about 1 MiB.
const MAX_LOCAL_COUNTERS: usize = 10_000;

/// The burst of edits allowed at once; the long-term rate is one per period of the throttle.
const EDIT_BURST: i64 = 10;

/// A limit is exceeded; nothing was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooManyAttempts {
    /// When the next attempt is allowed.
    pub retry_after: Seconds,
}

/// Counts attempts in a [`Cache`].
pub(super) struct RateLimiter {
    cache: Arc<dyn Cache>,
    limits: AttemptLimits,
    pepper: [u8; 32],
    local: Mutex<HashMap<String, LocalCounter>>,
}

#[derive(Clone, Copy)]
struct LocalCounter {
    count: i64,
    ends_at: Timestamp,
}

/// A counter's key and the most attempts in one window; 0 is no limit.
struct Limit {
    key: String,
    max: i64,
    window: Seconds,
}

/// A counter's value and the rest of its window.
#[derive(Clone, Copy)]
struct Count {
    count: i64,
    seconds_left: i64,
}

impl RateLimiter {
    /// Counts in `cache`; `pepper` is secret and the same on every server.
    pub(super) fn new(cache: Arc<dyn Cache>, limits: AttemptLimits, pepper: [u8; 32]) -> Self {
        Self {
            cache,
            limits,
            pepper,
            local: Mutex::new(HashMap::new()),
        }
    }

    /// Counts an attempt to log in, for the account and for the client's address.
    ///
    /// # Errors
    /// [`TooManyAttempts`] when either limit is exceeded.
    pub(super) async fn check_login(
        &self,
        username: &str,
        address: Option<IpAddr>,
        now: Timestamp,
    ) -> Result<(), TooManyAttempts> {
        self.check(self.login_limits(username, address), now).await
    }

    /// Takes back the count of an attempt for which the password was not checked: no password was
    /// guessed, and an outage must not lock users out.
    pub(super) async fn refund_login(&self, username: &str, address: Option<IpAddr>) {
        let mut limits = self.login_limits(username, address);
        limits.retain(|limit| limit.max > 0);
        let commands = limits.iter().flat_map(|Limit { key, window, .. }| {
            [
                // A counter that has expired since must not be created without an expiry.
                CacheCommand::SetNx {
                    key: key.clone(),
                    seconds: window.0,
                },
                CacheCommand::Decr { key: key.clone() },
            ]
        });
        if self.cache.pipeline(commands.collect()).await.is_err() {
            let mut local = self.local.lock().unwrap_or_else(PoisonError::into_inner);
            for limit in &limits {
                if let Some(counter) = local.get_mut(&limit.key) {
                    counter.count -= 1;
                }
            }
        }
    }

    /// Resets the account's counter after a successful login: frequent logins do not lock the owner
    /// out, and an attacker without the password cannot cause a reset.
    pub(super) async fn reset_login(&self, username: &str) {
        if self.limits.logins_per_account <= 0 {
            return;
        }
        let key = self.account_key(username);
        self.local
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&key);
        // After a failure the counter expires by itself.
        let _ = self.cache.pipeline(vec![CacheCommand::Del { key }]).await;
    }

    /// Counts a registration, for the client's address.
    ///
    /// # Errors
    /// [`TooManyAttempts`] when the limit is exceeded.
    pub(super) async fn check_registration(
        &self,
        address: Option<IpAddr>,
        now: Timestamp,
    ) -> Result<(), TooManyAttempts> {
        let limit = address.map(|address| Limit {
            key: self.key("register-address", &network(address)),
            max: self.limits.registrations_per_address,
            window: self.limits.window,
        });
        self.check(limit.into_iter().collect(), now).await
    }

    /// Counts an edit of a user in a conversation. Edits do not pass the Room's throttle; without a
    /// limit of their own a client could edit one message endlessly.
    ///
    /// # Errors
    /// [`TooManyAttempts`] when the limit is exceeded.
    pub(super) async fn check_edit(
        &self,
        user_id: UserId,
        conversation_id: ConversationId,
        now: Timestamp,
    ) -> Result<(), TooManyAttempts> {
        let throttle_ms = self.limits.throttle_ms.max(0);
        let window_ms = throttle_ms.saturating_mul(EDIT_BURST);
        let limit = Limit {
            key: self.key("edit", &format!("{user_id} {conversation_id}")),
            max: if throttle_ms > 0 { EDIT_BURST } else { 0 },
            window: Seconds(window_ms.saturating_add(999) / 1_000),
        };
        self.check(vec![limit], now).await
    }

    fn login_limits(&self, username: &str, address: Option<IpAddr>) -> Vec<Limit> {
        let mut limits = vec![Limit {
            key: self.account_key(username),
            max: self.limits.logins_per_account,
            window: self.limits.window,
        }];
        if let Some(address) = address {
            limits.push(Limit {
                key: self.key("login-address", &network(address)),
                max: self.limits.logins_per_address,
                window: self.limits.window,
            });
        }
        limits
    }

    /// Usernames are compared without regard to case, so their counters are as well.
    fn account_key(&self, username: &str) -> String {
        self.key("login-account", &username.to_lowercase())
    }

    fn key(&self, kind: &str, value: &str) -> String {
        let hash = Sha256::new()
            .chain_update(self.pepper)
            .chain_update(kind)
            .chain_update([0])
            .chain_update(value);
        let hash: [u8; 32] = hash.finalize().into();
        format!(
            "attempts:{}",
            URL_SAFE_NO_PAD.encode(hash.get(..16).unwrap_or_default())
        )
    }

    async fn check(&self, mut limits: Vec<Limit>, now: Timestamp) -> Result<(), TooManyAttempts> {
        limits.retain(|limit| limit.max > 0);
        if limits.is_empty() {
            return Ok(());
        }
        let counts = match self.count_in_cache(&limits).await {
            Some(counts) => counts,
            None => self.count_locally(&limits, now),
        };
        let exceeded = limits
            .iter()
            .zip(counts)
            .filter(|(limit, count)| count.count > limit.max);
        match exceeded.map(|(_, count)| count.seconds_left.max(1)).max() {
            Some(seconds) => Err(TooManyAttempts {
                retry_after: Seconds(seconds),
            }),
            None => Ok(()),
        }
    }

    /// One pipeline for all keys; `None` when the cache is unavailable or its reply is invalid.
    async fn count_in_cache(&self, limits: &[Limit]) -> Option<Vec<Count>> {
        let commands = limits.iter().flat_map(|Limit { key, window, .. }| {
            [
                CacheCommand::SetNx {
                    key: key.clone(),
                    seconds: window.0,
                },
                CacheCommand::Incr { key: key.clone() },
                CacheCommand::Ttl { key: key.clone() },
            ]
        });
        let replies = self.cache.pipeline(commands.collect()).await.ok()?;
        let mut counts = Vec::with_capacity(limits.len());
        let mut without_expiry = Vec::new();
        for (limit, replies) in limits.iter().zip(replies.chunks(3)) {
            let [_, CacheReply::Integer(count), CacheReply::Integer(left)] = replies else {
                return None;
            };
            if *left < 0 {
                // The counter expired between SET and INCR; INCR created it without an expiry.
                without_expiry.push(CacheCommand::Expire {
                    key: limit.key.clone(),
                    seconds: limit.window.0,
                });
            }
            counts.push(Count {
                count: *count,
                seconds_left: *left,
            });
        }
        if !without_expiry.is_empty() {
            // After a failure the next attempt repairs the counter.
            let _ = self.cache.pipeline(without_expiry).await;
        }
        (counts.len() == limits.len()).then_some(counts)
    }

    fn count_locally(&self, limits: &[Limit], now: Timestamp) -> Vec<Count> {
        let mut local = self.local.lock().unwrap_or_else(PoisonError::into_inner);
        if local.len() + limits.len() > MAX_LOCAL_COUNTERS {
            local.retain(|_, counter| counter.ends_at > now);
        }
        if local.len() + limits.len() > MAX_LOCAL_COUNTERS {
            // A flood of new keys must not evict the counters near their limit.
            local.retain(|_, counter| counter.count > 1);
        }
        if local.len() + limits.len() > MAX_LOCAL_COUNTERS {
            local.clear();
        }
        let count = |limit: &Limit| {
            let fresh = LocalCounter {
                count: 0,
                ends_at: now.plus(limit.window),
            };
            let counter = local.entry(limit.key.clone()).or_insert(fresh);
            if counter.ends_at <= now {
                *counter = fresh;
            }
            counter.count = counter.count.saturating_add(1);
            let seconds_left = counter.ends_at.millis_since(now).div_euclid(1_000) + 1;
            Count {
                count: counter.count,
                seconds_left,
            }
        };
        limits.iter().map(count).collect()
    }
}

/// The unit a limit applies to: an IPv4 address, or the /64 network of an IPv6 subscriber.
fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("{:x}", address.to_bits() >> 64),
    }
}

#[cfg(test)]
#[path = "rate_limits_tests.rs"]
mod tests;
