//! The port of a cache: the few commands it must know, and what they answer.

use std::sync::Arc;

use async_trait::async_trait;
use thiserror::Error;

/// The cache is away, or answered with something else than was asked for. Never fails a request.
#[derive(Debug, Error)]
#[error("the cache is unavailable: {0}")]
pub struct CacheError(pub String);

/// The few commands a cache must know; each is one Redis command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CacheCommand {
    /// `ZADD key score member …`. A member always comes with the same score.
    AddScored {
        /// The sorted set.
        key: String,
        /// Score and member, several at once.
        entries: Vec<(i64, Arc<str>)>,
    },
    /// `ZREMRANGEBYRANK key 0 -(count + 1)`: keeps the `count` highest.
    KeepHighest {
        /// The sorted set.
        key: String,
        /// How many stay.
        count: i64,
    },
    /// `ZRANGE key -count -1`: the `count` highest, ascending.
    Highest {
        /// The sorted set.
        key: String,
        /// How many at most.
        count: i64,
    },
    /// `DEL key`
    Delete {
        /// Any key.
        key: String,
    },
    /// `EXPIRE key seconds`
    Expire {
        /// Any key.
        key: String,
        /// From now.
        seconds: i64,
    },
    /// `SET key 0 EX seconds NX`: starts a counter unless it runs.
    StartCounter {
        /// The counter.
        key: String,
        /// How long it counts.
        seconds: i64,
    },
    /// `INCR key`
    Increment {
        /// The counter.
        key: String,
    },
    /// `DECR key`
    Decrement {
        /// The counter.
        key: String,
    },
    /// `TTL key`: seconds left; -1 without expiry, -2 without the key.
    TimeToLive {
        /// Any key.
        key: String,
    },
    /// `PING`
    Ping,
}

/// What a cache command answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CacheReply {
    /// Of every command that answers with nothing of interest.
    Done,
    /// Of `Increment`, `Decrement` and `TimeToLive`.
    Integer(i64),
    /// Of `Highest`.
    Members(Vec<Arc<str>>),
}

/// Where a history was read, as the REST API names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheKind {
    /// A Redis: `"redis"`.
    Redis,
    /// The in-process cache: `"cache"`.
    InProcess,
}

/// A cache that takes a pipeline of commands: one request, answers in the order given. Commands
/// of one pipeline run in order but not as a transaction; other clients' may run between.
#[async_trait]
pub trait Cache: Send + Sync {
    /// Runs the commands. An error says nothing about which of them ran.
    async fn pipeline(&self, commands: Vec<CacheCommand>) -> Result<Vec<CacheReply>, CacheError>;

    /// Which it is.
    fn kind(&self) -> CacheKind;
}
