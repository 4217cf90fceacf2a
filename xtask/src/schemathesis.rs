//! `cargo xtask schemathesis`: requests made from the server's own description of itself, valid and
//! not, against a private server over PostgreSQL.
//!
//! A test run has a short one, always the same, on the embedded host. It is the only thing here
//! that needs Python; the black-box suite holds every answer against the same description. Two of the tool's checks are left out: what a
//! schema cannot say (that a name is taken, that a password is common) it would take for valid, and
//! a blank parameter, which counts as absent here, for accepted although invalid.

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

/// What is installed, each file of it by its hash.
const LOCK: &str = "tests/blackbox/schemathesis/requirements.txt";

/// The oldest Python it runs on.
const PYTHON: (u32, u32) = (3, 11);

const LEFT_OUT: &str = "positive_data_acceptance,negative_data_rejection";

/// What a test run tries.
const SHORT: Options = Options {
    seconds: 10,
    seed: 1,
};

/// How often each operation is tried after the first phases, at most: in a test run, else.
const EXAMPLES: [&str; 2] = ["5", "50"];

const PASSWORD: &str = "Violet Umbrellas Dance 42";

/// How much is tried, and what.
#[derive(clap::Args, Debug, PartialEq)]
pub(crate) struct Options {
    /// How long requests are made; every run makes those of its first phases.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// What decides.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// `cargo xtask schemathesis`
pub(crate) fn command(options: &Options) -> Verdict {
    let processes = Processes::open()?;
    let program = installed(&processes)?;
    build::servers(&processes, false)?;
    let backends = Backends::start(&processes)?;
    let programs = build::program_directory(false);
    let stack = Stack::start(&processes, Host::Postgres, &programs, &backends)?;
    run(&processes, &program, &stack.under_test.base_url(), options)
}

/// The same as a step of `cargo xtask test`, on a server that runs.
pub(crate) fn short(processes: &Processes, stack: &Stack<'_>, counts: &mut Counts) -> Result<()> {
    let program = installed(processes)?;
    let good = run(processes, &program, &stack.under_test.base_url(), &SHORT)?;
    *(if good {
        &mut counts.passed
    } else {
        &mut counts.failed
    }) += 1;
    ensure!(good, "an answer is not as the description says");
    Ok(())
}

fn run(processes: &Processes, program: &Path, url: &str, options: &Options) -> Verdict {
    let Options { seconds, seed } = options;
    let examples = EXAMPLES[usize::from(*options != SHORT)];
    let access = populate(url)?;
    let mut run = Command::new(program);
    run.current_dir(processes.directory())
        .args(["run", &format!("{url}/api/openapi.json")])
        .args(["--header", &format!("Authorization: Bearer {access}")])
        // What upgrades is no HTTP.
        .args(["--exclude-path-regex", "^/ws/"])
        .args([
            "--phases",
            "examples,coverage,fuzzing",
            "--continue-on-failure",
        ])
        .args(["--exclude-checks", LEFT_OUT, "--warnings", "off"])
        .args([
            "--max-examples",
            examples,
            "--max-time",
            &seconds.to_string(),
        ])
        .args(["--seed", &seed.to_string()])
        .env("NO_PROXY", "127.0.0.1");
    let good = processes.run(&mut run)?.success();
    if !good {
        println!("Replay: cargo xtask schemathesis --seconds {seconds} --seed {seed}");
    }
    Ok(good)
}

/// The tool, in an environment of its own in the target directory; installed when its lock file is
/// newer.
fn installed(processes: &Processes) -> Result<PathBuf> {
    let directory = tools::target_directory().join("schemathesis");
    let lock = colloquy_harness::root().join(LOCK);
    let kept = directory.join("requirements.txt");
    let program = directory.join("bin/st");
    let wanted = std::fs::read_to_string(&lock)?;
    if tools::is_program(&program)
        && std::fs::read_to_string(&kept).is_ok_and(|text| text == wanted)
    {
        return Ok(program);
    }
    println!("    schemathesis into {}", directory.display());
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
    std::fs::write(kept, wanted)?;
    Ok(program)
}

/// A Python that is new enough, or what is the matter.
fn python(processes: &Processes) -> Result<PathBuf> {
    let (major, minor) = PYTHON;
    if tools::find("python3").is_none() {
        debian::install(processes, &["python3", "python3-venv"], "schemathesis")?;
    }
    let python = tools::find("python3")
        .with_context(|| format!("Python is missing: install Python {major}.{minor} or newer"))?;
    let version = tools::output(Command::new(&python).arg("--version"))?;
    ensure!(
        version_of(&version).is_some_and(|found| found >= PYTHON),
        "Python {major}.{minor} or newer is needed; {} is {}",
        python.display(),
        version.trim()
    );
    Ok(python)
}

/// The 3 and 11 of `Python 3.11.2`.
fn version_of(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.trim().strip_prefix("Python ")?.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// Three people and a conversation of two of them; an access token of the first.
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
        "{path} answered {status}: {text}"
    );
    serde_json::from_str(&text).with_context(|| format!("{path} answered {text}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parsed;

    #[test]
    fn reads_its_command_line() {
        let (seconds, seed) = (60, 1);
        assert_eq!(parsed::<Options>("").unwrap(), Options { seconds, seed });
        let (seconds, seed) = (5, 7);
        let options = parsed::<Options>("--seed 7 --seconds 5").unwrap();
        assert_eq!(options, Options { seconds, seed });
        for wrong in ["--seed", "--seconds 0", "--often 3", "--seed x"] {
            assert!(parsed::<Options>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn knows_one_python_from_another() {
        assert_eq!(version_of("Python 3.11.2\n"), Some((3, 11)));
        assert_eq!(version_of("pypy"), None);
    }

    #[test]
    fn everything_installed_is_known_by_its_hash() {
        let text = std::fs::read_to_string(colloquy_harness::root().join(LOCK)).unwrap();
        let packages = text.lines().filter(|line| line.contains("==")).count();
        let hashed = text
            .split("==")
            .skip(1)
            .filter(|rest| rest.contains("--hash=sha256:"));
        assert_eq!(hashed.count(), packages);
    }
}
