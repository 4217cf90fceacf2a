//! The port of the cache: the commands it supports and their replies.

use std::sync::Arc;

use async_trait::async_trait;
use thiserror::Error;

/// The cache is unavailable, or its reply does not fit the command. Never fails a request.
#[derive(Debug, Error)]
#[error("the cache is unavailable: {0}")]
pub struct CacheError(pub String);

/// The commands a cache supports; each is one Redis command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CacheCommand {
    /// `ZADD key score member …`. A member always has the same score.
    ZAdd {
        /// The sorted set.
        key: String,
        /// Score and member, several at once.
        entries: Vec<(i64, Arc<str>)>,
    },
    /// `ZREMRANGEBYRANK key 0 -(count + 1)`: keeps the `count` highest.
    ZTrim {
        /// The sorted set.
        key: String,
        /// How many are kept.
        count: i64,
    },
    /// `ZRANGE key -count -1`: the `count` highest, ascending.
    ZTop {
        /// The sorted set.
        key: String,
        /// How many at most.
        count: i64,
    },
    /// `DEL key`
    Del {
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
    /// `PING`
    Ping,
}

/// The reply to a cache command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CacheReply {
    /// Of every other command.
    Done,
    /// Of `ZTop`.
    Members(Vec<Arc<str>>),
}

/// The kind of cache that answered a history read, as the REST API names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheKind {
    /// A Redis: `"redis"`.
    Redis,
    /// The in-process cache: `"cache"`.
    InProcess,
}

/// A cache that takes a pipeline of commands: one request, replies in the order given. Commands
/// of one pipeline run in order but not as a transaction: other clients' commands may run between.
#[async_trait]
pub trait Cache: Send + Sync {
    /// Runs the commands. After an error it is unknown which of them ran.
    async fn pipeline(&self, commands: Vec<CacheCommand>) -> Result<Vec<CacheReply>, CacheError>;

    /// The kind of this cache.
    fn kind(&self) -> CacheKind;
}
