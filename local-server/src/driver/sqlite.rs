//! SQLite: one writer, several readers, one file.
//!
//! SQLite works in the thread that asks it, and most lookups take it less time than waking another
//! thread would: so they run where they are asked. What may take longer has threads of its own:
//! reads those that tokio has for work that blocks, writes a single one, which runs a whole batch
//! and waits for the disk.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use colloquy_core::store::driver::{Access, Driver, DriverError, Param, Statement, Step};
use rusqlite::{Connection, ErrorCode, OpenFlags};
use sqlx::ConnectOptions as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::owned::Owned;
use super::sqlite_writer::Writer;
use super::{ACQUIRE_TIMEOUT, RUN_TIMEOUT, common_error, timed_out};

/// More statements than there are.
const KEPT_STATEMENTS: usize = 100;

pub(super) type Answers = Result<Vec<Option<String>>, DriverError>;

/// A [`Driver`] over an SQLite file in WAL mode.
///
/// All writes go through one connection: they queue here, in order, instead of competing for
/// SQLite's lock, and readers do not disturb them.
#[derive(Debug, Clone)]
pub struct SqliteDriver(Arc<Database>);

#[derive(Debug)]
struct Database {
    place: Place,
    readers: Readers,
    writer: Writer,
}

/// Where the database is.
#[derive(Debug, Clone)]
struct Place {
    path: PathBuf,
    in_memory: bool,
}

/// Connections that read. None in memory, where they and the writer would lock each other out.
#[derive(Debug)]
struct Readers {
    /// Those that are free, the one used last on top; `None` once they are closed.
    free: Mutex<Option<Vec<Connection>>>,
    /// How many may be at work outside of the threads that ask.
    background: Arc<Semaphore>,
    most: u32,
}

impl SqliteDriver {
    /// Opens the file; makes it, and the folder it lies in, when they are missing. Both are then
    /// readable by their owner only, and so are the files SQLite keeps beside it.
    ///
    /// # Errors
    /// `Unavailable` when it cannot be made or opened.
    pub async fn open(path: &Path, readers: u32) -> Result<Self, DriverError> {
        create_private(path).map_err(|error| {
            DriverError::Unavailable(format!("cannot make {}: {error}", path.display()))
        })?;
        let path = path.to_owned();
        Self::over(
            Place {
                path,
                in_memory: false,
            },
            readers,
        )
        .await
    }

    /// A database that ends with this driver.
    ///
    /// # Errors
    /// `Unavailable` when memory is short.
    pub async fn in_memory() -> Result<Self, DriverError> {
        static MADE: AtomicU64 = AtomicU64::new(0);
        let name = format!("file:colloquy-{}", MADE.fetch_add(1, Ordering::Relaxed));
        let place = Place {
            path: name.into(),
            in_memory: true,
        };
        Self::over(place, 0).await
    }

    async fn over(place: Place, readers: u32) -> Result<Self, DriverError> {
        let writer = {
            let place = place.clone();
            in_background(move || place.open_writer().map_err(|error| driver_error(&error)))
        };
        let database = Database {
            writer: Writer::over(writer.await?)?,
            place,
            readers: Readers {
                free: Mutex::new(Some(Vec::new())),
                background: Arc::new(Semaphore::new(readers.try_into().unwrap_or(usize::MAX))),
                most: readers,
            },
        };
        Ok(Self(Arc::new(database)))
    }

