//! `backup` and `restore` of an embedded database. PostgreSQL has its own tools.
//!
//! Owns the order of steps on the file system: a copy is complete, verified and on disk before it
//! gets its name, and the files of the database it replaces are kept under another name. SQLite
//! makes the copies. The lock against running servers is in [`crate::single_server`].

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail, ensure};
use colloquy_core::config::{Database, DatabasePooler, SecretKey, Settings};
use colloquy_core::ports::Rng as _;
use colloquy_core::service::security_events::SecurityEvent;
use rusqlite::{Connection, OpenFlags};

use crate::admin::{new_epoch, require, runtime};
use crate::clock::{SystemClock, SystemRng};
use crate::driver::Backend;
use crate::logging::Logging;
use crate::migrate::{SchemaError, check_schema};
use crate::owner::{folder_of, give_to, give_to_owner_of_folder};
use crate::single_server::DatabaseLock;

/// What SQLite's integrity check returns for an intact database.
const INTACT: &str = "ok";

/// Copies the database into a new file, also while a server runs.
pub fn backup(settings: &Settings, target: &Path) -> anyhow::Result<()> {
    let source = embedded(settings)?;
    require(source)?;
    ensure!(
        fs::symlink_metadata(target).is_err(),
        "{} exists already; give a new name",
        target.display()
    );
    let draft = Draft::beside(target)?;
    copy(source, &draft.path)?;
    draft.publish(target)?;
    println!(
        "{} is a complete copy of {}",
        target.display(),
        source.display()
    );
    if let SecretKey::CreateBeside(key) = &settings.secret_key {
        println!("keep {} with it: it signs the tokens", key.display());
    }
    Ok(())
}

/// Replaces the database by a backup, with a new epoch. No server may run.
pub fn restore(settings: &Settings, backup: &Path) -> anyhow::Result<()> {
    let _logs = Logging::of(settings).install_for_command(Arc::new(SystemClock))?;
    let database = embedded(settings)?;
    require(backup)?;
    let _lock = DatabaseLock::exclusive(database)?;
    let draft = Draft::beside(database)?;
    copy(backup, &draft.path)?;
    runtime()?.block_on(prepare(&draft.path))?;
    draft.take_owner_and_mode(database)?;
    let kept = set_aside(database)?;
    draft.publish(database)?;
    SecurityEvent::DatabaseRestored.report(None, None);
    println!(
        "{} is restored from {}",
        database.display(),
        backup.display()
    );
    if let Some(kept) = kept {
        println!("the previous database is kept as {}", kept.display());
    }
    println!("start the server; clients then load their history again");
    Ok(())
}

/// The file of the configured database.
fn embedded(settings: &Settings) -> anyhow::Result<&Path> {
    match &settings.database {
        Database::Sqlite(path) => Ok(path),
        Database::SqliteInMemory => bail!("a database in memory has no file"),
        Database::Postgres(_) => bail!(
            "this is for SQLite: use pg_dump and pg_restore for PostgreSQL, then run `colloquy-local-server renew-epoch`"
        ),
    }
}

/// Copies one consistent state of the database into the empty file, and verifies the copy.
fn copy(source: &Path, target: &Path) -> anyhow::Result<()> {
    let connection = open(source)?;
    // The copy is made row by row and would hide a damaged index.
    verify(&connection).with_context(|| format!("{} is damaged", source.display()))?;
    let name = target.to_str().context("the path is not UTF-8")?;
    connection
        .execute("vacuum into ?1", [name])
        .with_context(|| format!("{} cannot be copied", source.display()))?;
    verify(&open(target)?).context("the copy is damaged")
}

fn open(path: &Path) -> anyhow::Result<Connection> {
    // Not read-only: the write-ahead log of a killed server is recovered first.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(path, flags)
        .with_context(|| format!("{} cannot be opened", path.display()))
}

fn verify(connection: &Connection) -> anyhow::Result<()> {
    let report: String =
        connection.pragma_query_value(None, "integrity_check", |row| row.get(0))?;
    ensure!(report == INTACT, "the integrity check reports: {report}");
    Ok(())
}

