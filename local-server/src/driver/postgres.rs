//! PostgreSQL through sqlx: a pool, prepared statements, one round trip a batch.
//!
//! Concurrent lookups share a round trip: see [`coalesced_lookups`](super::coalesced_lookups).

use std::fmt;
use std::io;
use std::ops::DerefMut;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use colloquy_core::store::driver::{Access, Driver, DriverError, Param, Step};
use deadpool::managed::{Manager, Metrics, Object, Pool, RecycleError, RecycleResult};
use sqlx::postgres::{PgArguments, PgConnectOptions, PgConnection};
use sqlx::{Arguments, AssertSqlSafe, ConnectOptions, Connection, Executor};
use tokio::time::{sleep, timeout};

use super::coalesced_lookups::{CoalescedLookups, Reader};
use super::owned_param::OwnedParam;
use super::pool::{acquire, close, pool};
use super::{RUN_TIMEOUT, common_error, timed_out};

/// Runs on every new connection. The server cancels a statement just before this side gives up.
const SETTINGS: &str = "set statement_timeout = '4s'";

/// A connection that was idle for longer is pinged before use.
const TRUSTED_IDLE: Duration = Duration::from_secs(15);

/// The retry interval while the server is starting.
const STARTING_RETRY: Duration = Duration::from_millis(50);

/// A connection that was idle for longer is closed: it holds server memory, and a NAT or firewall may
/// have dropped its state.
const MAX_IDLE: Duration = Duration::from_mins(5);

/// A connection that is older is replaced, which frees the caches of its server process.
const MAX_AGE: Duration = Duration::from_mins(30);

/// A [`Driver`] over a pool of PostgreSQL connections.
#[derive(Debug, Clone)]
pub struct PostgresDriver {
    pool: Pool<Connections>,
    lookups: CoalescedLookups<Pool<Connections>>,
}

/// Opens connections and decides which may be reused.
struct Connections(PgConnectOptions);

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The options hold a password.
        f.debug_struct("Connections").finish_non_exhaustive()
    }
}

impl Manager for Connections {
    type Type = PgConnection;
    type Error = sqlx::Error;

    /// Retries while the server is starting, up to the pool's own timeout.
    async fn create(&self) -> Result<PgConnection, sqlx::Error> {
        let mut connection = loop {
            match self.0.connect().await {
                Err(error) if is_starting(&error) => sleep(STARTING_RETRY).await,
                connection => break connection?,
            }
        };
        connection.execute(SETTINGS).await?;
        Ok(connection)
    }

    async fn recycle(
        &self,
        connection: &mut PgConnection,
        metrics: &Metrics,
    ) -> RecycleResult<sqlx::Error> {
        if metrics.age() > MAX_AGE {
            return Err(RecycleError::message("too old"));
        }
        if metrics.last_used() > TRUSTED_IDLE {
            connection.ping().await?;
        }
        Ok(())
    }
}

impl PostgresDriver {
    /// A driver for this server. Connects with the first statement.
    ///
    /// # Errors
    /// `Unexpected` when the URL is malformed.
    pub fn new(url: &str, pool_size: u32) -> Result<Self, DriverError> {
        // The error could show the URL, and with it the password.
        let options: PgConnectOptions = url
            .parse()
            .map_err(|_| DriverError::Unexpected("the PostgreSQL URL is malformed".to_owned()))?;
        let options = options
            .application_name("colloquy-local-server")
            .disable_statement_logging();
        let pool = pool(Connections(options), pool_size)?;
        Ok(Self {
            lookups: CoalescedLookups::new(pool.clone(), pool.status().max_size),
            pool,
        })
    }

    /// Closes idle connections at once, and each other one when its statement ends.
    pub async fn close(&self) {
        close(&self.pool).await;
    }

    /// A connection of the pool.
    ///
    /// # Errors
    /// `Unavailable` when none is idle in time, or the server is unreachable.
    pub async fn acquire(
        &self,
    ) -> Result<impl DerefMut<Target = PgConnection> + use<>, DriverError> {
        acquire(&self.pool)
            .await
            .map_err(|error| driver_error(&error))
    }

    /// A connection outside of the pool and without its statement timeout, for migrations.
    ///
    /// # Errors
    /// `Unavailable` when the server is unreachable.
    pub async fn connect(&self) -> Result<PgConnection, DriverError> {
        PgConnection::connect_with(&self.pool.manager().0)
            .await
            .map_err(|error| driver_error(&error))
    }
}

#[async_trait]
impl Driver for PostgresDriver {
    async fn run(
        &self,
        access: Access,
        steps: &[Step<'_>],
    ) -> Result<Vec<Option<String>>, DriverError> {
        let [step] = steps else {
            return Err(DriverError::Unexpected(
                "a PostgreSQL batch has one step".to_owned(),
            ));
        };
        let result = match access {
            Access::Lookup => self.lookups.run(step).await,
            Access::Read => self.pool.one(step).await,
            Access::Write => run_step(&self.pool, step)
                .await
                .map_err(|error| driver_error(&error)),
        };
        result.map(|result| vec![result])
    }
}

impl Reader for Pool<Connections> {
    async fn one(&self, step: &Step<'_>) -> Result<Option<String>, DriverError> {
        read(|| run_step(self, step)).await
    }

