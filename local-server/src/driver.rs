//! How the stores of core reach their database natively: pools, time limits, kinds of error.
//!
//! Owns connections. Knows neither tables nor JSON (`colloquy_core::store`) nor the schema's
//! history ([`crate::migrate`]). To bring another database: a file beside these two, an arm in
//! [`Backend`], and the contract suite over it in `tests/`.

mod lookups;
mod owned;
mod pool;
mod postgres;
mod sqlite;
mod sqlite_writer;

use std::sync::Arc;
use std::time::Duration;

use colloquy_core::config;
use colloquy_core::ports::Store;
use colloquy_core::store::driver::DriverError;
use colloquy_core::store::{PostgresStore, SqliteStore};

pub use postgres::PostgresDriver;
pub use sqlite::SqliteDriver;

/// How long a statement waits for a connection, a free one or a new one.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);

/// How long a batch may take once it has a connection. Every statement is served by an index;
/// one that takes this long is waiting for a database that is as good as away.
const RUN_TIMEOUT: Duration = Duration::from_secs(5);

/// The database a server was told to use, opened.
#[derive(Debug, Clone)]
pub enum Backend {
    /// A PostgreSQL server.
    Postgres(PostgresDriver),
    /// An SQLite file, or one in memory.
    Sqlite(SqliteDriver),
}

impl Backend {
    /// Opens the database. An SQLite file is made when it is missing; a PostgreSQL server is
    /// first reached by the first statement, so that this succeeds while it is still starting.
    ///
    /// # Errors
    /// The URL is malformed, or the file cannot be opened.
    pub async fn open(database: &config::Database, pool_size: u32) -> Result<Self, DriverError> {
        match database {
            config::Database::Postgres(url) => {
                PostgresDriver::new(url.reveal(), pool_size).map(Self::Postgres)
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

    /// Closes every connection that is free, and each other when its statement has come to an end.
    /// With the last one SQLite folds its log back into the one file.
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
        // What ends while it is being connected to has said half a word, or none.
        | Error::Protocol(_) => DriverError::Unavailable(error.to_string()),
        _ => DriverError::Unexpected(error.to_string()),
    }
}

/// What is said when [`RUN_TIMEOUT`] is over.
fn timed_out() -> DriverError {
    DriverError::Unavailable(format!("no answer within {} s", RUN_TIMEOUT.as_secs()))
}
