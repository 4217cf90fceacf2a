//! SQLite: one writer, several readers, one file.
//!
//! SQLite runs on the calling thread. Reads run on tokio's blocking threads. Writes run on a single
//! thread ([`sqlite_writer`](super::sqlite_writer)), which runs a whole batch and waits for the disk.
//!
//! Lookups run on the calling thread itself: most of them take less time than waking another thread
//! (docs/decisions/0003-native-io.md). Correctness does not depend on it: as reads they return the
//! same results.

use std::path::{Path, PathBuf};
use std::slice;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use colloquy_core::ports::DatabaseProblem;
use colloquy_core::store::driver::{Access, Driver, DriverError, PROBE_TIMEOUT, Step};
use rusqlite::{Connection, OpenFlags};
use sqlx::ConnectOptions as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::sqlite_steps::{OwnedStep, StepResults, closed, driver_error, run_owned, run_steps};
use super::sqlite_writer::SqliteWriter;
use super::{ACQUIRE_TIMEOUT, RUN_TIMEOUT, common_error, timed_out};
use crate::private_files::{DATA_FILE_MODE, DATA_FOLDER_MODE, create_folder, with_mode};

/// Prepared statements per connection: more than there are statements.
const STATEMENT_CACHE_SIZE: usize = 100;

/// How long a probe waits for a lock of another process: less than [`PROBE_TIMEOUT`], so that it
/// reports the lock.
const PROBE_BUSY_TIMEOUT: Duration = Duration::from_millis(500);

/// A [`Driver`] over an SQLite file in WAL mode.
///
/// All writes go through one connection, in order, instead of competing for SQLite's lock. Readers do
/// not block them.
#[derive(Debug, Clone)]
pub struct SqliteDriver(Arc<Database>);

#[derive(Debug)]
struct Database {
    location: Location,
    readers: Readers,
    writer: SqliteWriter,
    /// A statement has met a damaged page. A probe reads few pages, so it would not find it again.
    corruption_found: AtomicBool,
}

/// The file, or the name of a database in memory.
#[derive(Debug, Clone)]
struct Location {
    path: PathBuf,
    in_memory: bool,
    /// Which file it was when it was opened.
    file: Option<FileId>,
}

/// Device and inode.
type FileId = (u64, u64);

/// Connections that read. None for a database in memory, where they and the writer would block each
/// other.
#[derive(Debug)]
struct Readers {
    /// Idle connections, the most recently used last; `None` once closed.
    idle: Mutex<Option<Vec<Connection>>>,
    /// Bounds the reads on blocking threads.
    background: Arc<Semaphore>,
    max_idle: u32,
}

impl SqliteDriver {
    /// Opens the file; creates it and its folder when they are missing. Both are then readable by
    /// their owner only, and so are the files SQLite keeps beside it.
    ///
    /// # Errors
    /// `Unavailable` when it cannot be created or opened.
    pub async fn open(path: &Path, readers: u32) -> Result<Self, DriverError> {
        create_private(path).map_err(|error| {
            DriverError::Unavailable(format!("cannot create {}: {error}", path.display()))
        })?;
        let location = Location {
            path: path.to_owned(),
            in_memory: false,
            file: file_id(path),
        };
        Self::at(location, readers).await
    }

    /// A database in memory that is dropped with this driver.
    ///
    /// # Errors
    /// `Unavailable` when memory is short.
    pub async fn in_memory() -> Result<Self, DriverError> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let name = format!("file:colloquy-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let location = Location {
            path: name.into(),
            in_memory: true,
            file: None,
        };
        Self::at(location, 0).await
    }

    async fn at(location: Location, readers: u32) -> Result<Self, DriverError> {
        let writer = {
            let location = location.clone();
            in_background(move || location.open_writer().map_err(|error| driver_error(&error)))
        };
        let database = Database {
            writer: SqliteWriter::spawn(writer.await?)?,
            corruption_found: AtomicBool::new(false),
            location,
            readers: Readers {
                idle: Mutex::new(Some(Vec::new())),
                background: Arc::new(Semaphore::new(readers.try_into().unwrap_or(usize::MAX))),
                max_idle: readers,
            },
        };
        Ok(Self(Arc::new(database)))
    }

    /// A connection of sqlx, for migrations.
    ///
    /// # Errors
    /// `Unavailable` when it cannot be opened.
    pub async fn connect(&self) -> Result<SqliteConnection, DriverError> {
        let Location {
            path, in_memory, ..
        } = &self.0.location;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .in_memory(*in_memory)
            .shared_cache(*in_memory)
            .busy_timeout(RUN_TIMEOUT)
            .foreign_keys(true)
            .disable_statement_logging();
        let connection = options.connect().await;
        connection.map_err(|error| common_error(&error))
    }

    /// Closes every connection, the writer last: it checkpoints the WAL into the file.
    pub async fn close(&self) {
        let readers = &self.0.readers;
        readers.lock().take();
        // A running read returns its permit after its connection is closed.
        drop(readers.background.acquire_many(readers.max_idle).await);
        readers.background.close();
        self.0.writer.close().await;
    }
}

