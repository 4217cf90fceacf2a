//! `PgBouncer`, for the tests that run the server behind it. Each test starts its own.

use std::path::Path;

use anyhow::Result;

use crate::debian;
use crate::processes::Processes;

/// Debian installs it here, outside an ordinary user's PATH.
const PROGRAM: &str = "/usr/sbin/pgbouncer";

/// Installs it where it is missing.
pub fn install(processes: &Processes) -> Result<()> {
    if Path::new(PROGRAM).exists() {
        return Ok(());
    }
    debian::install(processes, &["pgbouncer"], "the tests")
}
