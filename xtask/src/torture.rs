//! `cargo xtask torture`: clients chat while everything under them is killed, frozen, stalled and
//! cut off, and a checker holds what they were told against what is stored.
//!
//! Starts the servers and answers the requests to kill them; the clients, the faults' plan and the
//! checker are the program in `torture/`. What is started is built with the development profile,
//! like the tests.

use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Result, bail};

use crate::report::Counts;
use crate::{Verdict, positive};
use colloquy_harness::hosts::Host;
use colloquy_harness::processes::Processes;
use colloquy_harness::stack::{Backends, Instance, Stack};
use colloquy_harness::{build, control, tools, worker};

const PROGRAM: &str = "colloquy-torture";

/// What is a part of every test run: half a minute, of which the half has each fault once; a machine
/// that is too busy for that takes longer.
const SHORT: Options = Options {
    host: Host::Sqlite,
    minutes: 0.45,
    clients: 48,
    seed: None,
    built: true,
};

/// How many lines of each log are shown when something was wrong.
const LOG_LINES: usize = 30;

/// `cargo xtask torture`
pub(crate) fn command(options: &Options) -> Verdict {
    let processes = Processes::open()?;
    if !options.built {
        build::servers(&processes, false)?;
        build(&processes)?;
        if options.host == Host::Edge {
            worker::prepare(&processes)?;
        }
    }
    let mut backends = Backends::start(&processes)?;
    run(&processes, options, &mut backends)
}

/// The step of `cargo xtask test` for one host; its servers are built.
pub(crate) fn short<'run>(
    processes: &'run Processes,
    host: Host,
    backends: &mut Backends<'run>,
    counts: &mut Counts,
) -> Result<()> {
    build(processes)?;
    if run(processes, &Options { host, ..SHORT }, backends)? {
        counts.passed += 1;
        return Ok(());
    }
    counts.failed += 1;
    bail!("a promise was broken")
}

fn build(processes: &Processes) -> Result<()> {
    let mut cargo = tools::cargo();
    processes.succeed(cargo.args(["build", "--package", PROGRAM]))
}

fn run<'run>(
    processes: &'run Processes,
    options: &Options,
    backends: &mut Backends<'run>,
) -> Result<bool> {
    let programs = build::program_directory(false);
    let mut stack = Stack::start_for_torture(processes, options.host, &programs, backends)?;
    let mut command = Command::new(programs.join(PROGRAM));
    let seed = options.seed.unwrap_or_else(any_seed);
    for (name, value) in [
        ("--minutes", options.minutes.to_string()),
        ("--clients", options.clients.to_string()),
        ("--seed", seed.to_string()),
    ] {
        command.args([name, &value]);
    }
    let databases = [&stack.under_test, &stack.extra_instances[0]].map(Instance::database_url);
    let [first, throttled] = databases;
    command
        .env("COLLOQUY_DATABASE_URL", first)
        .env("COLLOQUY_THROTTLED_DATABASE_URL", throttled);
    let status = control::with_control_server(&mut stack, backends, |control_url| {
        processes.run(command.env("COLLOQUY_CONTROL_URL", control_url))
    })??;
    let good = match status.code() {
        Some(0) => true,
        Some(1) => false,
        _ => bail!("the torture run itself ended with {status}, seed {seed}"),
    };
    if !good {
        for service in stack.services() {
            let (name, tail) = (service.name(), service.tail(LOG_LINES));
            println!("--- the last lines of {name}\n{tail}");
        }
    }
    Ok(good)
}

/// One that no run had before, most likely.
fn any_seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    u64::from(now.unwrap_or_default().subsec_nanos())
}

/// Who is tortured, and how much.
#[derive(clap::Args, Debug, PartialEq)]
pub(crate) struct Options {
    /// Whose servers.
    #[arg(long)]
    host: Host,
    /// For how long things go wrong.
    #[arg(long, default_value_t = 2.0, value_parser = positive)]
    minutes: f64,
    /// How many clients; at least 8.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(8..))]
    clients: u32,
    /// What decides which faults come when; any, unless told.
    #[arg(long)]
    seed: Option<u64>,
    /// Take what was built before.
    #[arg(long)]
    built: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parsed;

    #[test]
    fn reads_its_command_line() {
        let options =
            parsed::<Options>("--host edge --minutes 0.5 --seed 7 --clients 20 --built").unwrap();
        let expected = Options {
            host: Host::Edge,
            minutes: 0.5,
            clients: 20,
            seed: Some(7),
            built: true,
        };
        assert_eq!(options, expected);
        for wrong in [
            "",
            "--host oracle",
            "--host edge --minutes 0",
            "--host edge --clients 7",
            "--host",
            "edge",
        ] {
            assert!(parsed::<Options>(wrong).is_err(), "{wrong}");
        }
    }
}
