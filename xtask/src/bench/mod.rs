//! `cargo xtask bench`: how fast it is, side by side with others on the same machine.
//!
//! Every contestant is a private server of this run: Colloquy on each host, the floor (a bare
//! broadcast server), and the peers of `bench/peers`. Rounds are interleaved, each contestant
//! once a round, so that whatever else the machine does falls on all alike; what is told are
//! medians and ratios. Loss, a duplicate or disorder in any round fails the run.
//!
//! What is measured is in `scenarios`, who takes part in `contestants`, how it is told in `table`;
//! the measuring itself is the program in `bench/`.

mod columns;
mod contestants;
mod scenarios;
mod table;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use serde_json::json;

use crate::bench::contestants::{Field, Target};
use crate::bench::scenarios::{SCENARIOS, Scenario};
use crate::bench::table::Results;
use crate::{Verdict, positive};
use colloquy_harness::processes::Processes;
use colloquy_harness::stack::Backends;
use colloquy_harness::{build, npm, tools, worker};

/// Packages of npm the peers are made of; the object's runtime is the Worker's.
const PEERS: &[&str] = &["bench/peers/npm"];

/// `cargo xtask bench`
pub(crate) fn command(options: &Options) -> Verdict {
    let scenarios: Vec<&Scenario> = SCENARIOS
        .iter()
        .filter(|scenario| options.wants(scenario))
        .collect();
    let wanted: Vec<Target> = Target::ALL
        .into_iter()
        .filter(|target| options.takes(*target))
        .filter(|target| {
            let mut all = scenarios.iter().flat_map(|scenario| scenario.contestants);
            all.any(|one| one.target == *target)
        })
        .collect();
    if wanted.is_empty() {
        bail!("nothing is left to measure; see `docs/performance.md` for the names");
    }
    let processes = Processes::open()?;
    build(&processes, options, &wanted)?;
    let backends = Backends::start(&processes)?;
    let programs = build::program_directory(true);
    let mut field = Field::start(&processes, &backends, &programs, &wanted)?;
    let mut all = Vec::new();
    let mut failures = Vec::new();
    for scenario in scenarios {
        let results = run(scenario, options, &mut field, &mut failures)?;
        println!("\n{}", results.table());
        all.push(results.json());
    }
    for failure in &failures {
        println!("FAILED {failure}");
    }
    if let Some(file) = &options.json {
        let cores = std::thread::available_parallelism()?.get();
        let told = json!({
            "cores": cores, "rounds": options.rounds(), "seconds": options.seconds(),
            "scenarios": all, "failures": failures,
        });
        fs::write(file, format!("{told:#}\n")).with_context(|| file.display().to_string())?;
    }
    Ok(failures.is_empty())
}

/// All rounds of one scenario.
fn run(
    scenario: &'static Scenario,
    options: &Options,
    field: &mut Field<'_, '_>,
    failures: &mut Vec<String>,
) -> Result<Results> {
    let contestants = scenario.contestants.iter();
    let contestants: Vec<_> = contestants
        .filter(|one| options.takes(one.target))
        .collect();
    let mut results = Results::new(scenario, &contestants);
    let rounds = options.rounds();
    for round in 1..=rounds {
        for (index, contestant) in contestants.iter().enumerate() {
            let name = contestant.name();
            eprintln!("{} {round}/{rounds} {name}", scenario.name);
            if scenario.fresh {
                field.restart(contestant.target)?;
            }
            match field.measure(contestant, scenario, options.seconds()) {
                Ok(figures) => results.add(index, figures),
                Err(error) => {
                    let failure = format!("{}, {name}, round {round}: {error:#}", scenario.name);
                    eprintln!("{failure}");
                    failures.push(failure);
                    // What a failed round leaves behind is not the next one's.
                    field.restart(contestant.target)?;
                }
            }
        }
    }
    Ok(results)
}

/// Everything the contestants are, in release.
fn build(processes: &Processes, options: &Options, wanted: &[Target]) -> Result<()> {
    if options.built {
        return Ok(());
    }
    build::servers(processes, true)?;
    let mut cargo = tools::cargo();
    cargo.args(["build", "--release", "--package", "colloquy-bench"]);
    processes.succeed(&mut cargo)?;
    npm::install(processes, PEERS)?;
    if wanted.contains(&Target::Edge) {
        worker::build(processes, worker::WorkerBuild::Deployed)?;
    } else {
        npm::install(processes, npm::WORKER)?;
    }
    Ok(())
}

/// What is measured, of whom, and how often.
#[derive(clap::Args, Debug)]
pub(crate) struct Options {
    /// One short round of what matters most.
    #[arg(long)]
    quick: bool,
    /// A scenario, or the beginning of several scenarios' names; may be repeated.
    #[arg(long = "scenario", value_name = "NAME", value_parser = scenario)]
    scenarios: Vec<String>,
    /// A server; may be repeated.
    #[arg(long = "target", value_name = "NAME")]
    targets: Vec<Target>,
    /// How many rounds; 5, or 1 if quick.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: Option<u32>,
    /// How long a round measures; 5, or 2 if quick. Some scenarios take it several times over.
    #[arg(long, value_parser = positive)]
    seconds: Option<f64>,
    /// Take what was built before.
    #[arg(long)]
    built: bool,
    /// Write every round's figures there.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

impl Options {
    fn rounds(&self) -> u32 {
        self.rounds.unwrap_or(if self.quick { 1 } else { 5 })
    }

    fn seconds(&self) -> f64 {
        self.seconds.unwrap_or(if self.quick { 2.0 } else { 5.0 })
    }

    fn wants(&self, scenario: &Scenario) -> bool {
        if self.scenarios.is_empty() {
            return scenario.quick || !self.quick;
        }
        let mut named = self.scenarios.iter();
        named.any(|start| scenario.name.starts_with(start.as_str()))
    }

    fn takes(&self, target: Target) -> bool {
        self.targets.is_empty() || self.targets.contains(&target)
    }
}

/// The beginning of one or several scenarios' names.
fn scenario(start: &str) -> Result<String> {
    if SCENARIOS.iter().any(|known| known.name.starts_with(start)) {
        return Ok(start.to_owned());
    }
    let names: Vec<&str> = SCENARIOS.iter().map(|known| known.name).collect();
    bail!(
        "there is no scenario `{start}`; there are {}",
        names.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parsed;

    #[test]
    fn reads_its_command_line() {
        let line = "--quick --scenario moderate --target edge --seconds 3 --json a.json";
        let options = parsed::<Options>(line).unwrap();
        assert_eq!((options.rounds(), options.seconds()), (1, 3.0));
        let wanted = SCENARIOS.iter().filter(|scenario| options.wants(scenario));
        let wanted: Vec<&str> = wanted.map(|scenario| scenario.name).collect();
        assert_eq!(wanted[..2], ["moderate-1x50", "moderate-50x10"]);
        assert!(wanted.iter().all(|name| name.starts_with("moderate")));
        assert!(options.takes(Target::Edge) && !options.takes(Target::Floor));
        for wrong in ["--scenario none", "--target none", "--rounds x", "fast"] {
            assert!(parsed::<Options>(wrong).is_err(), "{wrong}");
        }
    }
}
