//! `cargo xtask web`: builds the pages into `web/dist`, which is committed; `--check` proves that it
//! is the build of the sources, and checks and tests them; `--pictures` takes those of the documents
//! from the last test run.
//!
//! Owns the steps and the limits of sizes and licences. What is checked in TypeScript and Svelte is
//! defined by `web/package.json` and the packages of its workspace: every script whose name starts
//! with `check:`, and `test`. To add a check, add such a script.

mod browser;
mod budgets;
mod compare;
mod licences;
mod pictures;
mod sdk;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use colloquy_harness::processes::Processes;
use colloquy_harness::stack::Stack;
use colloquy_harness::{npm, tools};
use colloquy_web_dist::{BUILD_RECORD, HEADERS, IGNORED_BY_PLATFORM, digest, record};
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::Verdict;
use crate::report::{Counts, Report};

pub(crate) use browser::test as test_in_browser;
pub(crate) use sdk::test as test_sdk;

/// The workspace of npm packages, relative to the root.
const WEB: &str = "web";

/// The variable that names the directory of the build to Vite.
const OUTPUT: &str = "WEB_DIST";

/// The directory of Vite's manifest in its output.
const MANIFEST: &str = ".vite";

/// The names of scripts that check something.
const CHECK_PREFIX: &str = "check:";

/// The script that runs the unit tests.
const TEST: &str = "test";

#[derive(clap::Args)]
pub(crate) struct WebOptions {
    /// Check and test the sources, and that web/dist is their build. Writes nothing there.
    #[arg(long)]
    check: bool,
    /// Put the pictures that the last browser tests have taken into docs/images.
    #[arg(long, conflicts_with = "check")]
    pictures: bool,
}

/// `cargo xtask web`
pub(crate) fn command(options: &WebOptions) -> Verdict {
    if options.pictures {
        pictures::keep()?;
        return Ok(true);
    }
    let processes = Processes::open()?;
    if !options.check {
        prepare(&processes)?;
        build(&processes, &colloquy_harness::root().join(WEB).join("dist"))?;
        return Ok(true);
    }
    let mut report = Report::new(false);
    report.tests("web", |counts| check(&processes, counts));
    let (text, passed) = report.finish();
    print!("{text}");
    Ok(passed)
}

/// Checks and tests everything in `web`; the whole of `--check` as a step of `cargo xtask test`.
pub(crate) fn check(processes: &Processes, counts: &mut Counts) -> Result<()> {
    prepare(processes)?;
    let web = colloquy_harness::root().join(WEB);
    for Script { package, name } in scripts(&web)? {
        let label = format!("{package}: npm run {name}");
        if name == TEST {
            report(&label, run_tests(processes, &web, &package, counts));
        } else {
            let passed = processes.succeed(&mut npm_run(&web, &package, &name)?);
            count(counts, &label, passed);
        }
    }
    let built = processes.directory().join("web-dist");
    let outcome = build(processes, &built);
    let manifest = outcome.as_ref().ok().cloned();
    count(counts, "the pages build", outcome.map(drop));
    if let Some(manifest) = manifest {
        let dist = web.join("dist");
        count(
            counts,
            "web/dist is the build of its sources",
            compare::same(&built, &dist),
        );
        count(
            counts,
            "pages are within their size budgets",
            budgets::check(&built, &manifest),
        );
        count(
            counts,
            "bundled packages have allowed licences",
            licences::check(&built),
        );
    }
    match counts.failed {
        0 => Ok(()),
        failed => bail!("{failed} checks of web failed"),
    }
}

/// Installs the npm packages.
pub(crate) fn prepare(processes: &Processes) -> Result<()> {
    npm::node()?;
    npm::install(processes, &[WEB])
}

/// Builds the pages into `output`, with the files that describe the build. Returns Vite's manifest,
/// which names the files of every module; it is not part of the pages.
fn build(processes: &Processes, output: &Path) -> Result<Value> {
    let web = colloquy_harness::root().join(WEB);
    let mut command = npm_run(&web, ROOT, "build")?;
    processes.succeed(command.env(OUTPUT, output))?;
    let write = |name: &str, text: String| {
        let file = output.join(name);
        fs::write(&file, text).with_context(|| file.display().to_string())
    };
    write(HEADERS, colloquy_core::http::page_headers_for_platform())?;
    write(IGNORED_BY_PLATFORM, format!("{BUILD_RECORD}\n"))?;
    write(BUILD_RECORD, record(&digest(&web)?))?;
    take_manifest(&output.join(MANIFEST))
}

