//! The repository's own commands, run as `cargo xtask <command>`.
//!
//! This file owns the list of commands and nothing else; what a command is told is the `Options` of
//! the module that does the work. What a check forbids is in `check`, what the tests need is in
//! `test` and the modules it names. To add a command, add a variant to [`Command`] and its module.

mod check;
mod cost;
mod deploy;
mod edge;
mod fuzz;
mod report;
mod schemathesis;
mod simulator;
mod smoke;
mod test;
mod torture;
mod worker_build;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use colloquy_harness::processes;

/// What a command answers: whether everything it looked at was well.
type Verdict = Result<bool>;

#[derive(Parser)]
#[command(bin_name = "cargo xtask", about = "What is run on this repository")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Measure every host beside its peers, on private servers.
    Bench(colloquy_bench_runner::Options),
    /// Run the architecture checks on the source tree.
    Check,
    /// Build the Worker into worker/build, with every tool in its locked version.
    WorkerBuild(worker_build::Options),
    /// Run the whole edge on this machine, on stores of its own, until Ctrl-C.
    Edge(edge::Options),
    /// Do all `wrangler deploy` does for each environment, short of uploading.
    DryRun,
    /// Try what any deployed server must do, on one that is in use.
    Smoke(smoke::Options),
    /// Compute the monthly cost of the edge deployment.
    Cost(cost::Options),
    /// Make requests from the server's description of itself, on private servers.
    Schemathesis(schemathesis::Options),
    /// Let the Room live through many simulated worlds, on every core.
    Simulate(simulator::Worlds),
    /// Try hostile input for longer than the tests do, or one that failed again.
    Fuzz(fuzz::Options),
    /// Plant faults in copies of the Room and see that the simulator finds each.
    Mutate(simulator::Mutants),
    /// Let clients chat while servers are killed, frozen and cut off, and check every promise.
    Torture(torture::Options),
    /// Install what the tests need, start private servers, run everything.
    Test(test::Options),
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
        Command::WorkerBuild(options) => worker_build::command(&options),
        Command::Edge(options) => edge::command(&options),
        Command::DryRun => deploy::command(),
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

/// A number of minutes or seconds on a command line.
fn positive(text: &str) -> Result<f64, String> {
    let number = text.parse().unwrap_or(f64::NAN);
    if number > 0.0 && f64::is_finite(number) {
        Ok(number)
    } else {
        Err("a number above 0 is wanted".to_owned())
    }
}

/// The options a command's line stands for, as the tests of each command read them.
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
    fn every_command_is_whole() {
        super::Cli::command().debug_assert();
    }
}
