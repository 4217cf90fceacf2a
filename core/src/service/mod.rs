//! The use cases, as plain async functions over the ports.
//!
//! Owns what a request means: which rules apply, what is asked of the store and the Rooms, and in
//! what order. Deliberately knows no HTTP; and of permissions only what the store answered, since
//! it decides them inside the statement that does the work. To add a use case: a function in the
//! file of its resource, a handler in [`crate::http`].

pub mod accounts;
pub mod changes;
pub mod conversations;
pub mod cursor;
mod error;
pub mod health;
pub mod messages;
pub mod sessions;
pub mod sockets;

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::auth::{Attempts, Password, PasswordJob, PasswordOutcome, SALT_BYTES, Salt, Tokens};
use crate::cache::{RecentHistory, SummaryCache};
use crate::config::AttemptLimits;
use crate::ports::{Cache, Clock, Passwords, Rng, Rooms, Store};
pub use error::{FieldErrors, ServiceError, ServiceResult};

/// What an adapter brings.
#[derive(Clone)]
pub struct Ports {
    /// The database.
    pub store: Arc<dyn Store>,
    /// Recent history and counters.
    pub cache: Arc<dyn Cache>,
    /// The live conversations.
    pub rooms: Arc<dyn Rooms>,
    /// Slow hashing.
    pub passwords: Arc<dyn Passwords>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness fit for secrets.
    pub rng: Arc<dyn Rng>,
}

/// What the use cases work with.
pub struct Services {
    pub(crate) ports: Ports,
    pub(crate) tokens: Arc<Tokens>,
    pub(crate) attempts: Attempts,
    pub(crate) recent: Arc<RecentHistory>,
    pub(crate) lists: SummaryCache,
}

impl Services {
    /// Puts the ports together with what is built on them. `recent` and `tokens` are the Rooms' as
    /// well.
    pub fn new(
        ports: Ports,
        recent: Arc<RecentHistory>,
        tokens: Arc<Tokens>,
        limits: AttemptLimits,
    ) -> Self {
        Self {
            attempts: Attempts::new(Arc::clone(&ports.cache), limits, tokens.pepper()),
            recent,
            lists: SummaryCache::default(),
            tokens,
            ports,
        }
    }

    /// 128 random bits as 22 URL-safe characters: unguessable, and never the same twice.
    pub(crate) fn random_id(&self) -> String {
        let mut bytes = [0; 16];
        self.ports.rng.fill(&mut bytes);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    fn salt(&self) -> Salt {
        let mut salt = [0; SALT_BYTES];
        self.ports.rng.fill(&mut salt);
        salt
    }

    async fn hash(&self, password: Password) -> ServiceResult<String> {
        let job = PasswordJob::Hash {
            password,
            salt: self.salt(),
        };
        match self.ports.passwords.run(job).await {
            Some(PasswordOutcome::Hashed(hash)) => Ok(hash),
            Some(_) => Err(ServiceError::Fault(
                "a password could not be hashed".to_owned(),
            )),
            None => Err(ServiceError::Overloaded),
        }
    }
}
