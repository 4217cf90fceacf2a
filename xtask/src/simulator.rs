//! `cargo xtask simulate` runs the simulator on many worlds, `cargo xtask mutate` its mutation tests.

use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};
use colloquy_harness::processes::Processes;
use colloquy_harness::tools;

use crate::Verdict;
use crate::report::{Counts, Report};

/// The worlds of one `cargo xtask test`.
const WORLDS: u64 = 10_000;

/// A test run whose worlds take longer has found one that does not end, or the worlds have become too
/// slow; they take a tenth of this on a small machine.
const TIMEOUT: Duration = Duration::from_mins(2);

/// Which worlds.
#[derive(clap::Args)]
pub(crate) struct Worlds {
    /// How many; the default is what a test run runs.
    #[arg(long, default_value_t = WORLDS)]
    worlds: u64,
    /// The seed of the first one; the others follow. A test run begins with the default.
    #[arg(long, default_value_t = 0)]
    first: u64,
}

/// The worlds of a test run.
const TESTED: Worlds = Worlds {
    worlds: WORLDS,
    first: 0,
};

/// Which mutations.
#[derive(clap::Args)]
pub(crate) struct Mutants {
    /// Only the mutations whose names contain this.
    #[arg(default_value = "")]
    part: String,
}

/// `cargo xtask simulate`
pub(crate) fn simulate(options: &Worlds) -> Verdict {
    run_worlds(&Processes::open()?, options, None)?;
    Ok(true)
}

/// `cargo xtask mutate`
pub(crate) fn mutate(options: &Mutants) -> Verdict {
    let mut counts = Counts::default();
    run_mutants(&Processes::open()?, &options.part, &mut counts)?;
    Ok(counts.ran())
}

/// The steps of `cargo xtask test`.
pub(crate) fn test(processes: &Processes, report: &mut Report) {
    let name = format!("room simulator, {WORLDS} worlds");
    report.tests(&name, |counts| {
        run_worlds(processes, &TESTED, Some(TIMEOUT))?;
        counts.passed += 1;
        Ok(())
    });
    report.tests("mutations of the Room", |counts| {
        run_mutants(processes, "", counts)
    });
}

/// Builds the simulator optimised, and runs the worlds.
fn run_worlds(processes: &Processes, worlds: &Worlds, timeout: Option<Duration>) -> Result<()> {
    processes.succeed(worlds_test().arg("--no-run"))?;
    let mut test = worlds_test();
    test.env("COLLOQUY_WORLDS", worlds.worlds.to_string())
        .env("COLLOQUY_FIRST", worlds.first.to_string())
        .env_remove("COLLOQUY_WITHIN_SECONDS")
        .env_remove("COLLOQUY_SEED")
        .args(["--", "--nocapture", "no_world_violates_a_guarantee"]);
    if let Some(timeout) = timeout {
        test.env("COLLOQUY_WITHIN_SECONDS", timeout.as_secs().to_string());
    }
    processes.succeed(&mut test)
}

fn worlds_test() -> Command {
    let mut cargo = tools::cargo();
    cargo
        .env(
            "CARGO_TARGET_DIR",
            tools::target_directory().join("simulator"),
        )
        .env("CARGO_PROFILE_DEV_OPT_LEVEL", "1")
        .env("CARGO_PROFILE_DEV_DEBUG", "false")
        .args(["test", "--quiet", "-p", "colloquy-simulator"])
        .args(["--test", "worlds"]);
    cargo
}

/// Runs the mutations; each is counted as a test.
fn run_mutants(processes: &Processes, part: &str, counts: &mut Counts) -> Result<()> {
    let summary = colloquy_mutants::run(processes, part)?;
    counts.passed += summary.caught;
    counts.failed += u32::try_from(summary.survived.len())?;
    ensure!(counts.ran(), "no mutation is named *{part}*");
    let survived = summary.survived.join("; ");
    ensure!(survived.is_empty(), "not caught: {survived}");
    Ok(())
}
