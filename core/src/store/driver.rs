//! The interface between a store and a database client.
//!
//! A driver owns connections, transactions, timeouts and the classification of errors. It knows
//! neither tables nor JSON. To add a database client: implement [`Driver`], and run the contract
//! suite (`tests/contract`) over it.

use std::time::Duration;

use async_trait::async_trait;
use thiserror::Error;

use crate::ports::DatabaseProblem;

/// How long a probe may take. Load balancers give up soon after a second.
pub const PROBE_TIMEOUT: Duration = Duration::from_millis(900);

/// One statement of `core/sql/`.
#[derive(Debug)]
pub struct Statement {
    /// `resource/verb`, for traces and errors.
    pub name: &'static str,
    /// The SQL. Parameters are `$1` … in PostgreSQL and `?1` … in SQLite.
    pub text: &'static str,
}

/// A positional parameter. Not every driver at the edge can carry other types; a list is one text,
/// in JSON or in PostgreSQL's array syntax.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Param<'a> {
    /// A `bigint`.
    Int(i64),
    /// A `bigint`, or null.
    OptionalInt(Option<i64>),
    /// A `text`.
    Text(&'a str),
    /// A `text`, or null.
    OptionalText(Option<&'a str>),
}

/// A statement with its parameters.
#[derive(Debug)]
pub struct Step<'a> {
    /// The statement.
    pub statement: &'static Statement,
    /// As many as the statement has.
    pub params: Vec<Param<'a>>,
}

impl<'a> Step<'a> {
    /// The statement with these parameters.
    pub fn new(statement: &'static Statement, params: impl Into<Vec<Param<'a>>>) -> Self {
        Self {
            statement,
            params: params.into(),
        }
    }
}

/// What a batch does, for drivers that separate readers from the writer, and that may repeat a read
/// when a connection turns out to be dead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// It reads a few rows by their keys, which are parameters: the round trip costs more than the
    /// work. A driver may coalesce the lookups of several callers, or run one on the calling thread.
    Lookup,
    /// It changes nothing; the steps need no common snapshot.
    Read,
    /// It may write: all of it or nothing.
    Write,
    /// It writes to find out whether writes are possible, and must end within [`PROBE_TIMEOUT`]. Only
    /// the last of several steps reads; a driver runs it on a new connection.
    Probe,
}

/// Why a batch failed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DriverError {
    /// The database responds, but cannot do this now. Whether the batch was done is unknown.
    #[error("{1}")]
    Refused(DatabaseProblem, String),
    /// The database is unreachable, overloaded or too slow, or it aborted the transaction in favour
    /// of another. Whether the batch was done is unknown.
    #[error("{0}")]
    Unavailable(String),
    /// The batch violated this constraint and was rolled back.
    #[error("violates the constraint {0}")]
    Constraint(String),
    /// The statement is wrong, or the schema does not fit.
    #[error("{0}")]
    Unexpected(String),
}

impl DriverError {
    /// Classifies an error that PostgreSQL reports, by its SQLSTATE:
    /// <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
    pub fn of_postgres(sqlstate: &str, constraint: Option<&str>, message: &str) -> Self {
        // The class says whether the same statement may succeed later: 08 connection, 40
        // transaction rollback, 53 insufficient resources, 55 and 57 locked, cancelled or shutting
        // down, 58 system error.
        const TRANSIENT: [&str; 6] = ["08", "40", "53", "55", "57", "58"];
        if let Some(name) = constraint {
            return Self::Constraint(name.to_owned());
        }
        let problem = match sqlstate {
            // A standby, also one that has not been promoted yet.
            "25006" => Some(DatabaseProblem::ReadOnly),
            "53100" => Some(DatabaseProblem::DiskFull),
            "58030" => Some(DatabaseProblem::InputOutput),
            "55P03" => Some(DatabaseProblem::Locked),
            "XX001" | "XX002" => Some(DatabaseProblem::Corrupt),
            _ if sqlstate.starts_with("28") || sqlstate.starts_with("3D") => {
                Some(DatabaseProblem::Rejected)
            }
            _ => None,
        };
        if let Some(problem) = problem {
            Self::Refused(problem, format!("{message} ({sqlstate})"))
        } else if TRANSIENT.iter().any(|class| sqlstate.starts_with(class)) {
            Self::Unavailable(message.to_owned())
        } else {
            Self::Unexpected(format!("{message} ({sqlstate})"))
        }
    }
}

/// Runs statements. Cheap to share: an implementation holds a pool, or one connection.
#[async_trait]
pub trait Driver: Send + Sync {
    /// Runs the steps in order in one transaction, and returns for each the first column of its
    /// first row, `None` when there was no row or it was null.
    ///
    /// PostgreSQL only gets batches of one step: its own transaction, one round trip. An
    /// implementation fails with `Unavailable` after a few seconds instead of waiting longer.
    async fn run(
        &self,
        access: Access,
        steps: &[Step<'_>],
    ) -> Result<Vec<Option<String>>, DriverError>;
}

/// The statement of this name in `core/sql/<dialect>/`, as the build script composed it.
macro_rules! statement {
    ($dialect:literal, $name:literal) => {
        $crate::store::driver::Statement {
            name: $name,
            text: include_str!(concat!(
                env!("OUT_DIR"),
                "/sql/",
                $dialect,
                "/",
                $name,
                ".sql"
            )),
        }
    };
}
pub(super) use statement;
