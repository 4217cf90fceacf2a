//! `cargo xtask test`: every test of the repository, on private servers.
//!
//! The steps: architecture checks, those of the pages, and the Worker's build; the room simulator and
//! its mutations; unit and integration tests with PostgreSQL and Redis; then, per host, the black-box
//! suites, the SDK, the pages in a browser, a short Schemathesis run and a short torture run. The
//! suites are the test programs in [`SUITES`].
//!
//! Servers and tests are built with the development profile, because the release profile's link-time
//! optimisation takes longer than all tests. `--release` tests the programs that users run. Every
//! cargo command selects the whole workspace: with one set of features, each crate compiles once.
//!
//! What is selected on the command line is defined in `options`.
//!
//! A failed step does not stop the run, so that one run reports everything.

mod options;

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use colloquy_harness::hosts::Host;
use colloquy_harness::processes::Processes;
use colloquy_harness::stack::{Backends, Stack};
use colloquy_harness::worker::{self, WorkerBuild};
use colloquy_harness::{build, control, npm, pgbouncer, tools};
use nix::sys::signal::Signal;
use serde_json::Value;

use self::options::Part;
pub(crate) use self::options::TestOptions;
use crate::report::{Counts, Report};
use crate::{Verdict, check, dry_run, schemathesis, simulator, torture, web};

/// A test program of the black-box suites, which need a running server.
struct Suite {
    name: &'static str,
    /// How many tests run at the same time. Most tests wait, so that there are more than cores; tests
    /// that stop servers run alone.
    threads: &'static str,
    /// The only host it runs on, if not every host.
    host: Option<Host>,
}

const SUITES: &[Suite] = &[
    Suite {
        name: "blackbox",
        threads: "8",
        host: None,
    },
    Suite {
        name: "faults",
        threads: "1",
        host: None,
    },
    Suite {
        name: "smoke",
        threads: "8",
        host: None,
    },
    Suite {
        name: "edge",
        threads: "8",
        host: Some(Host::Edge),
    },
];

/// How many log lines are shown after a failure: of the server under test, of each other server.
const LOG_LINES: (usize, usize) = (80, 10);

/// Where the logs of a failed suite are kept, below the target directory.
const LOGS: &str = "test-logs";

/// The step that tests the SDK.
const SDK: &str = "sdk";

/// The step that tests the pages in a browser.
const BROWSER: &str = "browser";

/// `cargo xtask test`
pub(crate) fn command(options: &TestOptions) -> Verdict {
    let mut report = Report::new(options.filter.is_some());
    let processes = Processes::open()?;
    let mut worker = WorkerBuilds::default();
    if options.runs(Part::Lint) {
        report.tests("architecture checks", check::count);
        report.tests("web", |counts| web::check(&processes, counts));
        if worker.deployed(&processes, &mut report) {
            report.preparation("wrangler deploy --dry-run", || {
                dry_run::run(&processes, true)
            });
        }
    }
    if options.runs(Part::Unit) && options.filter.is_none() {
        simulator::test(&processes, &mut report);
    }
    if options.runs(Part::Unit) || options.runs_hosts() {
        with_backends(&processes, options, &mut worker, &mut report);
    }
    drop(processes);
    let (text, passed) = report.finish();
    print!("{text}");
    Ok(passed)
}

/// The builds of the Worker in this run, each made once; whether they succeeded.
#[derive(Default)]
struct WorkerBuilds {
    deployed: Option<bool>,
}

impl WorkerBuilds {
    fn deployed(&mut self, processes: &Processes, report: &mut Report) -> bool {
        let build = || report.preparation("build the Worker", || worker::prepare(processes));
        *self.deployed.get_or_insert_with(build)
    }

    fn with_faults(&mut self, processes: &Processes, report: &mut Report) -> bool {
        self.deployed(processes, report)
            && report.preparation("build the Worker with faults", || {
                worker::build(processes, WorkerBuild::Faults)
            })
    }
}

