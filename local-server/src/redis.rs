//! The cache behind the Upstash REST protocol, as core's port.
//!
//! Owns the translation of commands and answers, the time limit, and a circuit that opens after
//! a failure: while Redis is dead, only one request in [`REST`] pays for finding out. Gives no
//! command a meaning of its own and never retries.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use colloquy_core::cache::redis_words;
use colloquy_core::config;
use colloquy_core::ports::{Cache, CacheCommand, CacheError, CacheKind, CacheReply};
use colloquy_redis_http::{Client, ClientError, Command, Outcome, Reply};

/// How long a pipeline may take: the database answers sooner than that.
const WITHIN: Duration = Duration::from_millis(500);

/// How long nothing is asked after a failure.
const REST: Duration = Duration::from_secs(2);

/// A Redis over HTTP.
pub struct RedisCache {
    client: Client,
    /// Until when nothing is asked; none while all is well.
    resting: Mutex<Option<Instant>>,
}

impl RedisCache {
    /// The Redis the settings name. Opens no connection yet.
    pub fn new(settings: &config::Redis) -> Result<Self, ClientError> {
        let client = Client::new(&settings.url, settings.token.reveal(), WITHIN)?;
        Ok(Self {
            client,
            resting: Mutex::new(None),
        })
    }

    /// Whether to ask now. While Redis is away, one caller a rest is let through to try.
    fn may_ask(&self, now: Instant) -> bool {
        let mut resting = self.resting.lock().unwrap_or_else(PoisonError::into_inner);
        match *resting {
            Some(until) if now < until => false,
            Some(_) => {
                *resting = Some(now + REST);
                true
            }
            None => true,
        }
    }

    fn answered(&self, well: bool) {
        let rest = (!well).then(|| Instant::now() + REST);
        *self.resting.lock().unwrap_or_else(PoisonError::into_inner) = rest;
    }
}

#[async_trait]
impl Cache for RedisCache {
    async fn pipeline(&self, commands: Vec<CacheCommand>) -> Result<Vec<CacheReply>, CacheError> {
        if !self.may_ask(Instant::now()) {
            return Err(CacheError("it failed just before".to_owned()));
        }
        let words = commands
            .iter()
            .map(|command| redis_words(command).into_iter().collect::<Command>());
        let outcomes = self.client.pipeline(&words.collect::<Vec<_>>()).await;
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

fn reply(command: &CacheCommand, outcome: Outcome) -> Result<CacheReply, CacheError> {
    // The code alone: the rest of the text may quote what was stored.
    let reply =
        outcome.map_err(|error| CacheError(format!("a command failed: {}", error.code())))?;
    let reply = match command {
        CacheCommand::Highest { .. } => members(reply).map(CacheReply::Members),
        CacheCommand::Increment { .. } | CacheCommand::TimeToLive { .. } => {
            reply.as_integer().map(CacheReply::Integer)
        }
        CacheCommand::AddScored { .. }
        | CacheCommand::KeepHighest { .. }
        | CacheCommand::Delete { .. }
        | CacheCommand::Expire { .. }
        | CacheCommand::StartCounter { .. }
        | CacheCommand::Ping => Some(CacheReply::Done),
    };
    reply.ok_or_else(|| CacheError("a command was answered with another type".to_owned()))
}

fn members(reply: Reply) -> Option<Vec<std::sync::Arc<str>>> {
    reply
        .into_array()?
        .into_iter()
        .map(|member| member.into_text().map(Into::into))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache() -> RedisCache {
        // Nothing listens on port 1.
        let settings = config::Redis {
            url: "http://127.0.0.1:1".to_owned(),
            token: config::Secret::new("t"),
        };
        RedisCache::new(&settings).unwrap()
    }

    #[tokio::test]
    async fn a_dead_redis_costs_one_request_a_rest() {
        let cache = cache();
        let first = cache.pipeline(vec![CacheCommand::Ping]).await.unwrap_err();
        let second = cache.pipeline(vec![CacheCommand::Ping]).await.unwrap_err();
        assert_ne!(first.0, second.0);
        assert_eq!(second.0, "it failed just before");
    }

    #[test]
    fn after_a_rest_one_is_let_through() {
        let cache = cache();
        let now = Instant::now();
        assert!(cache.may_ask(now) && cache.may_ask(now), "all is well");
        cache.answered(false);
        assert!(!cache.may_ask(now));
        let later = now + REST + Duration::from_secs(1);
        assert!(cache.may_ask(later));
        assert!(!cache.may_ask(later), "someone is trying already");
        cache.answered(true);
        assert!(cache.may_ask(later) && cache.may_ask(later));
    }

    #[test]
    fn answers_are_read_by_their_command() {
        let highest = CacheCommand::Highest {
            key: "k".to_owned(),
            count: 2,
        };
        let array = || Ok(Reply::Array(vec![Reply::Text("a".to_owned())]));
        assert_eq!(
            reply(&highest, array()).unwrap(),
            CacheReply::Members(vec!["a".into()])
        );
        assert!(reply(&highest, Ok(Reply::Nil)).is_err());
        let increment = CacheCommand::Increment {
            key: "k".to_owned(),
        };
        assert_eq!(
            reply(&increment, Ok(Reply::Integer(3))).unwrap(),
            CacheReply::Integer(3)
        );
        assert!(reply(&increment, array()).is_err());
    }
}
