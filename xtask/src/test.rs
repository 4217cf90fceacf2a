//! `cargo xtask test`: everything there is to test, in one go, on private servers only.
//!
//! The steps: the house's invariants; the build for the edge; the room simulator and the faults it
//! must find; unit and integration tests, with a PostgreSQL and a Redis to use; then the black-box
//! suite once per host. The suite has these test programs for every host: `blackbox` runs in
//! parallel, `faults` kills and restarts servers and runs one test at a time after it. `smoke` is
//! what deployed servers are tried with; `edge` is about what only that host does. Schemathesis
//! comes after the suite on the embedded host.
//!
//! The server is built with the development profile, like the tests: on two cores the release
//! profile's link-time optimisation costs more minutes than all tests together. `--release` tests
//! what users run.
//!
//! A step's failure does not keep the following ones from running, so that one run tells all.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use nix::sys::signal::Signal;

use crate::report::{Counts, Report};
use crate::{Verdict, check, deploy, schemathesis, simulator, torture};
use colloquy_harness::hosts::Host;
use colloquy_harness::processes::Processes;
use colloquy_harness::stack::{Backends, Stack};
use colloquy_harness::{build, control, npm, tools, worker};

const SUITE: &str = "colloquy-blackbox";
const SMOKE: &str = "colloquy-smoke";

/// One of the suite's test programs and what it is run with.
struct Pass {
    program: &'static str,
    /// What selects it for cargo.
    target: &'static [&'static str],
    flags: &'static [&'static str],
    /// The one host it is for, if not for every.
    only: Option<Host>,
}

/// Most of the suite's tests wait rather than compute, so there are more of them at once than cores.
const PASSES: &[Pass] = &[
    Pass {
        program: "blackbox",
        target: &["--package", SUITE, "--test", "blackbox"],
        flags: &["--test-threads=8"],
        only: None,
    },
    Pass {
        program: "faults",
        target: &["--package", SUITE, "--test", "faults"],
        flags: &["--test-threads=1"],
        only: None,
    },
    // What `cargo xtask smoke` runs against a deployed server.
    Pass {
        program: "smoke",
        target: &["--package", SMOKE, "--lib"],
        flags: &["--test-threads=8"],
        only: None,
    },
    Pass {
        program: "edge",
        target: &["--package", SUITE, "--test", "edge"],
        flags: &["--test-threads=8"],
        only: Some(Host::Edge),
    },
];

/// How many lines of logs are shown when the suite failed: of the server under test, of the others.
const LOG_LINES: (usize, usize) = (80, 10);

/// `cargo xtask test`
pub(crate) fn command(options: &Options) -> Verdict {
    let mut report = Report::new(options.filter.is_some());
    let processes = Processes::open()?;
    let mut worker = None;
    if options.wants(Part::Lint) {
        report.tests("check", check::count);
        if build_worker(&processes, &mut worker, &mut report) {
            report.preparation("wrangler deploy --dry-run", || {
                deploy::dry_run(&processes, true)
            });
        }
    }
    if options.wants(Part::Unit) && options.filter.is_none() {
        simulator::test(&processes, &mut report);
    }
    if options.wants(Part::Unit) || options.wants(Part::Blackbox) {
        with_servers(&processes, options, worker, &mut report);
    }
    drop(processes);
    let (text, good) = report.finish();
    print!("{text}");
    Ok(good)
}

/// Builds the Worker unless this run has; whether it is there.
fn build_worker(processes: &Processes, built: &mut Option<bool>, report: &mut Report) -> bool {
    *built.get_or_insert_with(|| {
        report.preparation("build the Worker", || worker::prepare(processes))
    })
}

/// The Worker that tests make panic.
fn build_faults(processes: &Processes, report: &mut Report) -> bool {
    report.preparation("build the Worker with faults", || {
        worker::build(processes, worker::WorkerBuild::Faults)
    })
}

fn with_servers(
    processes: &Processes,
    options: &Options,
    mut worker: Option<bool>,
    report: &mut Report,
) {
    let mut backends = None;
    let started = report.preparation("private servers", || {
        npm::install(processes, npm::TESTS)?;
        backends = Some(Backends::start(processes)?);
        Ok(())
    });
    let Some(mut backends) = backends.filter(|_| started) else {
        report.skipped("tests", "the private servers did not start");
        return;
    };
    if options.wants(Part::Unit) {
        report.tests("unit and integration tests", |counts| {
            let outcome = run_tests(processes, unit_tests(options, &backends), counts);
            outcome.and(run_tests(processes, suites_own_tests(options), counts))
        });
    }
    if options.wants(Part::Blackbox) {
        let built = report.preparation("build the servers", || {
            build::servers(processes, options.release)
        });
        for host in options.hosts() {
            let built = built
                && (host != Host::Edge
                    || build_worker(processes, &mut worker, report)
                        && build_faults(processes, report));
            if built {
                blackbox(processes, options, host, &mut backends, report);
            } else {
                report.skipped(
                    &format!("black box, {}", host.name()),
                    "the servers did not build",
                );
            }
        }
    }
}

fn unit_tests(options: &Options, backends: &Backends<'_>) -> Command {
    let mut cargo = tools::cargo();
    cargo.args(["test", "--workspace", "--no-fail-fast"]);
    cargo.args(["--exclude", SUITE, "--exclude", SMOKE]);
    cargo.env(
        "COLLOQUY_TEST_POSTGRES_URL",
        backends.postgres.url("postgres"),
    );
    cargo.env("COLLOQUY_TEST_REDIS_URL", backends.redis_url(0));
    cargo.arg("--").args(&options.filter);
    cargo
}

