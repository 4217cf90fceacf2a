//! `cargo xtask schemathesis`: valid and invalid requests generated from the `OpenAPI` description,
//! against a private server on PostgreSQL.
//!
//! A test run includes a short one with a fixed seed on the embedded host. Schemathesis is the only
//! tool that needs Python. Two of its checks are excluded: a schema cannot express that a name is
//! taken or a password is common, and a blank parameter counts as absent here, not as invalid.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::Verdict;
use crate::report::Counts;
use colloquy_harness::hosts::Host;
use colloquy_harness::processes::Processes;
use colloquy_harness::stack::{Backends, Stack};
use colloquy_harness::{build, debian, http, tools};

/// The packages to install, with their hashes.
const LOCK: &str = "tests/blackbox/schemathesis/requirements.txt";

/// The oldest supported Python version.
const MIN_PYTHON: (u32, u32) = (3, 11);

const EXCLUDED_CHECKS: &str = "positive_data_acceptance,negative_data_rejection";

/// The run of every `cargo xtask test`.
const SHORT: SchemathesisOptions = SchemathesisOptions {
    seconds: 10,
    seed: 1,
};

/// The most examples per operation in the fuzzing phase: of a test run, of the command.
const MAX_EXAMPLES: [&str; 2] = ["5", "50"];

const PASSWORD: &str = "Violet Umbrellas Dance 42";

#[derive(clap::Args, Debug, PartialEq)]
pub(crate) struct SchemathesisOptions {
    /// How long requests are sent; the first phases always complete.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// The seed of the generated requests.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// `cargo xtask schemathesis`
pub(crate) fn command(options: &SchemathesisOptions) -> Verdict {
    let processes = Processes::open()?;
    let program = installed(&processes)?;
    build::servers(&processes, false)?;
    let backends = Backends::start(&processes)?;
    let programs = build::program_directory(false);
    let stack = Stack::start(&processes, Host::Postgres, &programs, &backends)?;
    run(&processes, &program, &stack.under_test.base_url(), options)
}

/// The same as a step of `cargo xtask test`, on a running server.
pub(crate) fn short(processes: &Processes, stack: &Stack<'_>, counts: &mut Counts) -> Result<()> {
    let program = installed(processes)?;
    let passed = run(processes, &program, &stack.under_test.base_url(), &SHORT)?;
    *(if passed {
        &mut counts.passed
    } else {
        &mut counts.failed
    }) += 1;
    ensure!(passed, "a response contradicts the description");
    Ok(())
}

fn run(processes: &Processes, program: &Path, url: &str, options: &SchemathesisOptions) -> Verdict {
    let SchemathesisOptions { seconds, seed } = options;
    let examples = MAX_EXAMPLES[usize::from(*options != SHORT)];
    let access = populate(url)?;
    let mut run = Command::new(program);
    run.current_dir(processes.directory())
        .args(["run", &format!("{url}/api/openapi.json")])
        .args(["--header", &format!("Authorization: Bearer {access}")])
        // WebSocket upgrades are not plain HTTP.
        .args(["--exclude-path-regex", "^/ws/"])
        .args([
            "--phases",
            "examples,coverage,fuzzing",
            "--continue-on-failure",
        ])
        .args(["--exclude-checks", EXCLUDED_CHECKS, "--warnings", "off"])
        .args([
            "--max-examples",
            examples,
            "--max-time",
            &seconds.to_string(),
        ])
        .args(["--seed", &seed.to_string()])
        .env("NO_PROXY", "127.0.0.1");
    let passed = processes.run(&mut run)?.success();
    if !passed {
        println!("Replay: cargo xtask schemathesis --seconds {seconds} --seed {seed}");
    }
    Ok(passed)
}

/// The program, in a virtual environment in the target directory; installed when its lock file has
/// changed.
fn installed(processes: &Processes) -> Result<PathBuf> {
    let directory = tools::target_directory().join("schemathesis");
    let lock = colloquy_harness::root().join(LOCK);
    let installed_lock = directory.join("requirements.txt");
    let program = directory.join("bin/st");
    let requirements = std::fs::read_to_string(&lock)?;
    if tools::is_program(&program)
        && std::fs::read_to_string(&installed_lock).is_ok_and(|text| text == requirements)
    {
        return Ok(program);
    }
    println!("    installing schemathesis into {}", directory.display());
    let python = python(processes)?;
    let has_venv = ["-c", "import ensurepip, venv"];
    if tools::output(Command::new(&python).args(has_venv)).is_err() {
        debian::install(processes, &["python3-venv"], "schemathesis")?;
    }
    let mut make = Command::new(python);
    make.args(["-m", "venv", "--clear"]).arg(&directory);
    processes
        .succeed(&mut make)
        .context("Python's venv is missing (on Debian: apt-get install python3-venv)")?;
    let mut pip = Command::new(directory.join("bin/python"));
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ])
    .args([
        "--require-hashes",
        "--only-binary",
        ":all:",
        "--requirement",
    ])
    .arg(&lock);
    processes.succeed(pip.stdout(Stdio::null()))?;
    std::fs::write(installed_lock, requirements)?;
    Ok(program)
}

