//! Builds the native servers.
//!
//! The Worker is built by `worker`.

use std::path::PathBuf;

use anyhow::Result;

use crate::processes::Processes;
use crate::tools;

/// The programs every host needs. At the edge the local server runs the operator's commands.
pub const PROGRAMS: &[&str] = &["colloquy-local-server", "colloquy-redis-http"];

/// Builds the local server and the Redis proxy.
pub fn servers(processes: &Processes, release: bool) -> Result<()> {
    for name in PROGRAMS {
        program(processes, name, release)?;
    }
    Ok(())
}

/// Builds one program, whose package has the same name.
pub fn program(processes: &Processes, name: &str, release: bool) -> Result<()> {
    let mut cargo = tools::cargo();
    cargo.args(["build", "--package", name, "--bin", name]);
    if release {
        cargo.arg("--release");
    }
    processes.succeed(&mut cargo)
}

/// The directory cargo puts programs of this profile into.
pub fn program_directory(release: bool) -> PathBuf {
    tools::target_directory().join(if release { "release" } else { "debug" })
}
