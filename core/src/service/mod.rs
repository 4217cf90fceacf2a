//! The use cases, as async functions over the ports.
//!
//! Owns the meaning of a request: which rules apply, which ports are called, and in what order.
//! Deliberately knows no HTTP. Permissions are decided by the store, inside the statement that
//! does the work; a service only passes the result on. To add a use case: a function in the file
//! of its resource, a handler in [`crate::http`].

pub mod account_keys;
pub mod accounts;
pub mod budgets;
pub mod conversations;
pub mod cursor;
mod error;
pub mod health;
mod login_limits;
pub mod members;
pub mod messages;
mod rate_limits;
pub mod security_events;
pub mod sessions;
pub mod sockets;
mod stored_change;

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::auth::{Password, PasswordJob, PasswordOutcome, SALT_BYTES, Salt, Tokens};
use crate::cache::{RecentHistory, SummaryCache};
use crate::config::{AttemptLimits, MemberSettings};
use crate::ports::{Cache, Clock, Counters, HashPriority, Passwords, Rng, Rooms, Store, Timer};
use budgets::Budget;
use colloquy_proto::domain::UserId;
pub use error::{FieldErrors, ServiceError, ServiceResult};
use health::DatabaseHealth;
use login_limits::LoginDelays;
use rate_limits::RateLimiter;
pub use rate_limits::client_network;

/// The implementations an adapter provides.
#[derive(Clone)]
pub struct Ports {
    /// The database.
    pub store: Arc<dyn Store>,
    /// Recent history.
    pub cache: Arc<dyn Cache>,
    /// The token buckets of rate limits.
    pub counters: Arc<dyn Counters>,
    /// The live conversations.
    pub rooms: Arc<dyn Rooms>,
    /// Password hashing.
    pub passwords: Arc<dyn Passwords>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Waits.
    pub timer: Arc<dyn Timer>,
    /// Cryptographically secure randomness.
    pub rng: Arc<dyn Rng>,
}

/// Everything the use cases share.
pub struct Services {
    pub(crate) ports: Ports,
    pub(crate) tokens: Arc<Tokens>,
    rate_limiter: RateLimiter,
    login_delays: LoginDelays,
    recent_history: Arc<RecentHistory>,
    summaries: SummaryCache,
    database_health: DatabaseHealth,
    members: MemberSettings,
}

impl Services {
    /// Combines the ports with the components built on them. The Rooms share `recent_history` and
    /// `tokens`.
    pub fn new(
        ports: Ports,
        recent_history: Arc<RecentHistory>,
        tokens: Arc<Tokens>,
        limits: AttemptLimits,
        members: MemberSettings,
    ) -> Self {
        let counters = Arc::clone(&ports.counters);
        let clock = Arc::clone(&ports.clock);
        Self {
            rate_limiter: RateLimiter::new(counters, clock, limits, tokens.pepper()),
            login_delays: LoginDelays::new(Arc::clone(&ports.timer)),
            recent_history,
            summaries: SummaryCache::new(members.show_emails),
            members,
            database_health: DatabaseHealth::default(),
            tokens,
            ports,
        }
    }

    /// 128 random bits as 22 URL-safe characters.
    pub(crate) fn random_id(&self) -> String {
        let mut bytes = [0; 16];
        self.ports.rng.fill(&mut bytes);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Counts a request of a user.
    ///
    /// # Errors
    /// `OverBudget` when the budget is used up.
    pub(crate) async fn charge(&self, budget: Budget, user_id: UserId) -> ServiceResult<()> {
        let checked = self.rate_limiter.check_budget(budget, user_id).await;
        checked.map_err(|exceeded| ServiceError::OverBudget {
            budget: budget.name(),
            retry_after_ms: exceeded.retry_after_ms,
        })
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
        match self.ports.passwords.run(job, HashPriority::Unknown).await {
            Some(PasswordOutcome::Hashed(hash)) => Ok(hash),
            Some(_) => Err(ServiceError::Internal(
                "a password could not be hashed".to_owned(),
            )),
            None => Err(ServiceError::Overloaded),
        }
    }
}
