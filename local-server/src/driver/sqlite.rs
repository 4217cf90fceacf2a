//! SQLite: one writer, several readers, one file.
//!
//! A connection has a thread of its own, so a statement costs two changes of threads, more than
//! most lookups themselves; those that come at the same time share them: see
//! [`lookups`](super::lookups).

use std::ops::DerefMut;
use std::path::Path;
use std::slice;
use std::sync::Arc;

use async_trait::async_trait;
use colloquy_core::store::driver::{Access, Driver, DriverError, Param, Step};
use deadpool::managed::{Manager, Metrics, Pool, RecycleResult};
use futures_util::TryFutureExt as _;
use sqlx::sqlite::{
    SqliteArguments, SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous,
};
use sqlx::{Arguments, AssertSqlSafe, ConnectOptions, Connection};
use tokio::time::timeout;

use super::lookups::{self, Lookups, Owned, Reader};
use super::pool::{acquire, close, pool};
use super::{ACQUIRE_TIMEOUT, RUN_TIMEOUT, common_error, timed_out};

/// A [`Driver`] over an SQLite file in WAL mode.
///
/// All writes go through one connection: they queue here, in order, instead of competing for
/// SQLite's lock, and readers do not disturb them.
#[derive(Debug, Clone)]
pub struct SqliteDriver {
    writer: Pool<Connections>,
    readers: Pool<Connections>,
    lookups: Lookups<Pool<Connections>>,
}

/// What makes connections. To a file, they do not age: none is tested or replaced.
#[derive(Debug)]
struct Connections(SqliteConnectOptions);

impl Manager for Connections {
    type Type = SqliteConnection;
    type Error = sqlx::Error;

    async fn create(&self) -> Result<SqliteConnection, sqlx::Error> {
        self.0.connect().await
    }

    async fn recycle(&self, _: &mut SqliteConnection, _: &Metrics) -> RecycleResult<sqlx::Error> {
        Ok(())
    }
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
        let options = SqliteConnectOptions::new()
            .filename(path)
            .journal_mode(SqliteJournalMode::Wal)
            // FULL syncs the log with every commit: what was acknowledged survives a power cut,
            // not only the end of the process. NORMAL would be faster and lose the last moments.
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(RUN_TIMEOUT)
            .foreign_keys(true)
            .disable_statement_logging();
        let driver = Self::over(
            pool(Connections(options.clone()), 1)?,
            pool(Connections(options.read_only(true)), readers)?,
        );
        driver.writer().await?;
        Ok(driver)
    }

    /// A database that ends with this driver. It has one connection, for readers too.
    ///
    /// # Errors
    /// `Unavailable` when memory is short.
    pub async fn in_memory() -> Result<Self, DriverError> {
        let options = SqliteConnectOptions::new()
            .in_memory(true)
            .foreign_keys(true)
            .disable_statement_logging();
        let one = pool(Connections(options), 1)?;
        let driver = Self::over(one.clone(), one);
        driver.writer().await?;
        Ok(driver)
    }

    fn over(writer: Pool<Connections>, readers: Pool<Connections>) -> Self {
        let size = readers.status().max_size;
        Self {
            lookups: Lookups::new(readers.clone(), size),
            writer,
            readers,
        }
    }

    /// The one connection that may write.
    ///
    /// # Errors
    /// `Unavailable` when somebody else does not give it back, or it cannot be opened.
    pub async fn writer(
        &self,
    ) -> Result<impl DerefMut<Target = SqliteConnection> + use<>, DriverError> {
        acquire(&self.writer)
            .await
            .map_err(|error| driver_error(&error))
    }

    /// Closes every connection, the writer last: it folds the log back into the file.
    pub async fn close(&self) {
        close(&self.readers).await;
        close(&self.writer).await;
    }

    /// `begin immediate` takes the write lock at once: a transaction that first reads and then
    /// writes could otherwise be refused half way, when another process wrote in between.
    async fn write(&self, steps: &[Step<'_>]) -> Result<Vec<Option<String>>, sqlx::Error> {
        let mut connection = acquire(&self.writer).await?;
        let mut transaction = connection.begin_with("begin immediate").await?;
        let answers = run_steps(&mut transaction, steps).await?;
        transaction.commit().await?;
        Ok(answers)
    }
}

