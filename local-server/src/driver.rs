//! The native database drivers of core's stores: pools, timeouts, classification of errors.
//!
//! Owns connections. Knows neither tables nor JSON (`colloquy_core::store`) nor migrations
//! ([`crate::migrate`]). To add a database: a file beside these two, an arm in [`Backend`], and the
//! contract suite over it in `tests/`.

mod coalesced_lookups;
mod owned_param;
mod pool;
mod postgres;
mod postgres_connections;
mod sqlite;
mod sqlite_steps;
mod sqlite_writer;

use std::sync::Arc;
use std::time::Duration;

use colloquy_core::config::{self, DatabasePooler};
use colloquy_core::ports::Store;
use colloquy_core::store::driver::DriverError;
use colloquy_core::store::{PostgresStore, SqliteStore};

pub use postgres::PostgresDriver;
pub use sqlite::SqliteDriver;
pub(crate) use sqlite::create_private;

/// How long a statement waits for a connection, idle or new.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);

/// How long a batch may take once it has a connection. Every statement is served by an index; one
/// that takes this long waits for a database that does not respond.
const RUN_TIMEOUT: Duration = Duration::from_secs(5);

/// The configured database, opened.
#[derive(Debug, Clone)]
pub enum Backend {
    /// A PostgreSQL server.
    Postgres(PostgresDriver),
    /// An SQLite file, or one in memory.
    Sqlite(SqliteDriver),
}

impl Backend {
    /// Opens the database. An SQLite file is created when it is missing. PostgreSQL is connected to by
    /// the first statement, so that this succeeds while the server is still starting.
    ///
    /// # Errors
    /// The URL is malformed, or the file cannot be opened.
    pub async fn open(
        database: &config::Database,
        pooler: DatabasePooler,
        pool_size: u32,
    ) -> Result<Self, DriverError> {
        match database {
            config::Database::Postgres(url) => {
                PostgresDriver::behind(pooler, url.reveal(), pool_size).map(Self::Postgres)
            }
            config::Database::Sqlite(path) => {
                SqliteDriver::open(path, pool_size).await.map(Self::Sqlite)
            }
            config::Database::SqliteInMemory => SqliteDriver::in_memory().await.map(Self::Sqlite),
        }
    }

    /// The store over this database. Its schema is not checked here.
    pub fn store(&self) -> Arc<dyn Store> {
        match self {
            Self::Postgres(driver) => Arc::new(PostgresStore::new(driver.clone())),
            Self::Sqlite(driver) => Arc::new(SqliteStore::new(driver.clone())),
        }
    }

    /// Closes idle connections at once, and each other one when its statement ends. With the last one
    /// SQLite checkpoints the WAL into the file.
    pub async fn close(&self) {
        match self {
            Self::Postgres(driver) => driver.close().await,
            Self::Sqlite(driver) => driver.close().await,
        }
    }
}

/// The errors of sqlx that are the same for every database.
fn common_error(error: &sqlx::Error) -> DriverError {
    use sqlx::Error;
    match error {
        Error::Io(_)
        | Error::Tls(_)
        | Error::PoolTimedOut
        | Error::PoolClosed
        | Error::WorkerCrashed
        | Error::BeginFailed
        // The server closed the connection during the handshake.
        | Error::Protocol(_) => DriverError::Unavailable(error.to_string()),
        _ => DriverError::Unexpected(error.to_string()),
    }
}

/// The error after this time.
fn timed_out(limit: Duration) -> DriverError {
    DriverError::Unavailable(format!("no answer within {limit:?}"))
}