    async fn many(
        &self,
        text: &Arc<str>,
        callers: &[Vec<OwnedParam>],
    ) -> Result<Vec<Option<String>>, DriverError> {
        read(|| run_many(self, text, callers)).await
    }
}

/// Runs a read. It is repeated once on a lost connection: after a restart of the server every pooled
/// connection fails once.
async fn read<T, F>(run: impl Fn() -> F) -> Result<T, DriverError>
where
    F: Future<Output = Result<T, sqlx::Error>>,
{
    let result = match run().await {
        Err(error) if is_lost(&error) => run().await,
        result => result,
    };
    result.map_err(|error| driver_error(&error))
}

async fn run_step(
    pool: &Pool<Connections>,
    step: &Step<'_>,
) -> Result<Option<String>, sqlx::Error> {
    let arguments = arguments(&step.params)?;
    let query = sqlx::query_scalar_with::<_, Option<String>, _>(step.statement.text, arguments);
    Lease::of(pool)
        .await?
        .run(|connection| query.fetch_optional(connection))
        .await
        .map(Option::flatten)
}

async fn run_many(
    pool: &Pool<Connections>,
    text: &Arc<str>,
    callers: &[Vec<OwnedParam>],
) -> Result<Vec<Option<String>>, sqlx::Error> {
    let arguments = arrays(callers)?;
    let text = AssertSqlSafe(Arc::clone(text));
    let query = sqlx::query_scalar_with::<_, Vec<Option<String>>, _>(text, arguments);
    Lease::of(pool)
        .await?
        .run(|connection| query.fetch_one(connection))
        .await
}

/// An array for each parameter.
fn arrays(callers: &[Vec<OwnedParam>]) -> Result<PgArguments, sqlx::Error> {
    let mut arguments = PgArguments::default();
    for (index, kind) in callers.first().into_iter().flatten().enumerate() {
        let values = callers.iter().map(|params| params.get(index));
        match kind {
            OwnedParam::Int(_) => {
                let ints = values.map(|value| match value {
                    Some(OwnedParam::Int(value)) => *value,
                    _ => None,
                });
                arguments.add(ints.collect::<Vec<_>>())
            }
            OwnedParam::Text(_) => {
                let texts = values.map(|value| match value {
                    Some(OwnedParam::Text(value)) => value.as_deref(),
                    _ => None,
                });
                arguments.add(texts.collect::<Vec<_>>())
            }
        }
        .map_err(sqlx::Error::Encode)?;
    }
    Ok(arguments)
}

/// A connection that returns to the pool only when its statement ended. When the statement timed out
/// or its future was dropped, the connection is closed instead: the next bytes on it belong to that
/// statement, and a stalled server may never send them.
struct Lease<'p> {
    pool: &'p Pool<Connections>,
    connection: Option<Object<Connections>>,
    finished: bool,
}

impl<'p> Lease<'p> {
    async fn of(pool: &'p Pool<Connections>) -> Result<Self, sqlx::Error> {
        drop(pool.retain(|_, metrics| metrics.last_used() < MAX_IDLE));
        Ok(Self {
            pool,
            connection: Some(acquire(pool).await?),
            finished: false,
        })
    }

    async fn run<'c, T, F>(
        &'c mut self,
        query: impl FnOnce(&'c mut PgConnection) -> F,
    ) -> Result<T, sqlx::Error>
    where
        F: Future<Output = Result<T, sqlx::Error>>,
    {
        let connection = self.connection.as_deref_mut();
        let connection = connection.ok_or(sqlx::Error::PoolClosed)?;
        let result = timeout(RUN_TIMEOUT, query(connection))
            .await
            .unwrap_or_else(|_| Err(sqlx::Error::Io(io::ErrorKind::TimedOut.into())));
        if result.as_ref().is_err_and(is_lost) {
            // The server has closed the others, too.
            drop(self.pool.retain(|_, _| false));
        } else {
            self.finished = matches!(&result, Ok(_) | Err(sqlx::Error::Database(_)));
        }
        result
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take()
            && !self.finished
        {
            drop(Object::take(connection));
        }
    }
}

fn arguments(params: &[Param<'_>]) -> Result<PgArguments, sqlx::Error> {
    let mut arguments = PgArguments::default();
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

/// The port is closed, or the server rejects connections for now: `cannot_connect_now`,
/// `too_many_connections`.
fn is_starting(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(error) => error.kind() == io::ErrorKind::ConnectionRefused,
        sqlx::Error::Database(error) => {
            matches!(error.code().as_deref(), Some("57P03" | "53300"))
        }
        _ => false,
    }
}

/// The connection was closed before or while the statement ran.
fn is_lost(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(error) => error.kind() != io::ErrorKind::TimedOut,
        // What the server sends before it closes connections: admin_shutdown, crash_shutdown.
        sqlx::Error::Database(error) => {
            matches!(error.code().as_deref(), Some("57P01" | "57P02"))
        }
        _ => false,
    }
}

fn driver_error(error: &sqlx::Error) -> DriverError {
    match error {
        sqlx::Error::Database(database) => DriverError::of_postgres(
            &database.code().unwrap_or_default(),
            database.constraint(),
            database.message(),
        ),
        sqlx::Error::Io(io) if io.kind() == io::ErrorKind::TimedOut => timed_out(),
        _ => common_error(error),
    }
}