#[async_trait]
impl Driver for SqliteDriver {
    async fn run(&self, access: Access, steps: &[Step<'_>]) -> StepResults {
        let database = &self.0;
        let work = async {
            match access {
                _ if database.location.in_memory => database.writer.write(steps).await,
                Access::Lookup => database.look_up(steps),
                Access::Read => database.read(steps).await,
                Access::Write => database.writer.write(steps).await,
                Access::Probe => return database.probe(steps).await,
            }
        };
        let results = timeout(ACQUIRE_TIMEOUT + RUN_TIMEOUT, work)
            .await
            .unwrap_or_else(|_| Err(timed_out(RUN_TIMEOUT)));
        if let Err(DriverError::Refused(DatabaseProblem::Corrupt, _)) = &results {
            database.corruption_found.store(true, Ordering::Relaxed);
        }
        results
    }
}

impl Database {
    /// Reads on the calling thread.
    fn look_up(&self, steps: &[Step<'_>]) -> StepResults {
        let connection = self.reader()?;
        let results = run_steps(&connection, steps);
        self.readers.put_back(connection);
        results.map_err(|error| driver_error(&error))
    }

    /// Reads on a blocking thread.
    async fn read(self: &Arc<Self>, steps: &[Step<'_>]) -> StepResults {
        let permit = Arc::clone(&self.readers.background).acquire_owned().await;
        let permit = permit.map_err(|_| closed())?;
        let (database, steps) = (Arc::clone(self), OwnedStep::copy(steps));
        in_background(move || {
            let connection = database.reader()?;
            let results = run_owned(&connection, &steps);
            database.readers.put_back(connection);
            // Held to the end even when the caller is gone: see `close`.
            drop(permit);
            results.map_err(|error| driver_error(&error))
        })
        .await
    }

    /// Writes, and reads through a new connection: the kept ones have the first pages in memory.
    async fn probe(self: &Arc<Self>, steps: &[Step<'_>]) -> StepResults {
        let refused = |problem, reason: &str| Err(DriverError::Refused(problem, reason.to_owned()));
        if self.corruption_found.load(Ordering::Relaxed) {
            let reason = "a statement has met a damaged page since the start";
            return refused(DatabaseProblem::Corrupt, reason);
        }
        if file_id(&self.location.path) != self.location.file {
            let reason = "another file, or none, is at its path; restart the server";
            return refused(DatabaseProblem::Replaced, reason);
        }
        let Some((read, write)) = steps.split_last() else {
            return Ok(Vec::new());
        };
        let work = async {
            let mut results = self.writer.run(write, PROBE_BUSY_TIMEOUT).await?;
            let (database, read) = (Arc::clone(self), OwnedStep::copy(slice::from_ref(read)));
            let read = in_background(move || {
                let connection = database.location.open_reader();
                let read = connection.and_then(|connection| run_owned(&connection, &read));
                read.map_err(|error| driver_error(&error))
            });
            results.append(&mut read.await?);
            Ok(results)
        };
        match timeout(PROBE_TIMEOUT, work).await {
            Ok(results) => results,
            Err(_) if self.writer.waits_for_lock() => {
                refused(DatabaseProblem::Locked, "a batch waits for the lock")
            }
            Err(_) => Err(timed_out(PROBE_TIMEOUT)),
        }
    }

    /// An idle reader, or a new one.
    fn reader(&self) -> Result<Connection, DriverError> {
        let idle = self.readers.lock().as_mut().ok_or_else(closed)?.pop();
        let reader = idle.map_or_else(|| self.location.open_reader(), Ok);
        reader.map_err(|error| driver_error(&error))
    }
}

impl Readers {
    /// Keeps the connection, unless there are enough or the driver is closed.
    fn put_back(&self, connection: Connection) {
        if let Some(idle) = &mut *self.lock()
            && idle.len() < self.max_idle.try_into().unwrap_or(usize::MAX)
        {
            idle.push(connection);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Vec<Connection>>> {
        // A panic cannot leave the list half changed.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Location {
    fn open_writer(&self) -> rusqlite::Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
        let connection = self.open(flags)?;
        if !self.in_memory {
            connection.pragma_update(None, "journal_mode", "wal")?;
            // FULL syncs the WAL with every commit: an acknowledged write survives a power failure,
            // not only the end of the process. NORMAL is faster and loses the latest commits.
            connection.pragma_update(None, "synchronous", "full")?;
        }
        connection.pragma_update(None, "foreign_keys", true)?;
        Ok(connection)
    }

    fn open_reader(&self) -> rusqlite::Result<Connection> {
        // It never waits: a writer does not block readers, and while ours is connected no other
        // process holds the exclusive lock.
        self.open(OpenFlags::SQLITE_OPEN_READ_ONLY)
    }

    fn open(&self, flags: OpenFlags) -> rusqlite::Result<Connection> {
        let cache = if self.in_memory {
            OpenFlags::SQLITE_OPEN_MEMORY
                | OpenFlags::SQLITE_OPEN_SHARED_CACHE
                | OpenFlags::SQLITE_OPEN_URI
        } else {
            OpenFlags::SQLITE_OPEN_PRIVATE_CACHE
        };
        // The borrow checker guarantees that one thread uses it at a time.
        let flags = flags | cache | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags)?;
        connection.busy_timeout(RUN_TIMEOUT)?;
        connection.set_prepared_statement_cache_capacity(STATEMENT_CACHE_SIZE);
        Ok(connection)
    }
}

/// `None` when there is no such file, or on a platform without inodes.
fn file_id(path: &Path) -> Option<FileId> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        let file = std::fs::metadata(path).ok()?;
        Some((file.dev(), file.ino()))
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        None
    }
}

async fn in_background<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, DriverError> + Send + 'static,
) -> Result<T, DriverError> {
    let failed = |error| DriverError::Unavailable(format!("{error}"));
    spawn_blocking(work).await.map_err(failed)?
}

/// Creates the file before SQLite does, which would leave it readable by others. SQLite gives the
/// files it adds the permissions of this one.
pub(crate) fn create_private(path: &Path) -> std::io::Result<()> {
    if let Some(folder) = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        create_folder(folder, DATA_FOLDER_MODE)?;
    }
    let mut options = std::fs::OpenOptions::new();
    options.append(true).create(true);
    with_mode(&mut options, DATA_FILE_MODE).open(path).map(drop)
}
