//! Counts attempts to log in and register, before any password is hashed, and edits, before any is
//! stored.
//!
//! Counters live in the cache, so that all servers share them; when it is away a counter of this
//! process takes over, so that attempts are never unlimited and never fail for want of a cache.
//! Keys are peppered hashes: whoever reads the cache learns no username and no address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use crate::config::AttemptLimits;
use crate::ports::{Cache, CacheCommand, CacheReply};
use colloquy_proto::domain::{ConversationId, Seconds, Timestamp, UserId};

/// The most counters kept in this process while the cache is away; about 1 MiB.
const MAX_LOCAL_COUNTERS: usize = 10_000;

/// Too many attempts; nothing was tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooManyAttempts {
    /// When the next one may be made.
    pub retry_after: Seconds,
}

/// Counts attempts over a [`Cache`].
pub struct Attempts {
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

/// How many edits may come at once; in the long run one each period of the throttle.
const EDITS_AT_ONCE: i64 = 10;

/// One key and how often it may be used in a window.
struct Limit {
    key: String,
    most: i64,
    window: Seconds,
}

/// How far a counter has come and when it starts anew.
#[derive(Clone, Copy)]
struct Count {
    count: i64,
    seconds_left: i64,
}

impl Attempts {
    /// Counts over `cache`; `pepper` is secret and the same on every server.
    pub fn new(cache: Arc<dyn Cache>, limits: AttemptLimits, pepper: [u8; 32]) -> Self {
        Self {
            cache,
            limits,
            pepper,
            local: Mutex::new(HashMap::new()),
        }
    }

    /// Counts an attempt to log in, for the account and for the address.
    ///
    /// # Errors
    /// [`TooManyAttempts`] when either has had its share.
    pub async fn log_in(
        &self,
        username: &str,
        address: Option<IpAddr>,
        now: Timestamp,
    ) -> Result<(), TooManyAttempts> {
        self.count(self.login_limits(username, address), now).await
    }

    /// Gives an attempt back that came to no verdict on the password: an outage must not lock out
    /// those who tried during it, and nothing was guessed.
    pub async fn undecided(&self, username: &str, address: Option<IpAddr>) {
        let mut limits = self.login_limits(username, address);
        limits.retain(|limit| limit.most > 0);
        let commands = limits.iter().flat_map(|Limit { key, window, .. }| {
            [
                // One that has ended meanwhile must not begin again without an end.
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

    /// Counts an edit of a user in a conversation. Sends have a throttle in their Room; edits do
    /// not pass it, and one message could be edited for ever.
    ///
    /// # Errors
    /// [`TooManyAttempts`] when the user has had their share.
    pub async fn edit(
        &self,
        user_id: UserId,
        id: ConversationId,
        now: Timestamp,
    ) -> Result<(), TooManyAttempts> {
        let throttle_ms = self.limits.throttle_ms.max(0);
        let window_ms = throttle_ms.saturating_mul(EDITS_AT_ONCE);
        let limit = Limit {
            key: self.key("edit", &format!("{user_id} {id}")),
            most: if throttle_ms > 0 { EDITS_AT_ONCE } else { 0 },
            window: Seconds(window_ms.saturating_add(999) / 1_000),
        };
        self.count(vec![limit], now).await
    }

    fn login_limits(&self, username: &str, address: Option<IpAddr>) -> Vec<Limit> {
        let mut limits = vec![Limit {
            key: self.account_key(username),
            most: self.limits.logins_per_account,
            window: self.limits.window,
        }];
        if let Some(address) = address {
            limits.push(Limit {
                key: self.key("login-address", &network(address)),
                most: self.limits.logins_per_address,
                window: self.limits.window,
            });
        }
        limits
    }

    /// Forgets the account's attempts after one has succeeded: its owner is not kept out by
    /// logging in often, and whoever guesses cannot bring this about.
    pub async fn logged_in(&self, username: &str) {
        if self.limits.logins_per_account <= 0 {
            return;
        }
        let key = self.account_key(username);
        self.local
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&key);
        // Should it fail, the counter ends by itself.
        let _ = self.cache.pipeline(vec![CacheCommand::Del { key }]).await;
    }

    /// Counts an attempt to register, for the address.
    ///
    /// # Errors
    /// [`TooManyAttempts`] when it has had its share.
    pub async fn register(
        &self,
        address: Option<IpAddr>,
        now: Timestamp,
    ) -> Result<(), TooManyAttempts> {
        let limit = address.map(|address| Limit {
            key: self.key("register-address", &network(address)),
            most: self.limits.registrations_per_address,
            window: self.limits.window,
        });
        self.count(limit.into_iter().collect(), now).await
    }

    /// Usernames are compared without case, and so are their attempts.
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

    async fn count(&self, mut limits: Vec<Limit>, now: Timestamp) -> Result<(), TooManyAttempts> {
        limits.retain(|limit| limit.most > 0);
        if limits.is_empty() {
            return Ok(());
        }
        let counts = match self.count_shared(&limits).await {
            Some(counts) => counts,
            None => self.count_locally(&limits, now),
        };
        let exceeded = limits
            .iter()
            .zip(counts)
            .filter(|(limit, count)| count.count > limit.most);
        match exceeded.map(|(_, count)| count.seconds_left.max(1)).max() {
            Some(seconds) => Err(TooManyAttempts {
                retry_after: Seconds(seconds),
            }),
            None => Ok(()),
        }
    }

    /// One pipeline for all keys; `None` when the cache is away or answers nonsense.
    async fn count_shared(&self, limits: &[Limit]) -> Option<Vec<Count>> {
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
        let mut endless = Vec::new();
        for (limit, replies) in limits.iter().zip(replies.chunks(3)) {
            let [_, CacheReply::Integer(count), CacheReply::Integer(left)] = replies else {
                return None;
            };
            if *left < 0 {
                // It ran out between the first command and the second, which made it anew
                // without an end.
                endless.push(CacheCommand::Expire {
                    key: limit.key.clone(),
                    seconds: limit.window.0,
                });
            }
            counts.push(Count {
                count: *count,
                seconds_left: *left,
            });
        }
        if !endless.is_empty() {
            // Should this fail, the next attempt finds it endless again.
            let _ = self.cache.pipeline(endless).await;
        }
        (counts.len() == limits.len()).then_some(counts)
    }

    fn count_locally(&self, limits: &[Limit], now: Timestamp) -> Vec<Count> {
        let mut local = self.local.lock().unwrap_or_else(PoisonError::into_inner);
        if local.len() + limits.len() > MAX_LOCAL_COUNTERS {
            local.retain(|_, counter| counter.ends_at > now);
        }
        if local.len() + limits.len() > MAX_LOCAL_COUNTERS {
            // Whoever floods us with keys must not push out the counters that have come far.
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

/// What counts as one client: an IPv4 address, or the /64 network that is one IPv6 subscriber's.
fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("{:x}", address.to_bits() >> 64),
    }
}

#[cfg(test)]
#[path = "attempts_tests.rs"]
mod tests;
