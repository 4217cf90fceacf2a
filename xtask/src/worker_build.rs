//! `cargo xtask worker-build`: builds the Worker. `wrangler deploy` runs it too.

use colloquy_harness::processes::Processes;
use colloquy_harness::worker::{self, WorkerBuild};

use crate::Verdict;

/// Which Worker is built; by default the one that is deployed.
#[derive(clap::Args)]
pub(crate) struct WorkerBuildOptions {
    /// Build fast; the result runs slowly.
    #[arg(long)]
    dev: bool,
    /// Build the Worker with injected faults into worker/build-faults.
    #[arg(long, conflicts_with = "dev")]
    faults: bool,
}

/// `cargo xtask worker-build`
pub(crate) fn command(options: &WorkerBuildOptions) -> Verdict {
    let build = match options {
        WorkerBuildOptions { dev: true, .. } => WorkerBuild::Development,
        WorkerBuildOptions { faults: true, .. } => WorkerBuild::Faults,
        WorkerBuildOptions { .. } => WorkerBuild::Deployed,
    };
    // `wrangler` runs this command after the Worker was built.
    if std::env::var_os(worker::BUILT).is_none() {
        worker::build(&Processes::open()?, build)?;
    }
    Ok(true)
}
