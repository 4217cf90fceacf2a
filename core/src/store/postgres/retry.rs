//! Statements that are run again when a concurrent transaction overtook them.
//!
//! A statement reads the snapshot of its start (READ COMMITTED), also after it has waited for
//! another transaction. Where that transaction may have done what this one was about to do, the
//! statement returns null or violates a unique constraint, and is run again: the new snapshot shows
//! the other transaction's rows.

use crate::ports::StoreError;
use crate::store::driver::Statement;

/// How often a statement is run at most. A third run is needed only when the rows that the second
/// run should see are deleted again.
pub(super) const ATTEMPTS: usize = 3;

/// The error after [`ATTEMPTS`] runs. A later call may well succeed.
pub(super) fn overtaken(statement: &Statement) -> StoreError {
    StoreError::Unavailable(format!("{} was overtaken {ATTEMPTS} times", statement.name))
}
