//! `cargo xtask bench`: measures Colloquy beside baselines on the same machine.
//!
//! Every target is a private server of this run: Colloquy on each host, the bare broadcast server,
//! and the reference implementations of `bench/baselines`. Rounds are interleaved, each subject once
//! a round, so that noise of the machine affects all subjects alike; reported are medians and ratios.
//! A lost, duplicated or reordered message in any round fails the run.
//!
//! What is measured is in `scenarios`, the targets are in `targets`, the reported figures in
//! `columns`, saved results in `saved`, charts in `charts`. The measuring itself is the load
//! generator, the program in `bench/src`.

mod charts;
mod columns;
mod results;
mod running;
mod saved;
mod scenarios;
mod svg;
mod targets;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use colloquy_harness::processes::Processes;
use colloquy_harness::stack::Backends;
use colloquy_harness::{build, npm, tools, worker};
use serde_json::{Value, json};

use crate::results::Results;
use crate::running::RunningTargets;
use crate::saved::Environment;
use crate::scenarios::{SCENARIOS, Scenario};
use crate::targets::{Subject, Target};

/// The npm packages of the baselines. The Durable Objects use the runtime of the Worker.
const BASELINE_PACKAGES: &[&str] = &["bench/baselines/npm"];

/// Runs the benchmark; returns whether every round succeeded.
///
/// # Errors
/// A server cannot be built or started, or a file cannot be written.
pub fn run(options: &Options) -> Result<bool> {
    if options.charts {
        charts::draw_all()?;
        return Ok(true);
    }
    let (scenarios, targets) = options.selection()?;
    let processes = Processes::open()?;
    build_targets(&processes, options, &targets)?;
    let backends = Backends::start(&processes)?;
    let programs = build::program_directory(true);
    let mut running = RunningTargets::start(&processes, &backends, &programs, &targets)?;
    let environment = Environment::read(options.rounds(), options.seconds())?;
    let mut measured: Vec<Value> = Vec::new();
    let mut failures = Vec::new();
    for scenario in scenarios {
        let failed_before = failures.len();
        let results = measure(scenario, options, &mut running, &mut failures)?;
        println!("\n{}", results.table());
        // A scenario with a failed round is not saved: its number of rounds would be wrong.
        if options.save && failures.len() == failed_before {
            saved::write(&environment, &results.json())?;
        }
        measured.push(results.json());
    }
    for failure in &failures {
        println!("FAILED {failure}");
    }
    if let Some(file) = &options.json {
        let mut report = environment.json();
        report["scenarios"] = measured.into();
        report["failures"] = json!(failures);
        fs::write(file, format!("{report:#}\n")).with_context(|| file.display().to_string())?;
    }
    if options.save {
        charts::draw_all()?;
    }
    Ok(failures.is_empty())
}

/// All rounds of one scenario.
fn measure(
    scenario: &'static Scenario,
    options: &Options,
    running: &mut RunningTargets<'_, '_>,
    failures: &mut Vec<String>,
) -> Result<Results> {
    let subjects = scenario.subjects.iter();
    let subjects: Vec<&Subject> = subjects
        .filter(|subject| options.includes(subject.target))
        .collect();
    let mut results = Results::new(scenario, &subjects);
    let rounds = options.rounds();
    for round in 1..=rounds {
        for (index, subject) in subjects.iter().enumerate() {
            let name = subject.name();
            eprintln!("{} {round}/{rounds} {name}", scenario.name);
            if scenario.fresh {
                running.restart(subject.target)?;
            }
            match running.measure(subject, scenario, options.seconds()) {
                Ok(figures) => results.add(index, figures),
                Err(error) => {
                    let failure = format!("{}, {name}, round {round}: {error:#}", scenario.name);
                    eprintln!("{failure}");
                    failures.push(failure);
                    // The next round must not see the state of the failed one.
                    running.restart(subject.target)?;
                }
            }
        }
    }
    Ok(results)
}

/// Builds the servers and the load generator in release, and installs the baselines' packages.
fn build_targets(processes: &Processes, options: &Options, targets: &[Target]) -> Result<()> {
    if options.built {
        return Ok(());
    }
    build::servers(processes, true)?;
    let mut cargo = tools::cargo();
    cargo.args(["build", "--release", "--package", "colloquy-bench"]);
    processes.succeed(&mut cargo)?;
    npm::install(processes, BASELINE_PACKAGES)?;
    if targets.contains(&Target::Edge) {
        worker::build(processes, worker::WorkerBuild::Deployed)?;
    } else {
        npm::install(processes, npm::WORKER)?;
    }
    Ok(())
}