/// The suite tests the code it tests with.
fn suites_own_tests(options: &Options) -> Command {
    let mut cargo = tools::cargo();
    cargo
        .args(["test", "--package", SUITE, "--lib", "--"])
        .args(&options.filter);
    cargo
}

impl Pass {
    fn is_for(&self, host: Host) -> bool {
        self.only.is_none_or(|only| only == host)
    }
}

/// Runs the passes of the suite against one host.
fn blackbox<'run>(
    processes: &'run Processes,
    options: &Options,
    host: Host,
    backends: &mut Backends<'run>,
    report: &mut Report,
) {
    let programs = build::program_directory(options.release);
    let name = format!("start the server, {}", host.name());
    let mut stack = None;
    report.preparation(&name, || {
        stack = Some(Stack::start(processes, host, &programs, backends)?);
        Ok(())
    });
    let Some(mut stack) = stack else {
        report.skipped(
            &format!("black box, {}", host.name()),
            "the server did not start",
        );
        return;
    };
    for pass in PASSES.iter().filter(|pass| pass.is_for(host)) {
        let base_url = stack.under_test.base_url();
        let program = pass.program;
        let name = format!("black box, {}: {program}", host.name());
        let good = report.tests(&name, |counts| {
            control::with_control_server(&mut stack, backends, |control_url| {
                let mut cargo = tools::cargo();
                cargo.arg("test").args(pass.target);
                cargo.arg("--no-fail-fast");
                cargo
                    .env("COLLOQUY_BASE_URL", &base_url)
                    .env("COLLOQUY_CONTROL_URL", control_url);
                cargo.arg("--").args(pass.flags).args(&options.filter);
                run_tests(processes, cargo, counts)
            })?
        });
        if !good {
            show_logs(&stack);
        }
    }
    if host == Host::Sqlite && options.filter.is_none() {
        report.tests("schemathesis, sqlite", |counts| {
            schemathesis::short(processes, &stack, counts)
        });
    }
    drop(stack);
    if options.filter.is_none() {
        report.tests(&format!("torture, {}", host.name()), |counts| {
            torture::short(processes, host, backends, counts)
        });
    }
}

fn show_logs(stack: &Stack<'_>) {
    for service in stack.services() {
        let is_under_test = service.name() == stack.under_test.server.name();
        let tail = service.tail(if is_under_test {
            LOG_LINES.0
        } else {
            LOG_LINES.1
        });
        if !tail.is_empty() {
            println!(
                "--- the last lines of {}, {}\n{tail}\n---",
                service.name(),
                stack.host.name()
            );
        }
    }
}

/// Runs a `cargo test`, showing what it prints and counting the results in it.
fn run_tests(processes: &Processes, mut cargo: Command, counts: &mut Counts) -> Result<()> {
    let mut running = processes.spawn(cargo.stdout(Stdio::piped()), Signal::SIGTERM)?;
    let output = running.stdout().context("cargo's output was not piped")?;
    for line in BufReader::new(output).split(b'\n') {
        let line = line?;
        let line = String::from_utf8_lossy(&line);
        println!("{line}");
        counts.read(&line);
    }
    let status = running.wait()?;
    if !status.success() {
        bail!("cargo test ended with {status}");
    }
    Ok(())
}

/// A part of the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// The house's invariants, and the build for the edge.
    Lint,
    /// The simulator, its mutations, unit and integration tests.
    Unit,
    /// The suite that knows HTTP and WebSocket only.
    Blackbox,
}

/// What is tested; everything, unless told otherwise.
#[derive(clap::Args, Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    /// The black-box suite alone, on this host alone.
    #[arg(long)]
    host: Option<Host>,
    /// One part alone.
    #[arg(long)]
    only: Option<Part>,
    /// Test what users run: slow to build.
    #[arg(long)]
    release: bool,
    /// Only the tests whose names contain this.
    #[arg(last = true)]
    filter: Option<String>,
}

impl Options {
    /// A host is only chosen for the black-box suite, so choosing one also chooses that part.
    fn wants(&self, part: Part) -> bool {
        match self.only {
            Some(only) => only == part,
            None => self.host.is_none() || part == Part::Blackbox,
        }
    }

    fn hosts(&self) -> impl Iterator<Item = Host> {
        let only = self.host;
        let all = Host::ALL.into_iter();
        all.filter(move |host| only.is_none_or(|only| only == *host))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parsed;

    #[test]
    fn every_host_runs_the_same_suite_and_the_edge_one_pass_more() {
        let passes = |host| PASSES.iter().filter(|pass| pass.is_for(host)).count();
        assert_eq!(Host::ALL.map(passes), [3, 3, 4]);
    }

    #[test]
    fn reads_its_command_line() {
        let read = parsed::<Options>;
        assert_eq!(read("").unwrap(), Options::default());
        let options = read("--host local --release -- resume").unwrap();
        assert_eq!(options.host, Some(Host::Sqlite));
        assert_eq!(options.filter.as_deref(), Some("resume"));
        assert!(options.wants(Part::Blackbox) && !options.wants(Part::Unit));
        assert_eq!(read("--host edge").unwrap().hosts().count(), 1);
        assert_eq!(read("").unwrap().hosts().count(), 3);
        assert!(read("--only lint").unwrap().wants(Part::Lint));
        for wrong in ["--host", "--host oracle", "--only all", "resume", "-- a b"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
