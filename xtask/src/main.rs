//! The commands of the repository: `cargo xtask <command>`.
//!
//! This file owns the list of commands. Each command is a thin module with its options; the work is
//! done by libraries: `colloquy-harness` (private servers), `colloquy-architecture` (checks),
//! `colloquy-cost`. To add a command, add a module and a variant to [`Command`].

mod check;
mod cost;
mod dry_run;
mod edge;
mod fuzz;
mod report;
mod schemathesis;
mod simulator;
mod smoke;
mod test;
mod torture;
mod web;
mod wire;
mod worker_build;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use colloquy_harness::processes;

/// The result of a command: whether everything passed.
type Verdict = Result<bool>;

#[derive(Parser)]
#[command(bin_name = "cargo xtask", about = "Tasks of this repository")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Benchmark every host and the baselines, on private servers.
    Bench(colloquy_bench_runner::Options),
    /// Run the architecture checks on the source tree.
    Check,
    /// Build the pages of the browser into web/dist, or check that they are built.
    Web(web::WebOptions),
    /// Write the descriptions of the wire and the TypeScript types from the Rust types.
    Wire,
    /// Build the Worker into worker/build, with build tools in locked versions.
    WorkerBuild(worker_build::WorkerBuildOptions),
    /// Run the edge deployment on this machine until Ctrl-C.
    Edge(edge::EdgeOptions),
    /// Run `wrangler deploy --dry-run` for each environment.
    DryRun,
    /// Run the smoke suite against a running server.
    Smoke(smoke::SmokeOptions),
    /// Compute the monthly cost of the edge deployment.
    Cost(cost::CostOptions),
    /// Send requests generated from the `OpenAPI` description to a private server.
    Schemathesis(schemathesis::SchemathesisOptions),
    /// Simulate many seeded worlds of the Room, on every core.
    Simulate(simulator::Worlds),
    /// Run the fuzz targets longer than the tests do, or replay a case.
    Fuzz(fuzz::FuzzOptions),
    /// Check that the simulator detects each mutation of the Room.
    Mutate(simulator::Mutants),
    /// Run chaos plus consistency check (Jepsen style) on private servers.
    Torture(torture::TortureOptions),
    /// Run every test on private servers; installs what is missing.
    Test(test::TestOptions),
}

fn main() -> ExitCode {
    if let Some(code) = processes::reap_if_requested() {
        return code;
    }
    match run(Cli::parse().command) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Verdict {
    match command {
        Command::Bench(options) => colloquy_bench_runner::run(&options),
        Command::Check => check::command(),
        Command::Web(options) => web::command(&options),
        Command::Wire => wire::command(),
        Command::WorkerBuild(options) => worker_build::command(&options),
        Command::Edge(options) => edge::command(&options),
        Command::DryRun => dry_run::command(),
        Command::Smoke(options) => smoke::command(&options),
        Command::Cost(options) => cost::command(&options),
        Command::Schemathesis(options) => schemathesis::command(&options),
        Command::Simulate(options) => simulator::simulate(&options),
        Command::Fuzz(options) => fuzz::command(&options),
        Command::Mutate(options) => simulator::mutate(&options),
        Command::Torture(options) => torture::command(&options),
        Command::Test(options) => test::command(&options),
    }
}

/// Parses a positive number of minutes or seconds.
fn positive(text: &str) -> Result<f64, String> {
    let number = text.parse().unwrap_or(f64::NAN);
    if number > 0.0 && f64::is_finite(number) {
        Ok(number)
    } else {
        Err("expected a number above 0".to_owned())
    }
}

/// Parses the options of one command, for unit tests.
#[cfg(test)]
fn parsed<T: clap::Args>(line: &str) -> Result<T, clap::Error> {
    let command = T::augment_args(clap::Command::new("command").no_binary_name(true));
    let matches = command.try_get_matches_from(line.split_whitespace())?;
    T::from_arg_matches(&matches)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn command_line_definition_is_valid() {
        super::Cli::command().debug_assert();
    }
}
