//! The schema of the database: running migrations, and checking that the schema is current.
//!
//! Owns no table: the migrations are in `migrations/<dialect>/` (its README has the rules) and
//! are embedded in the binary, so a server needs no files beside it. After them it runs the steps that
//! SQL cannot do, which are use cases of core and safe to repeat.

use colloquy_core::config::DatabasePooler;
use colloquy_core::ports::{AccountWithoutKeys, DatabaseProblem, StoreError};
use colloquy_core::service::account_keys;
use colloquy_core::store::driver::DriverError;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::{Connection as _, PgConnection, SqliteConnection};
use thiserror::Error;

use crate::driver::Backend;

static POSTGRES: Migrator = sqlx::migrate!("../migrations/postgres");
static SQLITE: Migrator = sqlx::migrate!("../migrations/sqlite");

/// The most accounts listed that share a name with another one.
const MAX_LISTED: i64 = 100;

/// Why the schema cannot be used as it is.
#[derive(Debug, Error)]
pub enum SchemaError {
    /// No migration has run.
    #[error(
        "the database has no tables yet: run `colloquy-local-server migrate`, or set MIGRATE_ON_START=1"
    )]
    Missing,
    /// Migrations of this build have not run.
    #[error(
        "the database is at migration {found}, this build needs {needed}: run `colloquy-local-server migrate`, or set MIGRATE_ON_START=1"
    )]
    Older {
        /// The newest that has run; 0 for none.
        found: i64,
        /// The newest of this build.
        needed: i64,
    },
    /// A newer build has migrated the database.
    #[error(
        "the database is at migration {found}, this build only knows {known}: start a newer build"
    )]
    Newer {
        /// The newest that has run.
        found: i64,
        /// The newest of this build.
        known: i64,
    },
    /// The checksum of a migration that has run differs from this build's.
    #[error(
        "migration {0} has another checksum in this build: the database belongs to another build"
    )]
    Changed(i64),
    /// A migration failed half way.
    #[error(
        "migration {0} did not finish: restore a backup, or repair the database and its row in _sqlx_migrations by hand"
    )]
    Unfinished(i64),
    /// The database refuses this server, and will refuse it again.
    #[error("{problem} ({reason})")]
    Refused {
        /// Why.
        problem: DatabaseProblem,
        /// The database's own words.
        reason: String,
    },
    /// Migrations have not run, and behind a transaction pooler there is no session for their lock.
    #[error(
        "the database needs migrations, which cannot run through a transaction pooler: run `colloquy-local-server migrate` once with the DATABASE_URL of PostgreSQL itself and without DATABASE_POOLER"
    )]
    Pooled,
    /// The database call failed.
    #[error("the schema could not be read or changed: {0}")]
    Database(String),
}

impl From<sqlx::Error> for SchemaError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error.to_string())
    }
}

impl From<DriverError> for SchemaError {
    fn from(error: DriverError) -> Self {
        match error {
            // Waiting changes neither a password nor what is between.
            DriverError::Refused(
                problem @ (DatabaseProblem::Rejected
                | DatabaseProblem::Pooled
                | DatabaseProblem::Corrupt),
                reason,
            ) => Self::Refused { problem, reason },
            error => Self::Database(error.to_string()),
        }
    }
}

impl From<StoreError> for SchemaError {
    fn from(error: StoreError) -> Self {
        Self::Database(error.to_string())
    }
}

impl From<MigrateError> for SchemaError {
    fn from(error: MigrateError) -> Self {
        match error {
            MigrateError::VersionMismatch(version) => Self::Changed(version),
            MigrateError::Dirty(version) => Self::Unfinished(version),
            other => Self::Database(other.to_string()),
        }
    }
}

