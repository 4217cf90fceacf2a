//! The implementation of core's cache port over Redis over HTTP, used by both adapters.
//!
//! Owns the translation of commands and replies, the timeout, and a circuit breaker: after a failure
//! only one request per `RETRY_INTERVAL_MS` reaches Redis until one succeeds. Never retries.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use colloquy_core::cache::redis_args;
use colloquy_core::config;
use colloquy_core::ports::{Cache, CacheCommand, CacheError, CacheKind, CacheReply, Clock};
use colloquy_proto::domain::Timestamp;

use crate::client::{Client, ClientError};
use crate::codec::{Command, Outcome, Reply};

/// The timeout of a pipeline. Reading from the database instead takes less time than that.
const TIMEOUT: Duration = Duration::from_millis(500);

/// The interval between two attempts while the circuit is open.
const RETRY_INTERVAL_MS: i64 = 2_000;

/// A Redis over HTTP.
pub struct RedisCache {
    client: Client,
    clock: Arc<dyn Clock>,
    /// While the circuit is open, the time of the latest failure or attempt; `None` while closed.
    last_attempt_at: Mutex<Option<Timestamp>>,
}

impl RedisCache {
    /// The Redis of these settings. Does not connect yet.
    ///
    /// # Errors
    /// When the settings are invalid; see [`Client::new`].
    pub fn new(settings: &config::Redis, clock: Arc<dyn Clock>) -> Result<Self, ClientError> {
        let client = Client::new(&settings.url, settings.token.reveal(), TIMEOUT)?;
        Ok(Self {
            client,
            clock,
            last_attempt_at: Mutex::new(None),
        })
    }

    /// Whether a request may be sent now. While the circuit is open, one per interval.
    fn allow_request(&self) -> bool {
        let now = self.clock.now();
        let last_attempt_at = self.last_attempt_at.lock();
        let mut last_attempt_at = last_attempt_at.unwrap_or_else(PoisonError::into_inner);
        match *last_attempt_at {
            // A clock that was set back must not extend the interval.
            Some(at) if (0..RETRY_INTERVAL_MS).contains(&now.millis_since(at)) => false,
            Some(_) => {
                *last_attempt_at = Some(now);
                true
            }
            None => true,
        }
    }

    fn record_result(&self, success: bool) {
        let last_attempt_at = (!success).then(|| self.clock.now());
        *self
            .last_attempt_at
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = last_attempt_at;
    }
}

#[async_trait]
impl Cache for RedisCache {
    async fn pipeline(&self, commands: Vec<CacheCommand>) -> Result<Vec<CacheReply>, CacheError> {
        if !self.allow_request() {
            return Err(CacheError("circuit open after a failure".to_owned()));
        }
        tracing::debug!(commands = commands.len(), "cache request");
        let requests = commands
            .iter()
            .map(|command| redis_args(command).into_iter().collect::<Command>());
        let requests: Vec<_> = requests.collect();
        let outcomes = sendable(self.client.pipeline(&requests)).await;
        self.record_result(outcomes.is_ok());
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

/// The future of `fetch` is bound to its thread; a Worker has one thread.
#[cfg(target_arch = "wasm32")]
fn sendable<F: Future>(exchange: F) -> impl Future<Output = F::Output> + Send {
    send_wrapper::SendWrapper::new(exchange)
}

fn reply(command: &CacheCommand, outcome: Outcome) -> Result<CacheReply, CacheError> {
    // The code only: the rest of the text may quote stored data.
    let reply =
        outcome.map_err(|error| CacheError(format!("a command failed: {}", error.code())))?;
    let reply = match command {
        CacheCommand::ZTop { .. } => members(reply).map(CacheReply::Members),
        CacheCommand::ZAdd { .. }
        | CacheCommand::ZTrim { .. }
        | CacheCommand::Del { .. }
        | CacheCommand::Expire { .. }
        | CacheCommand::Ping => Some(CacheReply::Done),
    };
    reply.ok_or_else(|| CacheError("the reply of a command has the wrong type".to_owned()))
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

    /// A clock set by the test.
    struct ManualClock(AtomicI64);

    impl Clock for ManualClock {
        fn now(&self) -> Timestamp {
            Timestamp(self.0.load(Ordering::Relaxed))
        }
    }

    fn cache() -> (RedisCache, Arc<ManualClock>) {
        // Nothing listens on port 1.
        let settings = config::Redis {
            url: "http://127.0.0.1:1".to_owned(),
            token: config::Secret::new("t"),
        };
        let clock = Arc::new(ManualClock(AtomicI64::new(1_000_000)));
        let cache = RedisCache::new(&settings, Arc::clone(&clock) as Arc<dyn Clock>).unwrap();
        (cache, clock)
    }

    #[tokio::test]
    async fn open_circuit_rejects_without_a_request() {
        let (cache, _) = cache();
        let first = cache.pipeline(vec![CacheCommand::Ping]).await.unwrap_err();
        let second = cache.pipeline(vec![CacheCommand::Ping]).await.unwrap_err();
        assert_ne!(first.0, second.0);
        assert_eq!(second.0, "circuit open after a failure");
    }

    #[test]
    fn one_request_per_interval_passes_an_open_circuit() {
        let (cache, clock) = cache();
        assert!(
            cache.allow_request() && cache.allow_request(),
            "the circuit is closed"
        );
        cache.record_result(false);
        assert!(!cache.allow_request());
        clock.0.fetch_add(RETRY_INTERVAL_MS, Ordering::Relaxed);
        assert!(cache.allow_request());
        assert!(!cache.allow_request(), "one attempt per interval");
        clock.0.fetch_sub(3_600_000, Ordering::Relaxed);
        assert!(cache.allow_request(), "the clock was set back");
        cache.record_result(true);
        assert!(cache.allow_request() && cache.allow_request());
    }

    #[test]
    fn replies_are_decoded_by_their_command() {
        let top = CacheCommand::ZTop {
            key: "k".to_owned(),
            count: 2,
        };
        let array = || Ok(Reply::Array(vec![Reply::Text("a".to_owned())]));
        assert_eq!(
            reply(&top, array()).unwrap(),
            CacheReply::Members(vec!["a".into()])
        );
        assert!(reply(&top, Ok(Reply::Nil)).is_err());
        let delete = CacheCommand::Del {
            key: "k".to_owned(),
        };
        assert_eq!(
            reply(&delete, Ok(Reply::Integer(1))).unwrap(),
            CacheReply::Done
        );
    }
}