/// The options of `cargo xtask bench`.
#[derive(clap::Args, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
pub struct Options {
    /// One short round of the most important scenarios.
    #[arg(long)]
    quick: bool,
    /// A scenario, or a prefix of several scenarios' names; may be repeated.
    #[arg(long = "scenario", value_name = "NAME", value_parser = scenario_prefix)]
    scenarios: Vec<String>,
    /// A target; may be repeated.
    #[arg(long = "target", value_name = "NAME")]
    targets: Vec<Target>,
    /// Number of rounds; 5, or 1 with `--quick`.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: Option<u32>,
    /// Seconds measured in a round; 5, or 2 with `--quick`. Some scenarios multiply it.
    #[arg(long, value_parser = positive)]
    seconds: Option<f64>,
    /// Use the programs built before.
    #[arg(long)]
    built: bool,
    /// Write the figures of every round to this file.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Save the results in bench/results and redraw the charts in docs/images.
    #[arg(long, conflicts_with = "quick")]
    save: bool,
    /// Only redraw the charts from the saved results.
    #[arg(long, conflicts_with_all = ["quick", "scenarios", "targets", "save", "json"])]
    charts: bool,
}

impl Options {
    fn rounds(&self) -> u32 {
        self.rounds.unwrap_or(if self.quick { 1 } else { 5 })
    }

    fn seconds(&self) -> f64 {
        self.seconds.unwrap_or(if self.quick { 2.0 } else { 5.0 })
    }

    /// The scenarios to run and the targets they need.
    fn selection(&self) -> Result<(Vec<&'static Scenario>, Vec<Target>)> {
        let scenarios = SCENARIOS.iter().filter(|scenario| self.selects(scenario));
        let scenarios: Vec<&Scenario> = scenarios.collect();
        let is_needed = |target: &Target| {
            let mut subjects = scenarios.iter().flat_map(|scenario| scenario.subjects);
            self.includes(*target) && subjects.any(|subject| subject.target == *target)
        };
        let targets: Vec<Target> = Target::ALL.into_iter().filter(is_needed).collect();
        if targets.is_empty() {
            bail!("no target takes part in the selected scenarios");
        }
        Ok((scenarios, targets))
    }

    fn selects(&self, scenario: &Scenario) -> bool {
        if self.scenarios.is_empty() {
            return scenario.quick || !self.quick;
        }
        let mut prefixes = self.scenarios.iter();
        prefixes.any(|prefix| scenario.name.starts_with(prefix.as_str()))
    }

    fn includes(&self, target: Target) -> bool {
        self.targets.is_empty() || self.targets.contains(&target)
    }
}

/// A prefix of at least one scenario's name.
fn scenario_prefix(prefix: &str) -> Result<String> {
    let mut names = SCENARIOS.iter().map(|scenario| scenario.name);
    if names.any(|name| name.starts_with(prefix)) {
        return Ok(prefix.to_owned());
    }
    let names: Vec<&str> = SCENARIOS.iter().map(|scenario| scenario.name).collect();
    bail!("no scenario `{prefix}`; there are {}", names.join(", "))
}

/// A number of seconds above 0.
fn positive(text: &str) -> Result<f64, String> {
    let number = text.parse().unwrap_or(f64::NAN);
    if number > 0.0 && f64::is_finite(number) {
        Ok(number)
    } else {
        Err("must be a number above 0".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use clap::{Args as _, FromArgMatches as _};

    use super::*;

    fn parsed(line: &str) -> Result<Options, clap::Error> {
        let command = Options::augment_args(clap::Command::new("bench").no_binary_name(true));
        let matches = command.try_get_matches_from(line.split_whitespace())?;
        Options::from_arg_matches(&matches)
    }

    #[test]
    fn options_select_scenarios_and_targets() {
        let line = "--quick --scenario moderate --target edge --seconds 3 --json a.json";
        let options = parsed(line).unwrap();
        assert_eq!((options.rounds(), options.seconds()), (1, 3.0));
        let (scenarios, targets) = options.selection().unwrap();
        let names: Vec<&str> = scenarios.iter().map(|scenario| scenario.name).collect();
        assert_eq!(names[..2], ["moderate-1x50", "moderate-50x10"]);
        assert!(names.iter().all(|name| name.starts_with("moderate")));
        assert_eq!(targets, [Target::Edge]);
        for wrong in [
            "--scenario none",
            "--target none",
            "--rounds x",
            "fast",
            "--charts --save",
            "--quick --save",
        ] {
            assert!(parsed(wrong).is_err(), "{wrong}");
        }
    }
}