fn with_backends(
    processes: &Processes,
    options: &TestOptions,
    worker: &mut WorkerBuilds,
    report: &mut Report,
) {
    let mut backends = None;
    report.preparation("private servers", || {
        npm::install(processes, npm::TESTS)?;
        pgbouncer::install(processes)?;
        backends = Some(Backends::start(processes)?);
        Ok(())
    });
    let Some(mut backends) = backends else {
        report.skipped("tests", "the private servers did not start");
        return;
    };
    if options.runs(Part::Unit) {
        report.tests("unit and integration tests", |counts| {
            run_tests(processes, unit_tests(options, &backends)?, counts)
        });
    }
    if options.runs_hosts() {
        let built = report.preparation("build servers and suites", || {
            build_suites(processes, options)
        });
        for host in options.hosts() {
            let built = built && (host != Host::Edge || worker.with_faults(processes, report));
            if built {
                test_host(processes, options, host, &mut backends, report);
            } else {
                report.skipped(&step(host, "suites"), "the build failed");
            }
        }
    }
}

fn step(host: Host, name: &str) -> String {
    format!("{}: {name}", host.name())
}

/// Every test except the suites.
fn unit_tests(options: &TestOptions, backends: &Backends<'_>) -> Result<Command> {
    let mut cargo = tools::cargo();
    cargo.args(["test", "--workspace", "--no-fail-fast", "--lib", "--bins"]);
    for name in test_programs()? {
        cargo.args(["--test", &name]);
    }
    cargo.env(
        "COLLOQUY_TEST_POSTGRES_URL",
        backends.postgres.url("postgres"),
    );
    cargo.env("COLLOQUY_TEST_REDIS_URL", backends.redis_url(0));
    cargo.arg("--").args(&options.filter);
    Ok(cargo)
}

/// The names of the workspace's test programs that are no suites.
fn test_programs() -> Result<BTreeSet<String>> {
    let arguments = ["metadata", "--format-version", "1", "--no-deps"];
    let metadata = tools::output(tools::cargo().args(arguments))?;
    let metadata: Value = serde_json::from_str(&metadata).context("cargo metadata")?;
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let targets = packages.flat_map(|package| package["targets"].as_array().into_iter().flatten());
    let tests = targets.filter(|target| target["kind"][0] == "test");
    let names = tests.filter_map(|target| target["name"].as_str().map(str::to_owned));
    let is_suite = |name: &String| SUITES.iter().any(|suite| suite.name == name);
    Ok(names.filter(|name| !is_suite(name)).collect())
}

/// Builds servers, torture run and suites with the features of the unit tests.
fn build_suites(processes: &Processes, options: &TestOptions) -> Result<()> {
    let mut cargo = tools::cargo();
    cargo.args(["build", "--workspace"]);
    for program in build::PROGRAMS {
        cargo.args(["--bin", program]);
    }
    if options.runs(Part::Blackbox) {
        cargo.args(["--bin", torture::PROGRAM]);
        for suite in SUITES {
            cargo.args(["--test", suite.name]);
        }
    }
    processes.succeed(&mut cargo)?;
    if options.release {
        build::servers(processes, true)?;
    }
    Ok(())
}

/// Runs everything that runs on one host.
fn test_host<'run>(
    processes: &'run Processes,
    options: &TestOptions,
    host: Host,
    backends: &mut Backends<'run>,
    report: &mut Report,
) {
    let programs = build::program_directory(options.release);
    let mut stack = None;
    report.preparation(&step(host, "start the servers"), || {
        stack = Some(Stack::start(processes, host, &programs, backends)?);
        Ok(())
    });
    let Some(mut stack) = stack else {
        report.skipped(&step(host, "suites"), "the servers did not start");
        return;
    };
    if options.runs(Part::Blackbox) {
        test_protocol(processes, options, &mut stack, backends, report);
    }
    if options.runs(Part::Sdk) && options.filter.is_none() {
        test_sdk(processes, &mut stack, backends, report);
    }
    if options.runs_browser() {
        test_in_browser(processes, options, &mut stack, backends, report);
    }
    drop(stack);
    if options.runs(Part::Blackbox) && options.filter.is_none() {
        report.tests(&step(host, "torture"), |counts| {
            torture::short(processes, host, backends, counts)
        });
    }
}