/// The path of Python; an error when it is missing or too old.
fn python(processes: &Processes) -> Result<PathBuf> {
    let (major, minor) = MIN_PYTHON;
    if tools::find("python3").is_none() {
        debian::install(processes, &["python3", "python3-venv"], "schemathesis")?;
    }
    let python = tools::find("python3")
        .with_context(|| format!("Python is missing: install Python {major}.{minor} or newer"))?;
    let version = tools::output(Command::new(&python).arg("--version"))?;
    ensure!(
        version_of(&version).is_some_and(|found| found >= MIN_PYTHON),
        "Python {major}.{minor} or newer is needed; {} is {}",
        python.display(),
        version.trim()
    );
    Ok(python)
}

/// The major and minor version: 3 and 11 of `Python 3.11.2`.
fn version_of(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.trim().strip_prefix("Python ")?.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// Creates three accounts and a conversation between two of them; returns an access token of the
/// first.
fn populate(url: &str) -> Result<String> {
    let port = url.rsplit(':').next().and_then(|port| port.parse().ok());
    let port: u16 = port.with_context(|| format!("no port in {url}"))?;
    let mut ids = Vec::new();
    for name in ["schema_ann", "schema_ben", "schema_cleo"] {
        let account = json!({
            "username": name, "email": format!("{name}@mail.example"), "password": PASSWORD,
        });
        ids.push(post(port, "/api/users/register/", "", &account)?["id"].take());
    }
    let login = json!({"username": "schema_ann", "password": PASSWORD});
    let tokens = post(port, "/api/users/login/", "", &login)?;
    let access = tokens["access"].as_str().context("no access token")?;
    let bearer = format!("Authorization: Bearer {access}\r\n");
    let pair = json!({"participants": [ids[1]]});
    post(port, "/api/chat/conversations/", &bearer, &pair)?;
    Ok(access.to_owned())
}

fn post(port: u16, path: &str, headers: &str, body: &Value) -> Result<Value> {
    let headers = format!("Content-Type: application/json\r\n{headers}");
    let (status, text) = http::send(port, "POST", path, &headers, &body.to_string())?;
    ensure!(
        (200..300).contains(&status),
        "{path} returned {status}: {text}"
    );
    serde_json::from_str(&text).with_context(|| format!("{path} returned {text}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parsed;

    #[test]
    fn schemathesis_options_are_parsed() {
        let (seconds, seed) = (60, 1);
        assert_eq!(
            parsed::<SchemathesisOptions>("").unwrap(),
            SchemathesisOptions { seconds, seed }
        );
        let (seconds, seed) = (5, 7);
        let options = parsed::<SchemathesisOptions>("--seed 7 --seconds 5").unwrap();
        assert_eq!(options, SchemathesisOptions { seconds, seed });
        for invalid in ["--seed", "--seconds 0", "--often 3", "--seed x"] {
            assert!(parsed::<SchemathesisOptions>(invalid).is_err(), "{invalid}");
        }
    }

    #[test]
    fn python_versions_are_parsed() {
        assert_eq!(version_of("Python 3.11.2\n"), Some((3, 11)));
        assert_eq!(version_of("pypy"), None);
    }

    #[test]
    fn every_requirement_has_a_hash() {
        let text = std::fs::read_to_string(colloquy_harness::root().join(LOCK)).unwrap();
        let packages = text.lines().filter(|line| line.contains("==")).count();
        let hashed = text
            .split("==")
            .skip(1)
            .filter(|rest| rest.contains("--hash=sha256:"));
        assert_eq!(hashed.count(), packages);
    }
}
