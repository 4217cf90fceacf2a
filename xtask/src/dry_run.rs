//! `cargo xtask dry-run`: `wrangler deploy --dry-run` for each environment.
//!
//! wrangler is installed from the lock file of `worker/npm` and needs no account and no network. It
//! reads `wrangler.toml`, runs the build command, bundles the result, checks that the classes of the
//! Durable Objects are exported, and prints the size of the upload. Unknown fields, of which it only
//! warns, and bindings that differ between environments are errors here.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, BufRead as _, BufReader};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use nix::sys::signal::Signal;

use crate::Verdict;
use colloquy_harness::processes::Processes;
use colloquy_harness::{npm, worker};

/// The name wrangler uses for the top-level environment.
const TOP_LEVEL: &str = "";

/// wrangler's environment variables: no account, no prompts, no telemetry, no update check.
const ENVIRONMENT: &[(&str, &str)] = &[
    ("CI", "1"),
    ("CLOUDFLARE_CF_FETCH_ENABLED", "false"),
    ("WRANGLER_HIDE_BANNER", "true"),
    ("WRANGLER_SEND_METRICS", "false"),
];

/// `cargo xtask dry-run`
pub(crate) fn command() -> Verdict {
    let processes = Processes::open()?;
    run(&processes, false)?;
    Ok(true)
}

/// Checks every environment. The first one builds the Worker unless it is `built` already.
pub(crate) fn run(processes: &Processes, built: bool) -> Result<()> {
    npm::install(processes, npm::WORKER)?;
    let file = colloquy_harness::root().join("wrangler.toml");
    let text = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
    let mut first: Option<BTreeSet<String>> = None;
    for name in environments(&text) {
        let label = if name == TOP_LEVEL {
            "no environment"
        } else {
            name
        };
        let output = wrangler(processes, name, built || first.is_some())
            .with_context(|| format!("wrangler deploy --dry-run, {label}"))?;
        let upload = upload(&output).with_context(|| format!("{label}: no size in\n{output}"))?;
        println!("    {label}: {upload}");
        if let Some(warning) = unknown_fields(&output) {
            bail!("{label}: {warning}");
        }
        let bindings = bindings(&output);
        let same = first.get_or_insert_with(|| bindings.clone());
        if *same != bindings {
            let different: Vec<_> = same.symmetric_difference(&bindings).collect();
            bail!("the environments of wrangler.toml differ in {different:?}");
        }
    }
    Ok(())
}

/// The output of wrangler for one environment. It is printed line by line if the Worker is not built
/// yet, because the build takes minutes.
fn wrangler(processes: &Processes, environment: &str, built: bool) -> Result<String> {
    let (reader, writer) = io::pipe()?;
    let mut command = Command::new(worker::npm_program("wrangler")?);
    command
        .args(["deploy", "--dry-run", "--env", environment])
        .current_dir(colloquy_harness::root())
        .envs(ENVIRONMENT.iter().copied())
        // Outside the user's home directory.
        .env("WRANGLER_LOG_PATH", processes.directory().join("wrangler"))
        .stdout(writer.try_clone()?)
        .stderr(writer);
    if built {
        command.env(worker::BUILT, "1");
    }
    let mut running = processes.spawn(&mut command, Signal::SIGTERM)?;
    // Closes this process's end of the pipe, so that the loop ends.
    drop(command);
    let mut text = String::new();
    for line in BufReader::new(reader).split(b'\n') {
        let line = String::from_utf8_lossy(&line?).into_owned();
        if !built && !line.trim().is_empty() {
            println!("    {line}");
        }
        text.push_str(&line);
        text.push('\n');
    }
    let status = running.wait()?;
    if !status.success() {
        bail!("{status}\n{text}");
    }
    Ok(text)
}

/// The environments of a `wrangler.toml`, the top-level one first.
fn environments(configuration: &str) -> Vec<&str> {
    let named = configuration.lines().filter_map(|line| {
        let name = line.trim().strip_prefix("[env.")?.strip_suffix(']')?;
        (!name.contains('.')).then_some(name)
    });
    [TOP_LEVEL].into_iter().chain(named).collect()
}

/// The line with the size of the upload.
fn upload(output: &str) -> Option<&str> {
    let line = output.lines().find(|line| line.contains("Total Upload"))?;
    Some(line.trim())
}

/// The first warning of an unknown field.
fn unknown_fields(output: &str) -> Option<&str> {
    let line = output
        .lines()
        .find(|line| line.contains("Unexpected fields"))?;
    Some(line.trim().trim_start_matches("- "))
}

/// The names of the Worker's bindings and variables.
fn bindings(output: &str) -> BTreeSet<String> {
    let names = output.lines().filter_map(|line| {
        let name = line.strip_prefix("env.")?;
        name.split(' ').next().map(str::to_owned)
    });
    names.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "\
Total Upload: 2368.61 KiB / gzip: 910.51 KiB
Your Worker has access to the following bindings:
env.ROOMS (RoomObject)                                             Durable Object
env.LOG_LEVEL (\"info\")                                             Environment Variable

    - \"env.staging\" environment configuration
      - Unexpected fields found in env.staging field: \"nonsense\"
";

    #[test]
    fn environments_are_read_from_their_tables() {
        let text = "[vars]\n[env.staging]\n[env.staging.vars]\n[[env.staging.hyperdrive]]\n[env.production]\n";
        assert_eq!(environments(text), ["", "staging", "production"]);
    }

    #[test]
    fn wrangler_output_is_parsed() {
        let size = "Total Upload: 2368.61 KiB / gzip: 910.51 KiB";
        assert_eq!(upload(OUTPUT), Some(size));
        let names: Vec<_> = bindings(OUTPUT).into_iter().collect();
        assert_eq!(names, ["LOG_LEVEL", "ROOMS"]);
        assert!(unknown_fields(OUTPUT).unwrap().contains("nonsense"));
        assert_eq!(unknown_fields("Total Upload: 1 KiB"), None);
    }
}
