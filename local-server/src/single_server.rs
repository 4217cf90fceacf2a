//! Detects a second server on the same database, and keeps servers out of a database that is being
//! restored.
//!
//! Rooms live in the memory of one process, so one server uses a database. A second one is not
//! refused: `seq` stays dense, and in some deployments two overlap for a moment. It is logged.
//!
//! For SQLite a lock file is beside the database. Servers hold it shared, a restore holds it alone.
//! The system releases it when the process ends, also after a SIGKILL. For PostgreSQL the list of
//! sessions is read once, after the start.

use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use colloquy_core::config::Database;
use sqlx::Connection as _;

use crate::driver::{Backend, PostgresDriver, create_private};
use crate::migrate::SchemaError;
use crate::owner::give_to_owner_of_folder;

/// The other servers that are connected to this database now. The names of all servers' connections
/// begin with the same word and go on differently.
const OTHER_SERVERS: &str = "select count(distinct application_name)
    from pg_stat_activity
    where datname = current_database() and application_name <> $1
        and split_part(application_name, ' ', 1) = split_part($1, ' ', 1)";

/// The lock on an embedded database; released when it is dropped.
#[derive(Debug)]
pub struct DatabaseLock {
    _file: File,
}

impl DatabaseLock {
    /// For a server, before it opens the database. `None` for databases that are no file, and when
    /// the file system has no locks.
    ///
    /// # Errors
    /// The database is being restored, or the lock file cannot be created.
    pub fn for_server(database: &Database) -> anyhow::Result<Option<Self>> {
        let Database::Sqlite(path) = database else {
            return Ok(None);
        };
        let file = open(path)?;
        match file.try_lock() {
            Ok(()) => file.unlock()?,
            Err(TryLockError::WouldBlock) => log_second_server(),
            Err(TryLockError::Error(error)) => {
                tracing::warn!(%error, "no file locks, a second server would not be noticed");
                return Ok(None);
            }
        }
        if file.try_lock_shared().is_err() {
            bail!("{} is being restored", path.display());
        }
        Ok(Some(Self { _file: file }))
    }

    /// For a restore: no server uses the database, and none starts while this is held.
    ///
    /// # Errors
    /// A server uses the database, or the file system has no locks.
    pub fn exclusive(path: &Path) -> anyhow::Result<Self> {
        let file = open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => {
                bail!("a server uses {}: stop it first", path.display())
            }
            Err(TryLockError::Error(error)) => Err(error)
                .with_context(|| format!("{} cannot be locked", lock_path(path).display())),
        }
    }
}

fn lock_path(database: &Path) -> PathBuf {
    let mut path = OsString::from(database);
    path.push(".lock");
    path.into()
}

fn open(database: &Path) -> anyhow::Result<File> {
    let path = lock_path(database);
    let open = || -> io::Result<File> {
        create_private(&path)?;
        // Root creates it for a restore; the server's user must be able to open it.
        give_to_owner_of_folder(&path).ok();
        OpenOptions::new().append(true).open(&path)
    };
    open().with_context(|| format!("{} cannot be opened", path.display()))
}

/// Logs if another server is connected to the PostgreSQL database. Asked once: a second server is
/// the one that starts later.
pub async fn check_postgres(backend: &Backend) {
    let Backend::Postgres(driver) = backend else {
        return;
    };
    match other_servers(driver).await {
        Ok(0) => {}
        Ok(_) => log_second_server(),
        Err(error) => tracing::warn!(%error, "other servers on this database cannot be counted"),
    }
}

async fn other_servers(driver: &PostgresDriver) -> Result<i64, SchemaError> {
    let mut connection = driver.acquire().await?;
    // A transaction and a statement without a name: see `driver::postgres` on poolers.
    let mut transaction = connection.begin().await?;
    let count = sqlx::query_scalar(OTHER_SERVERS)
        .bind(driver.application())
        .persistent(false)
        .fetch_one(&mut *transaction)
        .await?;
    transaction.rollback().await?;
    Ok(count)
}

fn log_second_server() {
    tracing::warn!(
        "another server uses this database: its sockets receive messages of this one late"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_share_the_lock_and_a_restore_holds_it_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data/chat.sqlite3");
        let database = Database::Sqlite(path.clone());
        let first = DatabaseLock::for_server(&database).unwrap();
        let second = DatabaseLock::for_server(&database).unwrap();
        drop(first);
        let error = DatabaseLock::exclusive(&path).unwrap_err().to_string();
        assert!(error.contains("stop it first"), "{error}");
        drop(second);
        let restore = DatabaseLock::exclusive(&path).unwrap();
        let error = DatabaseLock::for_server(&database).unwrap_err().to_string();
        assert!(error.contains("is being restored"), "{error}");
        drop(restore);
        assert!(DatabaseLock::for_server(&database).unwrap().is_some());
    }
}
