//! PostgreSQL by `tokio_postgres`: one statement, one round trip, no prepared statements.
//!
//! Statements run by `query_typed` with built-in types alone and answer one row with one text
//! column: what a connection pool between this and the server (Hyperdrive) carries without
//! knowing the session. Owns connections and how long to wait for them; what a connection runs
//! over is brought by a [`Connect`], so that the store contract holds this driver natively too.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use colloquy_core::store::driver::{Access, Driver, DriverError, Param, Step};
use tokio_postgres::Client;
use tokio_postgres::types::{ToSql, Type};

/// How long connecting and a statement may take together. Every statement is served by an index;
/// one that takes this long is waiting for a database that is as good as away.
pub const RUN_TIMEOUT: Duration = Duration::from_secs(5);

/// How connections are made.
#[async_trait]
pub trait Connect: Send + Sync {
    /// A connected client; whatever moves its bytes has been started.
    async fn connect(&self) -> Result<Client, DriverError>;

    /// Returns after this time.
    async fn delay(&self, time: Duration);
}

/// A [`Driver`] that connects when it has to.
pub struct TypedDriver<C> {
    connect: C,
    /// Whether a connection is kept for the next statement, until [`Self::release`].
    keeps: bool,
    kept: Mutex<Option<Client>>,
}

impl<C: Connect> TypedDriver<C> {
    /// A driver that connects anew for every statement: where a connection may not outlive the
    /// request it was made for.
    pub const fn connecting(connect: C) -> Self {
        Self {
            connect,
            keeps: false,
            kept: Mutex::new(None),
        }
    }

    /// A driver that keeps a connection until it is released.
    pub const fn keeping(connect: C) -> Self {
        Self {
            connect,
            keeps: true,
            kept: Mutex::new(None),
        }
    }

    /// Closes the connection that is kept.
    pub fn release(&self) {
        drop(self.take());
    }

    fn take(&self) -> Option<Client> {
        self.kept
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
            .filter(|client| !client.is_closed())
    }

    async fn run_step(&self, access: Access, step: &Step<'_>) -> Result<Option<String>, Failure> {
        let kept = self.take();
        let reused = kept.is_some();
        let client = match kept {
            Some(client) => client,
            None => self.connect.connect().await.map_err(Failure::Driver)?,
        };
        let answer = match query(&client, step).await {
            // A kept connection may have ended unnoticed; what only reads is asked again.
            Err(error) if reused && access != Access::Write && is_lost(&error) => {
                let client = self.connect.connect().await.map_err(Failure::Driver)?;
                return query(&client, step).await.map_err(Failure::Postgres);
            }
            answer => answer.map_err(Failure::Postgres)?,
        };
        if self.keeps {
            *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(client);
        }
        Ok(answer)
    }
}

enum Failure {
    Driver(DriverError),
    Postgres(tokio_postgres::Error),
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
                "PostgreSQL takes one step at a time".to_owned(),
            ));
        };
        tracing::debug!(statement = step.statement.name, "the database is asked");
        let work = std::pin::pin!(self.run_step(access, step));
        let answer = match futures_util::future::select(work, self.connect.delay(RUN_TIMEOUT)).await
        {
            futures_util::future::Either::Left((answer, _)) => answer,
            futures_util::future::Either::Right(((), _)) => {
                return Err(DriverError::Unavailable(format!(
                    "no answer within {} s",
                    RUN_TIMEOUT.as_secs()
                )));
            }
        };
        answer
            .map(|answer| vec![answer])
            .map_err(|error| match error {
                Failure::Driver(error) => error,
                Failure::Postgres(error) => driver_error(&error),
            })
    }
}

/// Whether the connection is to blame rather than the statement.
fn is_lost(error: &tokio_postgres::Error) -> bool {
    matches!(driver_error(error), DriverError::Unavailable(_))
}

async fn query(client: &Client, step: &Step<'_>) -> Result<Option<String>, tokio_postgres::Error> {
    let params: Vec<(&(dyn ToSql + Sync), Type)> = step.params.iter().map(typed).collect();
    let rows = client.query_typed(step.statement.text, &params).await?;
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

/// What an error of `tokio_postgres` amounts to.
pub fn driver_error(error: &tokio_postgres::Error) -> DriverError {
    match error.as_db_error() {
        Some(error) => {
            DriverError::of_postgres(error.code().code(), error.constraint(), error.message())
        }
        // Everything else that happens to a connection in order is that it ends.
        None => DriverError::Unavailable(error.to_string()),
    }
}