/// Everything that speaks to the servers of one host without a browser.
fn test_protocol<'run>(
    processes: &'run Processes,
    options: &TestOptions,
    stack: &mut Stack<'run>,
    backends: &mut Backends<'run>,
    report: &mut Report,
) {
    let host = stack.host;
    for suite in SUITES.iter().filter(|suite| suite.runs_on(host)) {
        let base_url = stack.under_test.base_url();
        let passed = report.tests(&step(host, suite.name), |counts| {
            control::with_control_server(stack, backends, |control_url| {
                let mut cargo = suite.command(options);
                cargo
                    .env("COLLOQUY_BASE_URL", &base_url)
                    .env("COLLOQUY_CONTROL_URL", control_url);
                run_tests(processes, cargo, counts)
            })?
        });
        if !passed {
            show_logs(stack, suite.name);
        }
    }
    if host == Host::Sqlite && options.filter.is_none() {
        report.tests(&step(host, "schemathesis"), |counts| {
            schemathesis::short(processes, stack, counts)
        });
    }
}

/// The tests of the SDK on one host.
fn test_sdk<'run>(
    processes: &'run Processes,
    stack: &mut Stack<'run>,
    backends: &mut Backends<'run>,
    report: &mut Report,
) {
    let passed = report.tests(&step(stack.host, SDK), |counts| {
        web::test_sdk(processes, stack, backends, counts)
    });
    if !passed {
        show_logs(stack, SDK);
    }
}

/// The tests of the pages on one host.
fn test_in_browser<'run>(
    processes: &'run Processes,
    options: &TestOptions,
    stack: &mut Stack<'run>,
    backends: &mut Backends<'run>,
    report: &mut Report,
) {
    let kept = logs_of(stack, BROWSER);
    let passed = report.tests(&step(stack.host, BROWSER), |counts| {
        let filter = options.filter.as_deref();
        web::test_in_browser(processes, stack, backends, filter, &kept, counts)
    });
    if !passed {
        show_logs(stack, BROWSER);
    }
}

impl Suite {
    fn runs_on(&self, host: Host) -> bool {
        self.host.is_none_or(|only| only == host)
    }

    fn command(&self, options: &TestOptions) -> Command {
        let mut cargo = tools::cargo();
        cargo
            .args(["test", "--workspace", "--no-fail-fast"])
            .args(["--test", self.name, "--"])
            .args(["--test-threads", self.threads])
            .args(&options.filter);
        cargo
    }
}

/// Where what explains a failure of a suite is kept.
fn logs_of(stack: &Stack<'_>, suite: &str) -> PathBuf {
    let directory = tools::target_directory().join(LOGS);
    directory.join(format!("{}-{suite}", stack.host.name()))
}

/// Prints the last lines of every log and copies the logs, which end with the run.
fn show_logs(stack: &Stack<'_>, suite: &str) {
    let directory = logs_of(stack, suite);
    let _ = std::fs::create_dir_all(&directory);
    for service in stack.services() {
        let name = service.name();
        let _ = std::fs::copy(service.log(), directory.join(format!("{name}.log")));
        let is_under_test = name == stack.under_test.server.name();
        let tail = service.tail(if is_under_test {
            LOG_LINES.0
        } else {
            LOG_LINES.1
        });
        if !tail.is_empty() {
            println!("--- last lines of {name}\n{tail}\n---");
        }
    }
    println!("--- whole logs: {}", directory.display());
}

/// Runs a `cargo test`, prints its output and counts the results.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_host_runs_the_same_suites_and_the_edge_one_more() {
        let suites = |host| SUITES.iter().filter(|suite| suite.runs_on(host)).count();
        assert_eq!(Host::ALL.map(suites), [3, 3, 4]);
    }
}
