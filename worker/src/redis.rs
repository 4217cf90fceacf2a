//! The cache behind the Upstash REST protocol, as core's port.
//!
//! Owns the translation of commands and answers, the time limit, and a circuit that opens after
//! a failure: while Redis is dead, only one request in [`REST_MS`] pays for finding out. Gives no
//! command a meaning of its own and never retries.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use colloquy_core::cache::redis_words;
use colloquy_core::config;
use colloquy_core::domain::Timestamp;
use colloquy_core::ports::{Cache, CacheCommand, CacheError, CacheKind, CacheReply, Clock};
use colloquy_redis_http::{Client, ClientError, Command, Outcome, Reply};
use worker::send::SendFuture;

use crate::clock::EdgeClock;

/// How long a pipeline may take: the database answers sooner than that.
const WITHIN: Duration = Duration::from_millis(500);

/// How long nothing is asked after a failure.
const REST_MS: i64 = 2_000;

/// A Redis over HTTP.
pub(crate) struct RedisCache {
    client: Client,
    /// Until when nothing is asked; none while all is well.
    resting: Mutex<Option<Timestamp>>,
}

impl RedisCache {
    /// The Redis the settings name. Opens no connection yet.
    pub(crate) fn new(settings: &config::Redis) -> Result<Self, ClientError> {
        let client = Client::new(&settings.url, settings.token.reveal(), WITHIN)?;
        Ok(Self {
            client,
            resting: Mutex::new(None),
        })
    }

    /// Whether to ask now. While Redis is away, one caller a rest is let through to try.
    fn may_ask(&self, now: Timestamp) -> bool {
        let mut resting = self.resting.lock().unwrap_or_else(PoisonError::into_inner);
        match *resting {
            Some(until) if now < until => false,
            Some(_) => {
                *resting = Some(Timestamp(now.0 + REST_MS));
                true
            }
            None => true,
        }
    }

    fn answered(&self, well: bool) {
        let rest = (!well).then(|| Timestamp(EdgeClock.now().0 + REST_MS));
        *self.resting.lock().unwrap_or_else(PoisonError::into_inner) = rest;
    }
}

#[async_trait]
impl Cache for RedisCache {
    async fn pipeline(&self, commands: Vec<CacheCommand>) -> Result<Vec<CacheReply>, CacheError> {
        if !self.may_ask(EdgeClock.now()) {
            return Err(CacheError("it failed just before".to_owned()));
        }
        let words = commands
            .iter()
            .map(|command| redis_words(command).into_iter().collect::<Command>());
        let words = words.collect::<Vec<_>>();
        let outcomes = SendFuture::new(self.client.pipeline(&words)).await;
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

fn members(reply: Reply) -> Option<Vec<Arc<str>>> {
    reply
        .into_array()?
        .into_iter()
        .map(|member| member.into_text().map(Into::into))
        .collect()
}
