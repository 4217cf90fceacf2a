//! What a store needs of a database connection, and nothing more.
//!
//! A driver owns connections, transactions, timeouts and the telling apart of errors. It knows
//! neither tables nor JSON. To bring another database client: implement [`Driver`], and run the
//! contract suite (`testing::store_contract`) over it.

use async_trait::async_trait;
use thiserror::Error;

/// One statement of `core/sql/`.
#[derive(Debug)]
pub struct Statement {
    /// `area/verb`, for traces and errors.
    pub name: &'static str,
    /// The SQL. Parameters are `$1` … in PostgreSQL and `?1` … in SQLite.
    pub text: &'static str,
}

/// A positional parameter. Only these types exist, since not every driver at the edge can carry
/// others; a list travels as one text, in JSON or as PostgreSQL writes an array.
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
    /// What to run.
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

/// What a batch does, for drivers that keep readers and the writer apart, and that may repeat
/// what only reads when a connection turns out to be dead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// It reads a few rows by their keys, which are parameters: so little that the exchange costs
    /// more than the work. A driver may do it for several callers in one, or where it is asked.
    Lookup,
    /// It changes nothing; the steps need no common snapshot.
    Read,
    /// It may change something: all of it or nothing.
    Write,
}

/// Why a batch was not done, as far as the database tells.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DriverError {
    /// Away, overloaded, too slow, or it gave way to another transaction. Whether the batch was
    /// done is unknown.
    #[error("{0}")]
    Unavailable(String),
    /// The batch would have broken this constraint, and was not done.
    #[error("it would break the constraint {0}")]
    Constraint(String),
    /// The statement is wrong, or the database is not what it should be.
    #[error("{0}")]
    Unexpected(String),
}

impl DriverError {
    /// What an error that PostgreSQL reports amounts to, by its SQLSTATE:
    /// <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
    pub fn of_postgres(sqlstate: &str, constraint: Option<&str>, message: &str) -> Self {
        // The class says whether the same statement may succeed later: 08 connection, 28 and 3D
        // a server that is not set up yet, 40 gave way to another, 53 resources, 55 and 57
        // locked, cancelled or shutting down, 58 its machine.
        const PASSING: [&str; 8] = ["08", "28", "3D", "40", "53", "55", "57", "58"];
        // A standby that has not been promoted yet.
        const READ_ONLY: &str = "25006";
        if let Some(name) = constraint {
            return Self::Constraint(name.to_owned());
        }
        let passing =
            sqlstate == READ_ONLY || PASSING.iter().any(|class| sqlstate.starts_with(class));
        if passing {
            Self::Unavailable(message.to_owned())
        } else {
            Self::Unexpected(format!("{message} ({sqlstate})"))
        }
    }
}

/// Runs statements. Cheap to share: an implementation holds a pool, or one connection.
#[async_trait]
pub trait Driver: Send + Sync {
    /// Runs the steps in order in one transaction, and answers with each step's first column of
    /// its first row, `None` where no row came back or where it was null.
    ///
    /// PostgreSQL is only ever given one step: it is its own transaction, one round trip. An
    /// implementation gives up after a few seconds with `Unavailable` rather than wait on.
    async fn run(
        &self,
        access: Access,
        steps: &[Step<'_>],
    ) -> Result<Vec<Option<String>>, DriverError>;
}

/// The statement of this name in `core/sql/<dialect>/`.
macro_rules! statement {
    ($dialect:literal, $name:literal) => {
        $crate::store::driver::Statement {
            name: $name,
            text: include_str!(concat!("../../sql/", $dialect, "/", $name, ".sql")),
        }
    };
}
pub(super) use statement;
