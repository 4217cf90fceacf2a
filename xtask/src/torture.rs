//! `cargo xtask torture`: a chaos run plus consistency check (Jepsen style). Clients chat while servers
//! are killed, frozen, stalled and cut off; a checker compares what they received with what is stored.
//!
//! With `--attack` attacking clients load one server beside honest ones instead.
//!
//! Starts the servers and the control server; clients, fault schedule and checker are the program in
//! `tests/chaos`. Everything is built with the development profile, unless `--release` is given: only
//! then an attack's times say what a deployed server withstands.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail};

use crate::report::Counts;
use crate::{Verdict, positive, web};
use colloquy_harness::hosts::Host;
use colloquy_harness::processes::Processes;
use colloquy_harness::stack::{Backends, Instance, Stack};
use colloquy_harness::{build, control, worker};

pub(crate) const PROGRAM: &str = "colloquy-torture";

/// The script with the clients that use the SDK for JavaScript, relative to the root.
const SDK_CLIENTS: &str = "web/sdk/test/torture/start.mjs";

/// The run of every `cargo xtask test`: half a minute with each fault once; longer on a busy machine.
const SHORT: TortureOptions = TortureOptions {
    host: Host::Sqlite,
    minutes: 0.45,
    clients: 48,
    seed: None,
    attack: false,
    attackers: 0,
    release: false,
    built: true,
};

/// The attack of every `cargo xtask test`: few seconds with few attackers. The time of honest
/// messages is judged loosely, because another program may load the machine.
const SHORT_ATTACK: &[&str] = &["--seconds=4", "--attackers=300", "--max-p99-ms=8000"];

/// How many lines of each log are shown after a failure.
const LOG_LINES: usize = 30;

/// `cargo xtask torture`
pub(crate) fn command(options: &TortureOptions) -> Verdict {
    let processes = Processes::open()?;
    if !options.built {
        build::servers(&processes, options.release)?;
        build::program(&processes, PROGRAM, options.release)?;
        if options.host == Host::Edge {
            worker::prepare(&processes)?;
        }
    }
    let mut backends = Backends::start(&processes)?;
    if options.attack {
        let seconds = (options.minutes * 60.0).ceil();
        let arguments = [
            ("seconds", seconds.to_string()),
            ("attackers", options.attackers.to_string()),
        ]
        .map(|(name, value)| format!("--{name}={value}"));
        let programs = build::program_directory(options.release);
        return attack(
            &processes,
            options.host,
            &programs,
            &arguments,
            &mut backends,
        );
    }
    run(&processes, options, &mut backends)
}

/// The step of `cargo xtask test` for one host. Servers and program are built already.
pub(crate) fn short<'run>(
    processes: &'run Processes,
    host: Host,
    backends: &mut Backends<'run>,
    counts: &mut Counts,
) -> Result<()> {
    let mut all_passed = true;
    let mut count = |passed: bool| {
        *(if passed {
            &mut counts.passed
        } else {
            &mut counts.failed
        }) += 1;
        all_passed &= passed;
    };
    count(run(processes, &TortureOptions { host, ..SHORT }, backends)?);
    // At the edge the runtime owns the connections.
    if host != Host::Edge {
        let programs = build::program_directory(SHORT.release);
        count(attack(processes, host, &programs, SHORT_ATTACK, backends)?);
    }
    if !all_passed {
        bail!("a guarantee was violated");
    }
    Ok(())
}

fn run<'run>(
    processes: &'run Processes,
    options: &TortureOptions,
    backends: &mut Backends<'run>,
) -> Result<bool> {
    let programs = build::program_directory(options.release);
    let mut stack = Stack::start_for_torture(processes, options.host, &programs, backends)?;
    let mut command = Command::new(programs.join(PROGRAM));
    command.arg("chaos");
    let seed = options.seed.unwrap_or_else(new_seed);
    for (name, value) in [
        ("--minutes", options.minutes.to_string()),
        ("--clients", options.clients.to_string()),
        ("--seed", seed.to_string()),
    ] {
        command.args([name, &value]);
    }
    web::prepare(processes)?;
    command
        .arg("--sdk")
        .arg(colloquy_harness::root().join(SDK_CLIENTS));
    let databases = [&stack.under_test, &stack.extra_instances[0]].map(Instance::database_url);
    let [first, throttled] = databases;
    command
        .env("COLLOQUY_DATABASE_URL", first)
        .env("COLLOQUY_THROTTLED_DATABASE_URL", throttled);
    judge(processes, &mut command, &mut stack, backends)
        .with_context(|| format!("the run with seed {seed}"))
}

/// Attacks one server; returns whether it withstood.
fn attack<'run>(
    processes: &'run Processes,
    host: Host,
    programs: &Path,
    arguments: &[impl AsRef<OsStr>],
    backends: &mut Backends<'run>,
) -> Result<bool> {
    let mut stack = Stack::start_for_attack(processes, host, programs, backends)?;
    let mut command = Command::new(programs.join(PROGRAM));
    command.arg("attack").args(arguments);
    judge(processes, &mut command, &mut stack, backends)
}

/// Runs the program against a stack; returns its verdict, and prints the logs after a failure.
fn judge<'run>(
    processes: &'run Processes,
    command: &mut Command,
    stack: &mut Stack<'run>,
    backends: &mut Backends<'run>,
) -> Result<bool> {
    let status = control::with_control_server(stack, backends, |control_url| {
        processes.run(command.env("COLLOQUY_CONTROL_URL", control_url))
    })??;
    let passed = match status.code() {
        Some(0) => true,
        Some(1) => false,
        _ => bail!("the torture run itself ended with {status}"),
    };
    if !passed {
        for service in stack.services() {
            let (name, tail) = (service.name(), service.tail(LOG_LINES));
            println!("--- last lines of {name}\n{tail}");
        }
    }
    Ok(passed)
}

/// A seed from the clock.
fn new_seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    u64::from(now.unwrap_or_default().subsec_nanos())
}

#[derive(clap::Args, Debug, PartialEq)]
pub(crate) struct TortureOptions {
    /// The host whose servers run.
    #[arg(long)]
    host: Host,
    /// How long faults are injected.
    #[arg(long, default_value_t = 2.0, value_parser = positive)]
    minutes: f64,
    /// The number of clients; at least 8.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(8..))]
    clients: u32,
    /// The seed of the fault schedule; by default from the clock.
    #[arg(long)]
    seed: Option<u64>,
    /// Attack the server with attacking clients instead of injecting faults.
    #[arg(long, conflicts_with_all = ["clients", "seed"])]
    attack: bool,
    /// The number of attacking sockets, and of half-sent requests.
    #[arg(long, default_value_t = 2_000, requires = "attack")]
    attackers: usize,
    /// Build and run the programs with the release profile.
    #[arg(long)]
    release: bool,
    /// Use the programs of an earlier build.
    #[arg(long)]
    built: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parsed;

    #[test]
    fn torture_options_are_parsed() {
        let options =
            parsed::<TortureOptions>("--host edge --minutes 0.5 --seed 7 --clients 20 --built")
                .unwrap();
        let expected = TortureOptions {
            host: Host::Edge,
            minutes: 0.5,
            clients: 20,
            seed: Some(7),
            attack: false,
            attackers: 2_000,
            release: false,
            built: true,
        };
        assert_eq!(options, expected);
        for invalid in [
            "",
            "--host oracle",
            "--host edge --minutes 0",
            "--host edge --clients 7",
            "--host edge --attack --seed 7",
            "--host",
            "edge",
        ] {
            assert!(parsed::<TortureOptions>(invalid).is_err(), "{invalid}");
        }
    }
}
