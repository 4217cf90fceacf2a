//! PostgreSQL through sqlx: a pool, prepared statements, one round trip a batch.
//!
//! Concurrent lookups share a round trip: see [`coalesced_lookups`](super::coalesced_lookups).

use std::io;
use std::ops::DerefMut;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use colloquy_core::config::DatabasePooler;
use colloquy_core::store::driver::{Access, Driver, DriverError, PROBE_TIMEOUT, Param, Step};
use deadpool::managed::{Object, Pool};
use sqlx::postgres::{PgArguments, PgConnection, PgRow};
use sqlx::query::QueryScalar;
use sqlx::{Arguments, AssertSqlSafe, Executor, Postgres};
use tokio::time::timeout;

use super::RUN_TIMEOUT;
use super::coalesced_lookups::{CoalescedLookups, Reader};
use super::owned_param::OwnedParam;
use super::pool::{close, pool};
use super::postgres_connections::{
    BEGIN, Connections, acquire_or_explain, driver_error, explain_timeout,
};

/// A connection that was idle for longer is closed: it holds server memory, and a NAT or firewall may
/// have dropped its state.
const MAX_IDLE: Duration = Duration::from_mins(5);

/// A [`Driver`] over a pool of PostgreSQL connections.
#[derive(Debug, Clone)]
pub struct PostgresDriver {
    pool: Pool<Connections>,
    lookups: CoalescedLookups<Pool<Connections>>,
}

impl PostgresDriver {
    /// A driver for this server. Connects with the first statement.
    ///
    /// # Errors
    /// `Unexpected` when the URL is malformed.
    pub fn new(url: &str, pool_size: u32) -> Result<Self, DriverError> {
        Self::behind(DatabasePooler::None, url, pool_size)
    }

    /// A driver for this server, which a pooler may be in front of.
    ///
    /// # Errors
    /// `Unexpected` when the URL is malformed.
    pub fn behind(pooler: DatabasePooler, url: &str, pool_size: u32) -> Result<Self, DriverError> {
        let pool = pool(Connections::to(url, pooler)?, pool_size)?;
        Ok(Self {
            lookups: CoalescedLookups::new(pool.clone(), pool.status().max_size),
            pool,
        })
    }

    /// Whether a transaction pooler is in front of the server.
    pub fn pooler(&self) -> DatabasePooler {
        self.pool.manager().pooler
    }

    /// The `application_name` of this driver's connections, different in every process.
    pub fn application(&self) -> &str {
        &self.pool.manager().application
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
        acquire_or_explain(&self.pool)
            .await
            .map_err(|error| driver_error(&error))
    }

    /// A connection outside of the pool and without its statement timeout, for migrations. They need
    /// a session, which a transaction pooler does not give.
    ///
    /// # Errors
    /// `Unavailable` when the server is unreachable.
    pub async fn connect(&self) -> Result<PgConnection, DriverError> {
        let connections = self.pool.manager();
        connections
            .connect_for_migrations()
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
            Access::Probe => timeout(PROBE_TIMEOUT, self.pool.one(step))
                .await
                .unwrap_or_else(|_| Err(explain_timeout(&self.pool, PROBE_TIMEOUT))),
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
        .fetch(query)
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
        .fetch(query)
        .await?
        .ok_or(sqlx::Error::RowNotFound)
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

/// A statement that returns one column.
type Scalar<'q, O> = QueryScalar<'q, Postgres, O, PgArguments>;

/// Runs a statement behind a transaction pooler. The driver prepares and runs it in two round trips;
/// the transaction keeps both on one connection of the server, and the statement has no name that
/// could remain there.
async fn fetch_in_transaction<'q, O>(
    connection: &mut PgConnection,
    query: Scalar<'q, O>,
) -> Result<Option<O>, sqlx::Error>
where
    O: Send + Unpin + 'q,
    (O,): for<'r> sqlx::FromRow<'r, PgRow>,
{
    connection.execute(BEGIN).await?;
    let result = query
        .persistent(false)
        .fetch_optional(&mut *connection)
        .await;
    let end = if result.is_ok() { "commit" } else { "rollback" };
    connection.execute(end).await?;
    result
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
            connection: Some(acquire_or_explain(pool).await?),
            finished: false,
        })
    }

    /// The first row.
    async fn fetch<'q, O>(&mut self, query: Scalar<'q, O>) -> Result<Option<O>, sqlx::Error>
    where
        O: Send + Unpin + 'q,
        (O,): for<'r> sqlx::FromRow<'r, PgRow>,
    {
        let pooler = self.pool.manager().pooler;
        let connection = self.connection.as_deref_mut();
        let connection = connection.ok_or(sqlx::Error::PoolClosed)?;
        let running = async {
            match pooler {
                DatabasePooler::None => query.fetch_optional(connection).await,
                DatabasePooler::Transaction => fetch_in_transaction(connection, query).await,
            }
        };
        let result = timeout(RUN_TIMEOUT, running)
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
