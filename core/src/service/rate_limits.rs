//! Rate limits of registrations, checked before a password is hashed, of edits, checked before they
//! are stored, and of the requests of a user ([`Budget`]). Logins have a module of their own, sends
//! the Room's throttle.
//!
//! All are token buckets in [`Counters`]. Keys of addresses and accounts are peppered hashes: a
//! reader of the counters learns no username and no address.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::budgets::Budget;
use crate::config::AttemptLimits;
use crate::counters::InProcessCounters;
use crate::ports::{Bucket, BucketEmpty, Charge, Clock, CounterKey, CounterKind, Counters};
use colloquy_proto::domain::{ConversationId, DeviceKey, UserId};

/// The burst of edits allowed at once; the long-term rate is one per period of the throttle.
const EDIT_BURST: i64 = 10;

/// A limit is exceeded; nothing was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooManyAttempts {
    /// When the next attempt is allowed, in milliseconds.
    pub retry_after_ms: i64,
}

impl From<BucketEmpty> for TooManyAttempts {
    fn from(empty: BucketEmpty) -> Self {
        Self {
            retry_after_ms: empty.retry_after_ms,
        }
    }
}

/// Counts attempts and requests.
pub(super) struct RateLimiter {
    pub(super) counters: Arc<dyn Counters>,
    /// For requests that cost only reads: a call to another process would cost more than they do.
    reads: InProcessCounters,
    pub(super) limits: AttemptLimits,
    pepper: [u8; 32],
}

impl RateLimiter {
    /// Counts in `counters`; `pepper` is secret and the same on every server.
    pub(super) fn new(
        counters: Arc<dyn Counters>,
        clock: Arc<dyn Clock>,
        limits: AttemptLimits,
        pepper: [u8; 32],
    ) -> Self {
        Self {
            counters,
            reads: InProcessCounters::new(clock, InProcessCounters::DEFAULT_CAPACITY),
            limits,
            pepper,
        }
    }

    /// Counts a registration, for the client's address.
    ///
    /// # Errors
    /// [`TooManyAttempts`] when the limit is exceeded.
    pub(super) async fn check_registration(
        &self,
        address: Option<IpAddr>,
    ) -> Result<(), TooManyAttempts> {
        let Some(bucket) = self.per_window(self.limits.registrations_per_address) else {
            return Ok(());
        };
        let charge = Charge {
            kind: CounterKind::Registration,
            key: whole(self.hash("address", &network(address))),
            bucket,
        };
        self.counters.charge(&[charge]).await?;
        Ok(())
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
    ) -> Result<(), TooManyAttempts> {
        if self.limits.throttle_ms <= 0 {
            return Ok(());
        }
        let key = CounterKey {
            partition: user_id.0.cast_unsigned(),
            item: conversation_id.0.cast_unsigned(),
        };
        let bucket = Bucket {
            burst: EDIT_BURST,
            interval_ms: self.limits.throttle_ms,
        };
        let kind = CounterKind::Edits;
        self.counters
            .charge(&[Charge { kind, key, bucket }])
            .await?;
        Ok(())
    }

    /// Counts a request of a user.
    ///
    /// # Errors
    /// [`TooManyAttempts`] when the budget is used up.
    pub(super) async fn check_budget(
        &self,
        budget: Budget,
        user_id: UserId,
    ) -> Result<(), TooManyAttempts> {
        let Some((kind, bucket)) = budget.bucket(self.limits.budget_factor) else {
            return Ok(());
        };
        let key = whole(user_id.0.cast_unsigned());
        let charge = [Charge { kind, key, bucket }];
        if budget.is_read() {
            self.reads.charge_now(&charge)?;
        } else {
            self.counters.charge(&charge).await?;
        }
        Ok(())
    }

    /// The bucket of a limit per window; `None` without a limit.
    pub(super) fn per_window(&self, max: i64) -> Option<Bucket> {
        Bucket::per_window(max, self.limits.window)
    }

    /// How the store names the address a user logs in from; `None` without a usable address. The
    /// hash holds the account too, so that the database does not show who shares an address.
    pub(super) fn device(&self, user_id: UserId, address: Option<IpAddr>) -> Option<DeviceKey> {
        let network = network(Some(address?));
        let [first, second] = self.hash_pair("device", &format!("{user_id} {network}"));
        Some(DeviceKey(format!("{first:016x}{second:016x}").into()))
    }

    /// A hash by which counters and stored devices are found.
    pub(super) fn hash(&self, kind: &str, value: &str) -> u64 {
        let [first, _] = self.hash_pair(kind, value);
        first
    }

    /// 128 bits of the hash.
    pub(super) fn hash_pair(&self, kind: &str, value: &str) -> [u64; 2] {
        let hash = Sha256::new()
            .chain_update(self.pepper)
            .chain_update(kind)
            .chain_update([0])
            .chain_update(value)
            .finalize();
        let mut words = hash.chunks_exact(8).map(|word| {
            let bytes = word.try_into().unwrap_or_default();
            u64::from_be_bytes(bytes)
        });
        [(); 2].map(|()| words.next().unwrap_or_default())
    }
}

/// The key of a partition with one bucket.
pub(super) const fn whole(partition: u64) -> CounterKey {
    CounterKey { partition, item: 0 }
}

/// What counts as one client address: an IPv4 address, or the /64 network of an IPv6 subscriber.
pub fn client_network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        address @ IpAddr::V4(_) => address,
    }
}

/// The key of a client's network. Clients without a usable address share one.
pub(super) fn network(address: Option<IpAddr>) -> String {
    match address.map(client_network) {
        Some(IpAddr::V4(address)) => address.to_string(),
        Some(IpAddr::V6(address)) => format!("{:x}", address.to_bits() >> 64),
        None => "none".to_owned(),
    }
}

#[cfg(test)]
#[path = "rate_limits_tests.rs"]
pub(super) mod tests;
