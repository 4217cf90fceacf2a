//! Composition root: selects the database, cache and room implementations behind core's ports.
//!
//! Owns the start-up order: connect to the database, migrate or check its schema, then serve.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use colloquy_core::auth::Tokens;
use colloquy_core::cache::{InProcess, RecentHistory};
use colloquy_core::config::{Database, Secret, SecretKey, Settings};
use colloquy_core::counters::InProcessCounters;
use colloquy_core::http;
use colloquy_core::ports::{Cache, Clock, Rng};
use colloquy_core::service::{Ports, Services};
use colloquy_redis_http::RedisCache;

use crate::assets::EmbeddedAssets;
use crate::clock::{SystemClock, SystemRng, TokioTimer};
use crate::driver::Backend;
use crate::migrate::{self, SchemaError};
use crate::passwords::BlockingPasswords;
use crate::perf::coalescing_cache::CoalescingCache;
use crate::rooms::LocalRooms;
use crate::secret_key;
use crate::single_server::{DatabaseLock, check_postgres};

/// Connection attempts at start-up, one second apart.
const MAX_ATTEMPTS: u32 = 10;

/// The most transactions in flight on PostgreSQL; the rest of the pool is for reads.
const MAX_WRITERS: usize = 4;

/// The server without its listening socket.
pub struct App {
    /// Every route.
    pub router: Router,
    /// Must be shut down before the process ends.
    pub rooms: LocalRooms,
    /// Must be closed after the rooms.
    pub backend: Backend,
    /// Held until the process ends.
    pub lock: Option<DatabaseLock>,
}

impl App {
    /// Builds the server from its settings.
    pub async fn build(settings: &Arc<Settings>) -> anyhow::Result<Self> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let tokens = Arc::new(tokens(settings)?);
        let lock = DatabaseLock::for_server(&settings.database)?;
        let backend = open_database(settings).await?;
        check_postgres(&backend).await;
        let cache = cache(settings, &clock)?;
        let recent = Arc::new(RecentHistory::new(Arc::clone(&cache), Arc::clone(&clock)));
        let store = backend.store();
        let rooms = LocalRooms::new(
            Arc::clone(&store),
            Arc::clone(&recent),
            Arc::clone(&tokens),
            Arc::clone(&clock),
            settings.throttle_ms,
            writers(settings),
        );
        let ports = Ports {
            store,
            cache,
            rooms: Arc::new(rooms.clone()),
            passwords: Arc::new(BlockingPasswords::new(settings.password_hash_concurrency)),
            counters: Arc::new(InProcessCounters::new(
                Arc::clone(&clock),
                InProcessCounters::DEFAULT_CAPACITY,
            )),
            clock,
            timer: Arc::new(TokioTimer),
            rng: Arc::new(SystemRng),
        };
        let services = Services::new(ports, recent, tokens, settings.attempts, settings.members);
        let app = http::App::new(Arc::clone(settings), Arc::new(services));
        let router = http::router(app.with_assets(Arc::new(EmbeddedAssets)));
        Ok(Self {
            router,
            rooms,
            backend,
            lock,
        })
    }
}

/// Connects to the database and migrates or checks its schema.
pub async fn open_database(settings: &Settings) -> anyhow::Result<Backend> {
    let backend = Backend::open(
        &settings.database,
        settings.database_pooler,
        settings.database_pool_size,
    );
    let backend = backend
        .await
        .with_context(|| format!("{} cannot be opened", Redacted(&settings.database)))?;
    // An embedded database has no operator who migrates it.
    let migrates = settings.migrate_on_start || !matches!(settings.database, Database::Postgres(_));
    let mut attempt = 1;
    loop {
        let ready = if migrates {
            migrate_and_report(&backend).await
        } else {
            migrate::check_schema(&backend).await
        };
        match ready {
            Ok(()) => return Ok(backend),
            // It may still be starting, for example after a reboot of the machine.
            Err(SchemaError::Database(reason)) if attempt < MAX_ATTEMPTS => {
                tracing::warn!(attempt, reason, "database not ready, retrying");
                attempt += 1;
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            Err(error) => {
                return Err(error)
                    .with_context(|| format!("{} cannot be used", Redacted(&settings.database)));
            }
        }
    }
}

async fn migrate_and_report(backend: &Backend) -> Result<(), SchemaError> {
    migrate::migrate(backend).await?;
    for account in migrate::accounts_with_shared_names(backend).await? {
        tracing::warn!(
            user.id = account.id.0,
            shares_username = account.username.is_some(),
            shares_email = account.email.is_some(),
            "an older account has the same name as another one and is found by its lower-case form only"
        );
    }
    Ok(())
}

fn tokens(settings: &Settings) -> anyhow::Result<Tokens> {
    let secret = match &settings.secret_key {
        SecretKey::Given(secret) => secret.clone(),
        SecretKey::CreateBeside(path) => {
            Secret::new(secret_key::load_or_create(path, &SystemRng as &dyn Rng)?)
        }
    };
    Ok(Tokens::new(
        &secret,
        &settings.previous_secret_keys,
        settings.access_token,
        settings.refresh_token,
    ))
}

fn cache(settings: &Settings, clock: &Arc<dyn Clock>) -> anyhow::Result<Arc<dyn Cache>> {
    Ok(match &settings.redis {
        Some(redis) => {
            let redis = RedisCache::new(redis, Arc::clone(clock))
                .context("UPSTASH_REDIS_REST_URL cannot be used")?;
            Arc::new(CoalescingCache::new(Arc::new(redis)))
        }
        None => Arc::new(InProcess::new(
            Arc::clone(clock),
            InProcess::DEFAULT_CAPACITY,
        )),
    })
}

fn writers(settings: &Settings) -> usize {
    match settings.database {
        Database::Postgres(_) => (settings.database_pool_size as usize / 2).clamp(1, MAX_WRITERS),
        // SQLite has one writer.
        Database::Sqlite(_) | Database::SqliteInMemory => 1,
    }
}

/// Displays a database without its password.
pub struct Redacted<'a>(pub &'a Database);

impl fmt::Display for Redacted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Database::Postgres(url) => {
                // The query may contain credentials, and any character; then the userinfo ends.
                let location = url.reveal().split('?').next().unwrap_or_default();
                let location = location.rsplit("://").next().unwrap_or_default();
                let location = location.rsplit('@').next().unwrap_or_default();
                write!(f, "PostgreSQL at {location}")
            }
            Database::Sqlite(path) => write!(f, "SQLite in {}", path.display()),
            Database::SqliteInMemory => f.write_str("SQLite in memory"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn database_is_displayed_without_its_password() {
        let redacted = |url: &str| Redacted(&Database::Postgres(Secret::new(url))).to_string();
        assert_eq!(
            redacted("postgres://u:p@ss@host:1/db?password=x"),
            "PostgreSQL at host:1/db"
        );
        assert_eq!(redacted("postgres://host/db"), "PostgreSQL at host/db");
        assert_eq!(
            redacted("postgres://host/db?password=a@b"),
            "PostgreSQL at host/db"
        );
    }
}