/// Checks the schema of a copy and renews its epoch. An older schema is migrated at the next start.
async fn prepare(copy: &Path) -> anyhow::Result<()> {
    let database = Database::Sqlite(copy.to_owned());
    let backend = Backend::open(&database, DatabasePooler::None, 1).await?;
    let checked = match check_schema(&backend).await {
        Ok(()) | Err(SchemaError::Older { .. }) => Ok(()),
        Err(SchemaError::Missing) => bail!("the file is not a database of this program"),
        Err(error) => Err(error.into()),
    };
    let renewed = match checked {
        Ok(()) => backend
            .store()
            .renew_epoch(&new_epoch())
            .await
            .map_err(Into::into),
        Err(error) => Err(error),
    };
    backend.close().await;
    renewed
}

/// Keeps the current files under other names, so that a wrong restore loses nothing. The write-ahead
/// log must not stay: SQLite would apply it to the restored file.
fn set_aside(database: &Path) -> anyhow::Result<Option<PathBuf>> {
    let kept = with_suffix(database, ".before-restore");
    if fs::metadata(database).is_err() {
        remove(&with_suffix(database, "-wal"))?;
        remove(&with_suffix(database, "-shm"))?;
        return Ok(None);
    }
    // Empties the log into the file, and fails if a program has the database open. A damaged one
    // keeps its log.
    match open(database).and_then(|connection| Ok(leave_wal(&connection)?)) {
        Err(error) if is_busy(&error) => {
            bail!(
                "another program has {} open: stop it first",
                database.display()
            )
        }
        _ => {}
    }
    rename(&with_suffix(database, "-wal"), &with_suffix(&kept, "-wal"))?;
    remove(&with_suffix(database, "-shm"))?;
    remove(&kept)?;
    // A second name, so that the database has its own at any moment: a server would create a new one.
    // Some file systems have no such links.
    if fs::hard_link(database, &kept).is_err() {
        rename(database, &kept)?;
    }
    Ok(Some(kept))
}

fn leave_wal(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "journal_mode", "delete")
}

fn is_busy(error: &anyhow::Error) -> bool {
    let code = error
        .downcast_ref::<rusqlite::Error>()
        .and_then(rusqlite::Error::sqlite_error_code);
    code == Some(rusqlite::ErrorCode::DatabaseBusy)
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

/// A missing file is already removed.
fn remove(path: &Path) -> anyhow::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("{} cannot be removed", path.display()))
        }
        _ => Ok(()),
    }
}

/// Renames a file that may be missing.
fn rename(from: &Path, to: &Path) -> anyhow::Result<()> {
    match fs::rename(from, to) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("{} cannot be renamed", from.display()))
        }
        // An older one of that name does not belong to the file renamed now.
        Err(_) => remove(to),
        Ok(()) => Ok(()),
    }
}

/// A file that gets its name when it is complete; removed if it does not.
struct Draft {
    path: PathBuf,
}

impl Draft {
    /// An empty file in the same folder, readable by its owner only.
    fn beside(target: &Path) -> anyhow::Result<Self> {
        let mut bytes = [0; 4];
        SystemRng.fill(&mut bytes);
        let suffix = format!(".draft-{:08x}", u32::from_le_bytes(bytes));
        let path = with_suffix(target, &suffix);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options
            .open(&path)
            .with_context(|| format!("{} cannot be created", path.display()))?;
        Ok(Self { path })
    }

    /// Gives it the owner and the permissions of the file it replaces; of a missing one the owner of
    /// the folder.
    fn take_owner_and_mode(&self, replaced: &Path) -> anyhow::Result<()> {
        let given = match fs::metadata(replaced) {
            Ok(existing) => fs::set_permissions(&self.path, existing.permissions())
                .and_then(|()| give_to(&self.path, &existing)),
            Err(_) => give_to_owner_of_folder(&self.path),
        };
        given.context("the file cannot be given to the owner of the database: run this as that user or as root")
    }

    /// Flushes it to disk and gives it its name.
    fn publish(self, target: &Path) -> anyhow::Result<()> {
        File::open(&self.path)?.sync_all()?;
        fs::rename(&self.path, target)
            .with_context(|| format!("{} cannot be created", target.display()))?;
        // The name is durable with its folder. Not every system can open one.
        File::open(folder_of(target))
            .and_then(|folder| folder.sync_all())
            .ok();
        Ok(())
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        for suffix in ["", "-wal", "-shm", "-journal"] {
            fs::remove_file(with_suffix(&self.path, suffix)).ok();
        }
    }
}
