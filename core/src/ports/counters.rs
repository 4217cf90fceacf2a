//! The port of the counters behind rate limits: token buckets that no client can evict.

use async_trait::async_trait;
use colloquy_proto::domain::Seconds;
use serde::{Deserialize, Serialize};

/// What a bucket limits. Every kind has memory of its own, so that a flood of one kind slows down
/// no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CounterKind {
    /// Logins from a client address.
    LoginAddress,
    /// Failed logins to an account from a client address.
    LoginAccountAddress,
    /// Failed logins to an account from all addresses.
    LoginAccount,
    /// Registrations from a client address.
    Registration,
    /// Edits of a user in a conversation.
    Edits,
    /// Messages a user deletes.
    Deletions,
    /// Members a user adds and removes.
    Members,
    /// Conversations a user creates.
    Conversations,
    /// Refreshed tokens of a user.
    Refreshes,
    /// Logouts of a user.
    Logouts,
    /// Pages of histories and single conversations a user reads.
    History,
    /// Lists a user reads.
    Lists,
    /// Reads of the user's own account.
    Profile,
    /// Sockets a user opens.
    Sockets,
}

impl CounterKind {
    /// All kinds.
    pub const ALL: [Self; 14] = [
        Self::LoginAddress,
        Self::LoginAccountAddress,
        Self::LoginAccount,
        Self::Registration,
        Self::Edits,
        Self::Deletions,
        Self::Members,
        Self::Conversations,
        Self::Refreshes,
        Self::Logouts,
        Self::History,
        Self::Lists,
        Self::Profile,
        Self::Sockets,
    ];
}

/// Which bucket of a kind. Buckets of one partition are kept in one place, so that a login is
/// counted for account and address in one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CounterKey {
    /// A user's id, or a peppered hash of an account or address.
    pub partition: u64,
    /// The bucket within the partition; 0 if there is one only.
    pub item: u64,
}

/// The parameters of a token bucket: it holds `burst` tokens and gets one back per interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bucket {
    /// The most tokens; at least 1.
    pub burst: i64,
    /// Milliseconds until a used token is back; at least 1.
    pub interval_ms: i64,
}

impl Bucket {
    /// At most `max` at once and, in the long term, `max` per window; `None` without a limit.
    pub fn per_window(max: i64, window: Seconds) -> Option<Self> {
        let interval_ms = window.as_millis().checked_div(max)?.max(1);
        (max > 0).then_some(Self {
            burst: max,
            interval_ms,
        })
    }
}

/// One token of one bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Charge {
    /// What the bucket limits.
    pub kind: CounterKind,
    /// Which one it is.
    pub key: CounterKey,
    /// Its parameters.
    pub bucket: Bucket,
}

/// How much is returned to a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Returned {
    /// One token.
    One,
    /// Every token: the bucket is full again.
    All,
}

/// A bucket is empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BucketEmpty {
    /// The position of its charge.
    pub index: usize,
    /// When it has a token again, in milliseconds; at least 1.
    pub retry_after_ms: i64,
}

/// The counters of every server that shares this port's implementation.
///
/// INVARIANT: no call resets or evicts a bucket that is not full. When memory is short, new keys
/// share buckets, so that a flood slows down unknown clients instead of freeing known ones.
#[async_trait]
pub trait Counters: Send + Sync {
    /// Takes a token from each bucket in order, until one is empty: the buckets after it are not
    /// charged, those before it are. Returns the tokens in use in the last bucket. Never fails:
    /// an implementation that cannot reach its store counts in this process.
    async fn charge(&self, charges: &[Charge]) -> Result<i64, BucketEmpty>;

    /// Returns tokens to buckets that were charged before.
    async fn give_back(&self, returned: &[(Charge, Returned)]);
}