#[async_trait]
impl Driver for SqliteDriver {
    async fn run(
        &self,
        access: Access,
        steps: &[Step<'_>],
    ) -> Result<Vec<Option<String>>, DriverError> {
        // A transaction that is dropped here is rolled back before its connection is used again.
        in_time(async {
            match (access, steps) {
                (Access::Lookup, [step]) => Ok(vec![self.lookups.look(step).await?]),
                (Access::Lookup | Access::Read, _) => read(&self.readers, steps).await,
                (Access::Write, _) => self
                    .write(steps)
                    .await
                    .map_err(|error| driver_error(&error)),
            }
        })
        .await
    }
}

impl Reader for Pool<Connections> {
    const FOR_MANY: fn(&str, &[Owned]) -> String = lookups::with_json;

    async fn one(&self, step: &Step<'_>) -> Result<Option<String>, DriverError> {
        let mut answers = in_time(read(self, slice::from_ref(step))).await?;
        Ok(answers.pop().flatten())
    }

    async fn many(
        &self,
        text: &Arc<str>,
        asked: &[Vec<Owned>],
    ) -> Result<Vec<Option<String>>, DriverError> {
        let asked = serde_json::to_string(asked)
            .map_err(|error| DriverError::Unexpected(format!("no JSON: {error}")))?;
        let work = async {
            sqlx::query_scalar(AssertSqlSafe(Arc::clone(text)))
                .bind(asked)
                .fetch_all(&mut *acquire(self).await?)
                .await
        };
        in_time(work.map_err(|error| driver_error(&error))).await
    }
}

async fn read(
    pool: &Pool<Connections>,
    steps: &[Step<'_>],
) -> Result<Vec<Option<String>>, DriverError> {
    let work = async { run_steps(&mut *acquire(pool).await?, steps).await };
    work.await.map_err(|error| driver_error(&error))
}

async fn in_time<T>(work: impl Future<Output = Result<T, DriverError>>) -> Result<T, DriverError> {
    timeout(ACQUIRE_TIMEOUT + RUN_TIMEOUT, work)
        .await
        .unwrap_or_else(|_| Err(timed_out()))
}

async fn run_steps(
    connection: &mut SqliteConnection,
    steps: &[Step<'_>],
) -> Result<Vec<Option<String>>, sqlx::Error> {
    let mut answers = Vec::with_capacity(steps.len());
    for step in steps {
        let arguments = arguments(&step.params)?;
        let row = sqlx::query_scalar_with::<_, Option<String>, _>(step.statement.text, arguments)
            .fetch_optional(&mut *connection)
            .await?;
        answers.push(row.flatten());
    }
    Ok(answers)
}

fn arguments(params: &[Param<'_>]) -> Result<SqliteArguments, sqlx::Error> {
    let mut arguments = SqliteArguments::default();
    for param in params {
        match *param {
            Param::Int(value) => arguments.add(value),
            Param::OptionalInt(value) => arguments.add(value),
            Param::Text(value) => arguments.add(value),
            Param::OptionalText(value) => arguments.add(value),
        }
        .map_err(sqlx::Error::Encode)?;
    }
    Ok(arguments)
}

/// SQLite's result codes: <https://www.sqlite.org/rescode.html>. The low byte is the kind.
fn driver_error(error: &sqlx::Error) -> DriverError {
    const BUSY: u32 = 5;
    const LOCKED: u32 = 6;
    const NOMEM: u32 = 7;
    const INTERRUPT: u32 = 9;
    const IOERR: u32 = 10;
    const FULL: u32 = 13;
    const CANTOPEN: u32 = 14;
    const CONSTRAINT: u32 = 19;
    let sqlx::Error::Database(database) = error else {
        return common_error(error);
    };
    let code = database
        .code()
        .and_then(|code| code.parse::<u32>().ok())
        .unwrap_or_default();
    match code & 0xff {
        BUSY | LOCKED | NOMEM | INTERRUPT | IOERR | FULL | CANTOPEN => {
            DriverError::Unavailable(database.message().to_owned())
        }
        // SQLite names the columns, not the constraint.
        CONSTRAINT => DriverError::Constraint(database.message().to_owned()),
        _ => DriverError::Unexpected(database.message().to_owned()),
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
