//! PostgreSQL through `tokio_postgres`: one statement, one round trip.
//!
//! Statements use built-in types only and return one row with one text column, which a transaction
//! pooler (Hyperdrive) carries without session state. No session setting is made, since a pooler does
//! not keep it. A kept connection prepares its statements (see `KeptConnection`). Owns connections
//! and timeouts; the transport is a [`Connect`], so that the contract suite runs over this driver
//! natively too.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use colloquy_core::store::driver::{Access, Driver, DriverError, PROBE_TIMEOUT, Param, Step};
use futures_util::future::join;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Error, Row, Statement};

/// How long connecting and a statement may take together. Every statement is served by an index; one
/// that takes this long waits for a database that does not respond.
pub const RUN_TIMEOUT: Duration = Duration::from_secs(5);

/// Opens connections.
#[async_trait]
pub trait Connect: Send + Sync {
    /// A connected client, whose connection task is running.
    async fn connect(&self) -> Result<Client, DriverError>;

    /// Returns after this time.
    async fn delay(&self, time: Duration);
}

/// A [`Driver`] that connects on demand.
pub struct TypedDriver<C> {
    connect: C,
    /// Whether a connection is kept for the next statement, until [`Self::release`].
    keeps: bool,
    kept: Mutex<Option<KeptConnection>>,
    /// Whether statements are prepared: until a prepared statement was lost once.
    can_prepare: AtomicBool,
}

impl<C: Connect> TypedDriver<C> {
    /// A driver that connects for every statement: a connection may not outlive its request.
    pub const fn connecting(connect: C) -> Self {
        Self {
            connect,
            keeps: false,
            kept: Mutex::new(None),
            can_prepare: AtomicBool::new(true),
        }
    }

    /// A driver that keeps a connection until it is released.
    pub const fn keeping(connect: C) -> Self {
        Self {
            connect,
            keeps: true,
            kept: Mutex::new(None),
            can_prepare: AtomicBool::new(true),
        }
    }

    /// Closes the kept connection.
    pub fn release(&self) {
        drop(self.take());
    }

    fn take(&self) -> Option<KeptConnection> {
        self.kept
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
            .filter(|connection| !connection.client.is_closed())
    }

    async fn connect(&self) -> Result<KeptConnection, Failure> {
        let client = self.connect.connect().await.map_err(Failure::Driver)?;
        Ok(KeptConnection {
            client,
            statements: Vec::new(),
        })
    }

    async fn run_step(&self, access: Access, step: &Step<'_>) -> Result<Option<String>, Failure> {
        let kept = self.take();
        let reused = kept.is_some();
        let mut connection = match kept {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        let result = match connection.run(step, &self.can_prepare).await {
            // A kept connection may be closed already; a read is repeated.
            Err(error) if reused && access != Access::Write && is_lost(&error) => {
                connection = self.connect().await?;
                connection.run(step, &self.can_prepare).await
            }
            result => result,
        };
        let result = result.map_err(Failure::Postgres)?;
        if self.keeps {
            *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(connection);
        }
        Ok(result)
    }
}

/// A connection, and the statements that have run on it.
///
/// Parsing and planning a large statement takes the server longer than running it. A statement is
/// therefore prepared at its second run, by the protocol's own messages, and run by its name from then
/// on. A pooler must repeat that on whichever of its connections it uses. If it does not, the server
/// reports the unknown name before anything has run, and no further statement is prepared.
struct KeptConnection {
    client: Client,
    /// By name, each with its prepared statement from the second run on.
    statements: Vec<(&'static str, Option<Statement>)>,
}

impl KeptConnection {
    async fn run(
        &mut self,
        step: &Step<'_>,
        can_prepare: &AtomicBool,
    ) -> Result<Option<String>, Error> {
        let name = step.statement.name;
        let found = self.statements.iter_mut().find(|(key, _)| *key == name);
        match found {
            _ if !can_prepare.load(Ordering::Relaxed) => query(&self.client, step).await,
            None => {
                self.statements.push((name, None));
                query(&self.client, step).await
            }
            Some((_, prepared @ None)) => {
                // Both are pipelined: preparing adds no round trip.
                let types: Vec<Type> = step.params.iter().map(|param| typed(param).1).collect();
                let prepare = self.client.prepare_typed(step.statement.text, &types);
                let (result, ready) = join(query(&self.client, step), prepare).await;
                can_prepare.fetch_and(ready.is_ok(), Ordering::Relaxed);
                *prepared = ready.ok();
                result
            }
            Some((_, Some(ready))) => {
                let params: Vec<_> = step.params.iter().map(|param| typed(param).0).collect();
                match self.client.query(&*ready, &params).await {
                    Err(error) if error.code() == Some(&SqlState::INVALID_SQL_STATEMENT_NAME) => {
                        tracing::warn!("prepared statement lost, preparing disabled");
                        can_prepare.store(false, Ordering::Relaxed);
                        query(&self.client, step).await
                    }
                    rows => first(&rows?),
                }
            }
        }
    }
}

enum Failure {
    Driver(DriverError),
    Postgres(Error),
}

#[async_trait]
impl<C: Connect> Driver for TypedDriver<C> {
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
        tracing::debug!(statement = step.statement.name, "running a statement");
        let limit = if access == Access::Probe {
            PROBE_TIMEOUT
        } else {
            RUN_TIMEOUT
        };
        let work = std::pin::pin!(self.run_step(access, step));
        let result = match futures_util::future::select(work, self.connect.delay(limit)).await {
            futures_util::future::Either::Left((result, _)) => result,
            futures_util::future::Either::Right(((), _)) => {
                return Err(DriverError::Unavailable(format!(
                    "no answer within {limit:?}"
                )));
            }
        };
        result
            .map(|result| vec![result])
            .map_err(|error| match error {
                Failure::Driver(error) => error,
                Failure::Postgres(error) => driver_error(&error),
            })
    }
}

/// Whether the connection failed, not the statement.
fn is_lost(error: &Error) -> bool {
    matches!(driver_error(error), DriverError::Unavailable(_))
}

async fn query(client: &Client, step: &Step<'_>) -> Result<Option<String>, Error> {
    let params: Vec<(&(dyn ToSql + Sync), Type)> = step.params.iter().map(typed).collect();
    first(&client.query_typed(step.statement.text, &params).await?)
}

fn first(rows: &[Row]) -> Result<Option<String>, Error> {
    rows.first()
        .map_or(Ok(None), |row| row.try_get::<_, Option<String>>(0))
}

fn typed<'a>(param: &'a Param<'_>) -> (&'a (dyn ToSql + Sync), Type) {
    match param {
        Param::Int(value) => (value, Type::INT8),
        Param::OptionalInt(value) => (value, Type::INT8),
        Param::Text(value) => (value, Type::TEXT),
        Param::OptionalText(value) => (value, Type::TEXT),
    }
}

/// Classifies an error of `tokio_postgres`.
pub fn driver_error(error: &Error) -> DriverError {
    match error.as_db_error() {
        Some(error) => {
            DriverError::of_postgres(error.code().code(), error.constraint(), error.message())
        }
        // Any other error means that the connection is closed.
        None => DriverError::Unavailable(error.to_string()),
    }
}
