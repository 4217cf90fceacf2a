//! Running steps on an SQLite connection, on the calling thread.

use colloquy_core::ports::DatabaseProblem;
use colloquy_core::store::driver::{DriverError, Param, Statement, Step};
use rusqlite::{Connection, ErrorCode};

use super::owned_param::OwnedParam;

/// The result of a batch: one for each step.
pub(super) type StepResults = Result<Vec<Option<String>>, DriverError>;

/// A step that outlives the call.
#[derive(Debug)]
pub(super) struct OwnedStep {
    statement: &'static Statement,
    params: Vec<OwnedParam>,
}

impl OwnedStep {
    /// Copies the steps.
    pub(super) fn copy(steps: &[Step<'_>]) -> Vec<Self> {
        let copy = |step: &Step<'_>| Self {
            statement: step.statement,
            params: step.params.iter().copied().map(OwnedParam::from).collect(),
        };
        steps.iter().map(copy).collect()
    }

    fn borrow(&self) -> Step<'_> {
        let params: Vec<_> = self.params.iter().map(Param::from).collect();
        Step::new(self.statement, params)
    }
}

/// Runs the steps in order; returns the first column of each one's first row.
pub(super) fn run_steps(
    connection: &Connection,
    steps: &[Step<'_>],
) -> rusqlite::Result<Vec<Option<String>>> {
    let results = steps.iter().map(|step| run_step(connection, step));
    results.collect()
}

/// As [`run_steps`].
pub(super) fn run_owned(
    connection: &Connection,
    steps: &[OwnedStep],
) -> rusqlite::Result<Vec<Option<String>>> {
    let results = steps
        .iter()
        .map(|step| run_step(connection, &step.borrow()));
    results.collect()
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
    let first = match rows.next()? {
        Some(row) => row.get(0)?,
        None => return Ok(None),
    };
    // A statement that writes is done only when it has been stepped to its end.
    while rows.next()?.is_some() {}
    Ok(first)
}

/// The error after the database was closed.
pub(super) fn closed() -> DriverError {
    DriverError::Unavailable("the database is closed".to_owned())
}

/// Classifies SQLite's result codes: <https://www.sqlite.org/rescode.html>.
pub(super) fn driver_error(error: &rusqlite::Error) -> DriverError {
    let rusqlite::Error::SqliteFailure(code, message) = error else {
        return DriverError::Unexpected(error.to_string());
    };
    let message = message.clone().unwrap_or_else(|| code.to_string());
    let refused = |problem| DriverError::Refused(problem, message.clone());
    match code.code {
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => refused(DatabaseProblem::Locked),
        ErrorCode::ReadOnly => refused(DatabaseProblem::ReadOnly),
        ErrorCode::DiskFull => refused(DatabaseProblem::DiskFull),
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => refused(DatabaseProblem::Corrupt),
        ErrorCode::SystemIoFailure => refused(DatabaseProblem::InputOutput),
        ErrorCode::OutOfMemory | ErrorCode::OperationInterrupted | ErrorCode::CannotOpen => {
            DriverError::Unavailable(message)
        }
        // SQLite names the columns, not the constraint.
        ErrorCode::ConstraintViolation => DriverError::Constraint(message),
        _ => DriverError::Unexpected(message),
    }
}