    /// A connection of sqlx's own, for the schema and its history.
    ///
    /// # Errors
    /// `Unavailable` when it cannot be opened.
    pub async fn connect(&self) -> Result<SqliteConnection, DriverError> {
        let Place { path, in_memory } = &self.0.place;
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

    /// Closes every connection, the writer last: it folds the log back into the file.
    pub async fn close(&self) {
        let readers = &self.0.readers;
        readers.lock().take();
        // Whoever still reads gives its permit back when its connection is gone.
        drop(readers.background.acquire_many(readers.most).await);
        readers.background.close();
        self.0.writer.close().await;
    }
}

#[async_trait]
impl Driver for SqliteDriver {
    async fn run(&self, access: Access, steps: &[Step<'_>]) -> Answers {
        let database = &self.0;
        let work = async {
            match access {
                _ if database.place.in_memory => database.writer.write(own(steps)).await,
                Access::Lookup => database.look(steps),
                Access::Read => database.read(steps).await,
                Access::Write => database.writer.write(own(steps)).await,
            }
        };
        timeout(ACQUIRE_TIMEOUT + RUN_TIMEOUT, work)
            .await
            .unwrap_or_else(|_| Err(timed_out()))
    }
}

impl Database {
    /// Reads at once, in this thread.
    fn look(&self, steps: &[Step<'_>]) -> Answers {
        let connection = self.reader()?;
        let answers = run_steps(&connection, steps);
        self.readers.give_back(connection);
        answers.map_err(|error| driver_error(&error))
    }

    async fn read(self: &Arc<Self>, steps: &[Step<'_>]) -> Answers {
        let permit = Arc::clone(&self.readers.background).acquire_owned().await;
        let permit = permit.map_err(|_| closed())?;
        let (database, steps) = (Arc::clone(self), own(steps));
        in_background(move || {
            let connection = database.reader()?;
            let answers = run_owned(&connection, &steps);
            database.readers.give_back(connection);
            // Also when nobody waits any more: see `close`.
            drop(permit);
            answers.map_err(|error| driver_error(&error))
        })
        .await
    }

    /// A reader that is free, or a new one.
    fn reader(&self) -> Result<Connection, DriverError> {
        let free = self.readers.lock().as_mut().ok_or_else(closed)?.pop();
        let reader = free.map_or_else(|| self.place.open_reader(), Ok);
        reader.map_err(|error| driver_error(&error))
    }
}

impl Readers {
    /// One too many is closed, and every one once they are closed.
    fn give_back(&self, connection: Connection) {
        if let Some(free) = &mut *self.lock()
            && free.len() < self.most.try_into().unwrap_or(usize::MAX)
        {
            free.push(connection);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Vec<Connection>>> {
        // Each change leaves it whole.
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    fn open_writer(&self) -> rusqlite::Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
        let connection = self.open(flags)?;
        if !self.in_memory {
            connection.pragma_update(None, "journal_mode", "wal")?;
            // FULL syncs the log with every commit: what was acknowledged survives a power cut,
            // not only the end of the process. NORMAL would be faster and lose the last moments.
            connection.pragma_update(None, "synchronous", "full")?;
        }
        connection.pragma_update(None, "foreign_keys", true)?;
        Ok(connection)
    }

    fn open_reader(&self) -> rusqlite::Result<Connection> {
        // It waits for nobody: a writer does not keep readers out, and as long as ours is connected
        // nobody has the file alone.
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
        // One thread at a time has it, as the compiler sees to.
        let flags = flags | cache | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags)?;
        connection.busy_timeout(RUN_TIMEOUT)?;
        connection.set_prepared_statement_cache_capacity(KEPT_STATEMENTS);
        Ok(connection)
    }
}

/// A step that outlives the call.
#[derive(Debug)]
pub(super) struct OwnedStep {
    statement: &'static Statement,
    params: Vec<Owned>,
}

impl OwnedStep {
    fn borrow(&self) -> Step<'_> {
        let params: Vec<_> = self.params.iter().map(Param::from).collect();
        Step::new(self.statement, params)
    }
}

fn own(steps: &[Step<'_>]) -> Vec<OwnedStep> {
    let own = |step: &Step<'_>| OwnedStep {
        statement: step.statement,
        params: step.params.iter().copied().map(Owned::from).collect(),
    };
    steps.iter().map(own).collect()
}

/// Runs them in order; the first column of each one's first row.
pub(super) fn run_owned(
    connection: &Connection,
    steps: &[OwnedStep],
) -> rusqlite::Result<Vec<Option<String>>> {
    let steps: Vec<_> = steps.iter().map(OwnedStep::borrow).collect();
    run_steps(connection, &steps)
}

fn run_steps(connection: &Connection, steps: &[Step<'_>]) -> rusqlite::Result<Vec<Option<String>>> {
    steps
        .iter()
        .map(|step| run_step(connection, step))
        .collect()
}

fn run_step(connection: &Connection, step: &Step<'_>) -> rusqlite::Result<Option<String>> {
    let mut statement = connection.prepare_cached(step.statement.text)?;
    for (index, param) in step.params.iter().enumerate() {
        match *param {
            Param::Int(value) => statement.raw_bind_parameter(index + 1, value)?,
            Param::OptionalInt(value) => statement.raw_bind_parameter(index + 1, value)?,
            Param::Text(value) => statement.raw_bind_parameter(index + 1, value)?,
            Param::OptionalText(value) => statement.raw_bind_parameter(index + 1, value)?,
        }
    }
    let mut rows = statement.raw_query();
    let answer = match rows.next()? {
        Some(row) => row.get(0)?,
        None => return Ok(None),
    };
    // What it does is done when it has come to its end.
    while rows.next()?.is_some() {}
    Ok(answer)
}

async fn in_background<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, DriverError> + Send + 'static,
) -> Result<T, DriverError> {
    let broke = |error| DriverError::Unavailable(format!("{error}"));
    spawn_blocking(work).await.map_err(broke)?
}

pub(super) fn closed() -> DriverError {
    DriverError::Unavailable("the database was closed".to_owned())
}

/// SQLite's result codes: <https://www.sqlite.org/rescode.html>.
pub(super) fn driver_error(error: &rusqlite::Error) -> DriverError {
    let rusqlite::Error::SqliteFailure(code, message) = error else {
        return DriverError::Unexpected(error.to_string());
    };
    let message = message.clone().unwrap_or_else(|| code.to_string());
    match code.code {
        ErrorCode::DatabaseBusy
        | ErrorCode::DatabaseLocked
        | ErrorCode::OutOfMemory
        | ErrorCode::OperationInterrupted
        | ErrorCode::SystemIoFailure
        | ErrorCode::DiskFull
        | ErrorCode::CannotOpen => DriverError::Unavailable(message),
        // SQLite names the columns, not the constraint.
        ErrorCode::ConstraintViolation => DriverError::Constraint(message),
        _ => DriverError::Unexpected(message),
    }
}

/// Makes the file before SQLite does, which would leave it readable by others. SQLite gives the
/// files it adds the permissions of this one.
fn create_private(path: &Path) -> std::io::Result<()> {
    if let Some(folder) = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(folder)?;
    }
    let mut options = std::fs::OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}
