//! `cargo xtask dry-run`: everything `wrangler deploy` does for each environment, short of
//! uploading.
//!
//! wrangler comes by the lock file of `worker/npm` and needs no account and no network for this. It
//! reads `wrangler.toml`, runs its build command, bundles what that left, sees that the Durable
//! Objects' classes are exported, and says how large the upload would be. It only warns of a field
//! it does not know, and knows nothing of a binding that one environment has and another has not:
//! both are failures here.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, BufRead as _, BufReader};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use nix::sys::signal::Signal;

use crate::Verdict;
use colloquy_harness::processes::Processes;
use colloquy_harness::{npm, worker};

/// The part of `wrangler.toml` that stands in no environment, by the name wrangler takes for it.
const TOP: &str = "";

/// What wrangler is told for every run: no account, no questions, no reports, no look for updates.
const ENVIRONMENT: &[(&str, &str)] = &[
    ("CI", "1"),
    ("CLOUDFLARE_CF_FETCH_ENABLED", "false"),
    ("WRANGLER_HIDE_BANNER", "true"),
    ("WRANGLER_SEND_METRICS", "false"),
];

/// `cargo xtask dry-run`
pub(crate) fn command() -> Verdict {
    let processes = Processes::open()?;
    dry_run(&processes, false)?;
    Ok(true)
}

/// Tries every environment; the first runs the whole build unless the Worker is `built` already.
pub(crate) fn dry_run(processes: &Processes, built: bool) -> Result<()> {
    npm::install(processes, npm::WORKER)?;
    let file = colloquy_harness::root().join("wrangler.toml");
    let text = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
    let mut first: Option<BTreeSet<String>> = None;
    for name in environments(&text) {
        let shown = if name == TOP { "no environment" } else { name };
        let output = wrangler(processes, name, built || first.is_some())
            .with_context(|| format!("wrangler deploy --dry-run, {shown}"))?;
        let upload = upload(&output).with_context(|| format!("{shown}: no size in\n{output}"))?;
        println!("    {shown}: {upload}");
        if let Some(warning) = unknown_fields(&output) {
            bail!("{shown}: {warning}");
        }
        let has = bindings(&output);
        let same = first.get_or_insert_with(|| has.clone());
        if *same != has {
            let odd: Vec<_> = same.symmetric_difference(&has).collect();
            bail!("not every environment of wrangler.toml has {odd:?}");
        }
    }
    Ok(())
}

/// What wrangler says of one environment. Shown as it comes where the Worker has yet to be built,
/// which takes minutes.
fn wrangler(processes: &Processes, environment: &str, built: bool) -> Result<String> {
    let (reader, writer) = io::pipe()?;
    let mut command = Command::new(worker::npm_program("wrangler")?);
    command
        .args(["deploy", "--dry-run", "--env", environment])
        .current_dir(colloquy_harness::root())
        .envs(ENVIRONMENT.iter().copied())
        // Not into the home of whoever runs this.
        .env("WRANGLER_LOG_PATH", processes.directory().join("wrangler"))
        .stdout(writer.try_clone()?)
        .stderr(writer);
    if built {
        command.env(worker::BUILT, "1");
    }
    let mut running = processes.spawn(&mut command, Signal::SIGTERM)?;
    // It holds the pipe open, and nothing would end the loop.
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

/// The environments of a `wrangler.toml`, the one without a name first.
fn environments(configuration: &str) -> Vec<&str> {
    let named = configuration.lines().filter_map(|line| {
        let name = line.trim().strip_prefix("[env.")?.strip_suffix(']')?;
        (!name.contains('.')).then_some(name)
    });
    [TOP].into_iter().chain(named).collect()
}

/// The line that says how large the upload is.
fn upload(output: &str) -> Option<&str> {
    let line = output.lines().find(|line| line.contains("Total Upload"))?;
    Some(line.trim())
}

/// The first warning of a field wrangler does not know, most likely a misspelt one.
fn unknown_fields(output: &str) -> Option<&str> {
    let line = output
        .lines()
        .find(|line| line.contains("Unexpected fields"))?;
    Some(line.trim().trim_start_matches("- "))
}

/// The names of all bindings and variables the Worker would have.
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
    fn environments_are_those_with_a_table_of_their_own() {
        let text = "[vars]\n[env.staging]\n[env.staging.vars]\n[[env.staging.hyperdrive]]\n[env.production]\n";
        assert_eq!(environments(text), ["", "staging", "production"]);
    }

    #[test]
    fn reads_what_wrangler_says() {
        let size = "Total Upload: 2368.61 KiB / gzip: 910.51 KiB";
        assert_eq!(upload(OUTPUT), Some(size));
        let names: Vec<_> = bindings(OUTPUT).into_iter().collect();
        assert_eq!(names, ["LOG_LEVEL", "ROOMS"]);
        assert!(unknown_fields(OUTPUT).unwrap().contains("nonsense"));
        assert_eq!(unknown_fields("Total Upload: 1 KiB"), None);
    }
}
