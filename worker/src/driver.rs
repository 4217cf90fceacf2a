//! PostgreSQL by `tokio_postgres`: one statement, one round trip.
//!
//! Statements have built-in types alone and answer one row with one text column: what a connection
//! pool between this and the server (Hyperdrive) carries without knowing the session. A connection
//! that is kept has the server keep its statements, too (see [`Session`]). Owns connections and how
//! long to wait for them; what a connection runs over is brought by a [`Connect`], so that the
//! store contract holds this driver natively too.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use colloquy_core::store::driver::{Access, Driver, DriverError, Param, Step};
use futures_util::future::join;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Error, Row, Statement};

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
    kept: Mutex<Option<Session>>,
    /// Whether the server is asked to keep statements: until that has failed once.
    prepares: AtomicBool,
}

impl<C: Connect> TypedDriver<C> {
    /// A driver that connects anew for every statement: where a connection may not outlive the
    /// request it was made for.
    pub const fn connecting(connect: C) -> Self {
        Self {
            connect,
            keeps: false,
            kept: Mutex::new(None),
            prepares: AtomicBool::new(true),
        }
    }

    /// A driver that keeps a connection until it is released.
    pub const fn keeping(connect: C) -> Self {
        Self {
            connect,
            keeps: true,
            kept: Mutex::new(None),
            prepares: AtomicBool::new(true),
        }
    }

    /// Closes the connection that is kept.
    pub fn release(&self) {
        drop(self.take());
    }

    fn take(&self) -> Option<Session> {
        self.kept
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
            .filter(|session| !session.client.is_closed())
    }

    async fn connect(&self) -> Result<Session, Failure> {
        let client = self.connect.connect().await.map_err(Failure::Driver)?;
        Ok(Session {
            client,
            known: Vec::new(),
        })
    }

    async fn run_step(&self, access: Access, step: &Step<'_>) -> Result<Option<String>, Failure> {
        let kept = self.take();
        let reused = kept.is_some();
        let mut session = match kept {
            Some(session) => session,
            None => self.connect().await?,
        };
        let answer = match session.run(step, &self.prepares).await {
            // A kept connection may have ended unnoticed; what only reads is asked again.
            Err(error) if reused && access != Access::Write && is_lost(&error) => {
                session = self.connect().await?;
                session.run(step, &self.prepares).await
            }
            answer => answer,
        };
        let answer = answer.map_err(Failure::Postgres)?;
        if self.keeps {
            *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(session);
        }
        Ok(answer)
    }
}

/// A connection, and the statements that have run on it.
///
/// To plan a large statement takes the server longer than to run it. One that comes a second time
/// is therefore prepared, by the protocol's own means, and from then on run by its name. A pool
/// between this and the server must carry that over to whichever connection of its own it uses;
/// where one does not, it says so before anything is run, and nothing is prepared any more.
struct Session {
    client: Client,
    /// By name; with what the server keeps, once it has been asked to.
    known: Vec<(&'static str, Option<Statement>)>,
}

impl Session {
    async fn run(
        &mut self,
        step: &Step<'_>,
        prepares: &AtomicBool,
    ) -> Result<Option<String>, Error> {
        let name = step.statement.name;
        let found = self.known.iter_mut().find(|(known, _)| *known == name);
        match found {
            _ if !prepares.load(Ordering::Relaxed) => query(&self.client, step).await,
            None => {
                self.known.push((name, None));
                query(&self.client, step).await
            }
            Some((_, kept @ None)) => {
                // Both at once: to prepare is no round trip of its own.
                let types: Vec<Type> = step.params.iter().map(|param| typed(param).1).collect();
                let prepare = self.client.prepare_typed(step.statement.text, &types);
                let (answer, ready) = join(query(&self.client, step), prepare).await;
                prepares.fetch_and(ready.is_ok(), Ordering::Relaxed);
                *kept = ready.ok();
                answer
            }
            Some((_, Some(ready))) => {
                let params: Vec<_> = step.params.iter().map(|param| typed(param).0).collect();
                match self.client.query(&*ready, &params).await {
                    Err(error) if error.code() == Some(&SqlState::INVALID_SQL_STATEMENT_NAME) => {
                        tracing::warn!("the database forgets prepared statements");
                        prepares.store(false, Ordering::Relaxed);
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

/// What an error of `tokio_postgres` amounts to.
pub fn driver_error(error: &Error) -> DriverError {
    match error.as_db_error() {
        Some(error) => {
            DriverError::of_postgres(error.code().code(), error.constraint(), error.message())
        }
        // Everything else that happens to a connection in order is that it ends.
        None => DriverError::Unavailable(error.to_string()),
    }
}