/// Reads the manifest and removes its directory.
fn take_manifest(directory: &Path) -> Result<Value> {
    let text = fs::read_to_string(directory.join("manifest.json")).context("Vite's manifest")?;
    fs::remove_dir_all(directory)?;
    serde_json::from_str(&text).context("Vite's manifest")
}

/// The name of the package at the root of the workspace, in output and on the command line.
const ROOT: &str = "web";

/// A script of a package of the workspace.
#[derive(Debug, PartialEq, Eq)]
struct Script {
    package: String,
    name: String,
}

/// Every check and every test, those of the root first.
fn scripts(web: &Path) -> Result<Vec<Script>> {
    let root = manifest(web)?;
    let mut found = scripts_of(ROOT, &root);
    for workspace in root["workspaces"].as_array().into_iter().flatten() {
        let directory = workspace
            .as_str()
            .context("workspaces of web/package.json")?;
        found.extend(scripts_of(directory, &manifest(&web.join(directory))?));
    }
    Ok(found)
}

fn manifest(package: &Path) -> Result<Value> {
    let file = package.join("package.json");
    let text = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
    serde_json::from_str(&text).with_context(|| file.display().to_string())
}

fn scripts_of(package: &str, manifest: &Value) -> Vec<Script> {
    let scripts = manifest["scripts"].as_object().into_iter().flatten();
    let names = scripts.map(|(name, _)| name);
    let names = names.filter(|name| name.starts_with(CHECK_PREFIX) || *name == TEST);
    let script = |name: &String| Script {
        package: package.to_owned(),
        name: name.clone(),
    };
    names.map(script).collect()
}

/// `npm run` of a script.
fn npm_run(web: &Path, package: &str, script: &str) -> Result<Command> {
    let npm = tools::find("npm").context("npm is missing: install Node.js 20 or newer")?;
    let mut command = Command::new(npm);
    command.args(["run", "--silent", script]).current_dir(web);
    if package != ROOT {
        command.args(["--workspace", package]);
    }
    // Plain lines, whose results are counted.
    command.env("NO_COLOR", "1").env_remove("FORCE_COLOR");
    Ok(command)
}

/// Runs the unit tests of a package, prints their output and counts them.
fn run_tests(processes: &Processes, web: &Path, package: &str, counts: &mut Counts) -> Result<()> {
    run_vitest(processes, npm_run(web, package, TEST)?, counts)
}

/// The URL of the extra instance that the control server describes by this key.
fn instance_url(stack: &Stack<'_>, url_key: &str) -> Result<String> {
    let mut instances = stack.extra_instances.iter();
    let instance = instances.find(|instance| instance.spec.url_key == url_key);
    let instance = instance.with_context(|| format!("no instance has the key {url_key}"))?;
    Ok(instance.base_url())
}

/// Runs vitest, prints its output and counts its tests.
fn run_vitest(processes: &Processes, mut command: Command, counts: &mut Counts) -> Result<()> {
    let before = *counts;
    let mut running = processes.spawn(command.stdout(Stdio::piped()), Signal::SIGTERM)?;
    let output = running.stdout().context("npm's output was not piped")?;
    for line in BufReader::new(output).split(b'\n') {
        let line = line?;
        let line = String::from_utf8_lossy(&line);
        println!("{line}");
        counts.read_vitest(&line);
    }
    let status = running.wait()?;
    if !status.success() || counts.passed == before.passed {
        counts.failed += u32::from(counts.failed == before.failed);
        bail!("the tests ended with {status}");
    }
    Ok(())
}

/// Counts a check that is not a set of tests.
fn count(counts: &mut Counts, label: &str, outcome: Result<()>) {
    match outcome {
        Ok(()) => counts.passed += 1,
        Err(_) => counts.failed += 1,
    }
    report(label, outcome);
}

fn report(label: &str, outcome: Result<()>) {
    match outcome {
        Ok(()) => println!("ok      {label}"),
        Err(error) => println!("FAILED  {label}\n        {error:#}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_and_tests_of_a_package_are_found() {
        let manifest = serde_json::json!({"scripts": {
            "build": "vite build", "check:types": "tsc", "test": "vitest run", "checks": ""
        }});
        let names: Vec<_> = scripts_of("sdk", &manifest)
            .into_iter()
            .map(|script| script.name)
            .collect();
        assert_eq!(names, ["check:types", "test"]);
        assert!(scripts_of("sdk", &Value::Null).is_empty());
    }
}