/// Runs the missing migrations and computes missing keys of names. Several servers may do so
/// concurrently: on PostgreSQL one runs them while the others wait; on SQLite each waits for the
/// file's lock.
///
/// # Errors
/// [`SchemaError::Newer`] when a newer build has migrated the database; nothing is changed then.
pub async fn migrate(backend: &Backend) -> Result<(), SchemaError> {
    match (check_schema(backend).await, backend) {
        (Err(error @ (SchemaError::Newer { .. } | SchemaError::Changed(_))), _) => {
            return Err(error);
        }
        (checked, Backend::Postgres(driver)) if driver.pooler() == DatabasePooler::Transaction => {
            return checked.map_err(|error| match error {
                SchemaError::Missing | SchemaError::Older { .. } => SchemaError::Pooled,
                error => error,
            });
        }
        _ => {}
    }
    match backend {
        Backend::Postgres(driver) => POSTGRES.run(&mut driver.connect().await?).await?,
        Backend::Sqlite(driver) => SQLITE.run(&mut driver.connect().await?).await?,
    }
    account_keys::compute_missing(&*backend.store()).await?;
    Ok(())
}

/// The first accounts that have a name another account has in a form that is the same. They keep
/// their lower-case key.
///
/// # Errors
/// [`SchemaError::Database`]
pub async fn accounts_with_shared_names(
    backend: &Backend,
) -> Result<Vec<AccountWithoutKeys>, SchemaError> {
    Ok(account_keys::collisions(&*backend.store(), MAX_LISTED).await?)
}

/// Checks that the schema is the one of this build.
///
/// # Errors
/// What differs, and what to do.
pub async fn check_schema(backend: &Backend) -> Result<(), SchemaError> {
    let (known, applied) = match backend {
        Backend::Postgres(driver) => (
            &POSTGRES,
            applied_in_postgres(&mut *driver.acquire().await?).await?,
        ),
        Backend::Sqlite(driver) => (
            &SQLITE,
            applied_in_sqlite(&mut driver.connect().await?).await?,
        ),
    };
    compare(known, applied.as_deref())
}

/// A row of sqlx's own table: version, whether it finished, checksum.
type Applied = (i64, bool, Vec<u8>);

const APPLIED: &str = "select version, success, checksum from _sqlx_migrations order by version";

async fn applied_in_postgres(
    connection: &mut PgConnection,
) -> Result<Option<Vec<Applied>>, SchemaError> {
    // A transaction, and statements without a name: see `driver::postgres` on poolers.
    let mut transaction = connection.begin().await?;
    let table: bool = sqlx::query_scalar("select to_regclass('_sqlx_migrations') is not null")
        .persistent(false)
        .fetch_one(&mut *transaction)
        .await?;
    let applied = if table {
        let rows = sqlx::query_as(APPLIED).persistent(false);
        Some(rows.fetch_all(&mut *transaction).await?)
    } else {
        None
    };
    transaction.rollback().await?;
    Ok(applied)
}

async fn applied_in_sqlite(
    connection: &mut SqliteConnection,
) -> Result<Option<Vec<Applied>>, SchemaError> {
    let table: bool = sqlx::query_scalar(
        "select exists (select 1 from sqlite_schema where name = '_sqlx_migrations')",
    )
    .fetch_one(&mut *connection)
    .await?;
    if table {
        Ok(Some(sqlx::query_as(APPLIED).fetch_all(connection).await?))
    } else {
        Ok(None)
    }
}

fn compare(known: &Migrator, applied: Option<&[Applied]>) -> Result<(), SchemaError> {
    let newest_known = known
        .iter()
        .map(|migration| migration.version)
        .max()
        .unwrap_or_default();
    let Some(applied) = applied else {
        return Err(SchemaError::Missing);
    };
    let found = applied
        .iter()
        .map(|(version, ..)| *version)
        .max()
        .unwrap_or_default();
    if found > newest_known {
        return Err(SchemaError::Newer {
            found,
            known: newest_known,
        });
    }
    for (version, finished, checksum) in applied {
        if !finished {
            return Err(SchemaError::Unfinished(*version));
        }
        let same = known
            .iter()
            .any(|migration| migration.version == *version && *migration.checksum == **checksum);
        if !same {
            return Err(SchemaError::Changed(*version));
        }
    }
    if applied.len() < known.iter().count() {
        return Err(SchemaError::Older {
            found,
            needed: newest_known,
        });
    }
    Ok(())
}
