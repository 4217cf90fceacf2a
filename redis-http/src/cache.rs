//! The cache behind Redis over HTTP, as core's port: what both adapters use.
//!
//! Owns the translation of commands and answers, the time limit, and a circuit that opens after
//! a failure: while Redis is dead, only one request in [`REST_MS`] pays for finding out. Gives no
//! command a meaning of its own and never retries.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use colloquy_core::cache::redis_args;
use colloquy_core::config;
use colloquy_core::ports::{Cache, CacheCommand, CacheError, CacheKind, CacheReply, Clock};
use colloquy_proto::domain::Timestamp;

use crate::client::{Client, ClientError};
use crate::codec::{Command, Outcome, Reply};

/// How long a pipeline may take: the database answers sooner than that.
const WITHIN: Duration = Duration::from_millis(500);

/// How long nothing is asked after a failure.
const REST_MS: i64 = 2_000;

/// A Redis over HTTP.
pub struct RedisCache {
    client: Client,
    clock: Arc<dyn Clock>,
    /// When it last failed, or was last asked after a failure; none while all is well.
    failed: Mutex<Option<Timestamp>>,
}

impl RedisCache {
    /// The Redis the settings name. Opens no connection yet.
    ///
    /// # Errors
    /// When the settings cannot be used; see [`Client::new`].
    pub fn new(settings: &config::Redis, clock: Arc<dyn Clock>) -> Result<Self, ClientError> {
        let client = Client::new(&settings.url, settings.token.reveal(), WITHIN)?;
        Ok(Self {
            client,
            clock,
            failed: Mutex::new(None),
        })
    }

    /// Whether to ask now. While Redis is away, one caller a rest is let through to try.
    fn may_ask(&self) -> bool {
        let now = self.clock.now();
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        match *failed {
            // A clock that was put back must not make the rest longer.
            Some(at) if (0..REST_MS).contains(&now.millis_since(at)) => false,
            Some(_) => {
                *failed = Some(now);
                true
            }
            None => true,
        }
    }

    fn answered(&self, well: bool) {
        let failed = (!well).then(|| self.clock.now());
        *self.failed.lock().unwrap_or_else(PoisonError::into_inner) = failed;
    }
}

#[async_trait]
impl Cache for RedisCache {
    async fn pipeline(&self, commands: Vec<CacheCommand>) -> Result<Vec<CacheReply>, CacheError> {
        if !self.may_ask() {
            return Err(CacheError("it failed just before".to_owned()));
        }
        tracing::debug!(commands = commands.len(), "the cache is asked");
        let words = commands
            .iter()
            .map(|command| redis_args(command).into_iter().collect::<Command>());
        let words: Vec<_> = words.collect();
        let outcomes = sendable(self.client.pipeline(&words)).await;
        self.answered(outcomes.is_ok());
        let outcomes = outcomes.map_err(|error| CacheError(error.to_string()))?;
        commands
            .iter()
            .zip(outcomes)
            .map(|(command, outcome)| reply(command, outcome))
            .collect()
    }

    fn kind(&self) -> CacheKind {
        CacheKind::Redis
    }
}

#[cfg(not(target_arch = "wasm32"))]
const fn sendable<F>(exchange: F) -> F {
    exchange
}

/// `fetch` belongs to its thread, of which there is one.
#[cfg(target_arch = "wasm32")]
fn sendable<F: Future>(exchange: F) -> impl Future<Output = F::Output> + Send {
    send_wrapper::SendWrapper::new(exchange)
}

fn reply(command: &CacheCommand, outcome: Outcome) -> Result<CacheReply, CacheError> {
    // The code alone: the rest of the text may quote what was stored.
    let reply =
        outcome.map_err(|error| CacheError(format!("a command failed: {}", error.code())))?;
    let reply = match command {
        CacheCommand::ZTop { .. } => members(reply).map(CacheReply::Members),
        CacheCommand::Incr { .. } | CacheCommand::Decr { .. } | CacheCommand::Ttl { .. } => {
            reply.as_integer().map(CacheReply::Integer)
        }
        CacheCommand::ZAdd { .. }
        | CacheCommand::ZTrim { .. }
        | CacheCommand::Del { .. }
        | CacheCommand::Expire { .. }
        | CacheCommand::SetNx { .. }
        | CacheCommand::Ping => Some(CacheReply::Done),
    };
    reply.ok_or_else(|| CacheError("a command was answered with another type".to_owned()))
}

fn members(reply: Reply) -> Option<Vec<Arc<str>>> {
    reply
        .into_array()?
        .into_iter()
        .map(|member| member.into_text().map(Into::into))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;

    /// Shows what it is set to.
    struct Hand(AtomicI64);

    impl Clock for Hand {
        fn now(&self) -> Timestamp {
            Timestamp(self.0.load(Ordering::Relaxed))
        }
    }

    fn cache() -> (RedisCache, Arc<Hand>) {
        // Nothing listens on port 1.
        let settings = config::Redis {
            url: "http://127.0.0.1:1".to_owned(),
            token: config::Secret::new("t"),
        };
        let hand = Arc::new(Hand(AtomicI64::new(1_000_000)));
        let cache = RedisCache::new(&settings, Arc::clone(&hand) as Arc<dyn Clock>).unwrap();
        (cache, hand)
    }

    #[tokio::test]
    async fn a_dead_redis_costs_one_request_a_rest() {
        let (cache, _) = cache();
        let first = cache.pipeline(vec![CacheCommand::Ping]).await.unwrap_err();
        let second = cache.pipeline(vec![CacheCommand::Ping]).await.unwrap_err();
        assert_ne!(first.0, second.0);
        assert_eq!(second.0, "it failed just before");
    }

    #[test]
    fn after_a_rest_one_is_let_through() {
        let (cache, hand) = cache();
        assert!(cache.may_ask() && cache.may_ask(), "all is well");
        cache.answered(false);
        assert!(!cache.may_ask());
        hand.0.fetch_add(REST_MS, Ordering::Relaxed);
        assert!(cache.may_ask());
        assert!(!cache.may_ask(), "someone is trying already");
        hand.0.fetch_sub(3_600_000, Ordering::Relaxed);
        assert!(cache.may_ask(), "the clock was put back");
        cache.answered(true);
        assert!(cache.may_ask() && cache.may_ask());
    }

    #[test]
    fn answers_are_read_by_their_command() {
        let highest = CacheCommand::ZTop {
            key: "k".to_owned(),
            count: 2,
        };
        let array = || Ok(Reply::Array(vec![Reply::Text("a".to_owned())]));
        assert_eq!(
            reply(&highest, array()).unwrap(),
            CacheReply::Members(vec!["a".into()])
        );
        assert!(reply(&highest, Ok(Reply::Nil)).is_err());
        let increment = CacheCommand::Incr {
            key: "k".to_owned(),
        };
        assert_eq!(
            reply(&increment, Ok(Reply::Integer(3))).unwrap(),
            CacheReply::Integer(3)
        );
        assert!(reply(&increment, array()).is_err());
    }
}
