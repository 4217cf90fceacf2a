//! How connections to PostgreSQL are opened, and which may be reused.
//!
//! Makes no session setting by a statement. A direct connection passes them when it starts; behind a
//! transaction pooler there are none, since the next statement may run on another connection
//! (docs/decisions/0035-transaction-poolers.md).

use std::fmt;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use colloquy_core::config::DatabasePooler;
use colloquy_core::ports::DatabaseProblem;
use colloquy_core::store::driver::DriverError;
use deadpool::managed::{Manager, Metrics, Object, Pool, RecycleError, RecycleResult};
use rand::Rng as _;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Connection};
use tokio::time::sleep;

use super::pool::acquire;
use super::{ACQUIRE_TIMEOUT, common_error, timed_out};

/// The server cancels a statement just before this side gives up.
const STATEMENT_TIMEOUT: &str = "4s";

/// Begins the transaction around a statement behind a pooler, with the same timeout, which ends with
/// the transaction.
pub(super) const BEGIN: &str = "begin; set local statement_timeout = '4s'";

/// The name of every server's connections, before what distinguishes servers.
const APPLICATION: &str = "colloquy-local-server";

/// A connection that was idle for longer is pinged before use.
const TRUSTED_IDLE: Duration = Duration::from_secs(15);

/// The retry interval while the server is starting.
const STARTING_RETRY: Duration = Duration::from_millis(50);

/// A connection that is older is replaced, which frees the caches of its server process.
const MAX_AGE: Duration = Duration::from_mins(30);

/// Opens connections and decides which may be reused.
pub(super) struct Connections {
    options: PgConnectOptions,
    pub(super) pooler: DatabasePooler,
    pub(super) application: String,
    /// The last failed attempt to connect while the server is starting: the reason when the pool's
    /// time runs out.
    last_failure: Mutex<Option<(Instant, String)>>,
}

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The options hold a password.
        f.debug_struct("Connections").finish_non_exhaustive()
    }
}

impl Connections {
    /// To the server of this URL.
    ///
    /// # Errors
    /// `Unexpected` when the URL is malformed.
    pub(super) fn to(url: &str, pooler: DatabasePooler) -> Result<Self, DriverError> {
        // The error could show the URL, and with it the password.
        let options: PgConnectOptions = url
            .parse()
            .map_err(|_| DriverError::Unexpected("the PostgreSQL URL is malformed".to_owned()))?;
        let application = format!("{APPLICATION} {:016x}", rand::rng().next_u64());
        let options = options
            .application_name(&application)
            // No statement reads a float, and poolers reject this parameter.
            .extra_float_digits(None::<i8>)
            .disable_statement_logging();
        Ok(Self {
            options,
            pooler,
            application,
            last_failure: Mutex::default(),
        })
    }

    /// A connection outside of the pool and without a statement timeout.
    pub(super) async fn connect_for_migrations(&self) -> Result<PgConnection, sqlx::Error> {
        PgConnection::connect_with(&self.options).await
    }

    async fn connect(&self) -> Result<PgConnection, sqlx::Error> {
        match self.pooler {
            DatabasePooler::None => {
                let options = self.options.clone();
                let options = options.options([("statement_timeout", STATEMENT_TIMEOUT)]);
                options.connect().await
            }
            DatabasePooler::Transaction => self.options.connect().await,
        }
    }

    fn last_failure(&self) -> MutexGuard<'_, Option<(Instant, String)>> {
        self.last_failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Why no connection was available in time.
    fn timed_out(&self) -> sqlx::Error {
        let failure = self.last_failure();
        let recent = failure
            .as_ref()
            .filter(|(at, _)| at.elapsed() < 2 * ACQUIRE_TIMEOUT);
        match recent {
            Some((_, reason)) => {
                sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, reason.clone()))
            }
            None => sqlx::Error::PoolTimedOut,
        }
    }
}

impl Manager for Connections {
    type Type = PgConnection;
    type Error = sqlx::Error;

    /// Retries while the server is starting, up to the pool's own timeout.
    async fn create(&self) -> Result<PgConnection, sqlx::Error> {
        loop {
            match self.connect().await {
                Err(error) if is_starting(&error) => {
                    *self.last_failure() = Some((Instant::now(), error.to_string()));
                    sleep(STARTING_RETRY).await;
                }
                connection => {
                    *self.last_failure() = None;
                    return connection;
                }
            }
        }
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

/// A connection of the pool, or the reason why there is none.
pub(super) async fn acquire_or_explain(
    pool: &Pool<Connections>,
) -> Result<Object<Connections>, sqlx::Error> {
    acquire(pool).await.map_err(|error| match error {
        sqlx::Error::PoolTimedOut => pool.manager().timed_out(),
        error => error,
    })
}

/// The error when a deadline shorter than the pool's passes.
pub(super) fn explain_timeout(pool: &Pool<Connections>, limit: Duration) -> DriverError {
    match pool.manager().timed_out() {
        sqlx::Error::PoolTimedOut => timed_out(limit),
        error => driver_error(&error),
    }
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

/// Classifies an error of sqlx.
pub(super) fn driver_error(error: &sqlx::Error) -> DriverError {
    match error {
        sqlx::Error::Database(database) => {
            let code = database.code().unwrap_or_default();
            if is_of_a_pooler(&code, database.message()) {
                let reason = format!(
                    "{} ({code}): set DATABASE_POOLER=transaction, or connect to PostgreSQL itself",
                    database.message()
                );
                return DriverError::Refused(DatabaseProblem::Pooled, reason);
            }
            DriverError::of_postgres(&code, database.constraint(), database.message())
        }
        sqlx::Error::Io(io) if io.kind() == io::ErrorKind::TimedOut => match io.get_ref() {
            Some(reason) => DriverError::Unavailable(reason.to_string()),
            None => timed_out(super::RUN_TIMEOUT),
        },
        _ => common_error(error),
    }
}

/// What only a transaction pooler causes: it rejects a parameter of the start, or a statement that was
/// prepared on another of its connections is missing or already there.
fn is_of_a_pooler(code: &str, message: &str) -> bool {
    matches!(code, "26000" | "42P05") || code == "08P01" && message.contains("startup parameter")
}
