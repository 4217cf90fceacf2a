//! The lines that a smoke run prints.

use std::fmt::Display;
use std::io::Write as _;

/// Prints a line to standard error directly: the test harness discards the captured output of tests
/// that pass.
pub(crate) fn report(what: impl Display) {
    let _ = writeln!(std::io::stderr(), "      {what}");
}
