//! Mutation tests of the Room and its host: each mutation plants one fault in a copy of `proto`, and the
//! simulator has to find a violation.
//!
//! Owns the list of mutations and their runs. The sources themselves are never touched: `proto` and
//! the simulator are copied as they are to the target directory, as a workspace of their own with the
//! versions of this one. To add a mutation: a row in `mutations_room.rs`, `mutations_connections.rs`
//! or `mutations_host.rs`, and its name in `docs/guarantees.md`.

mod mutation;
mod mutations_connections;
mod mutations_host;
mod mutations_room;
mod workspace_copy;

use std::io::Read as _;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use colloquy_harness::processes::Processes;
use nix::sys::signal::Signal;

use mutation::Mutation;
use mutations_connections::CONNECTION_MUTATIONS;
use mutations_host::HOST_MUTATIONS;
use mutations_room::ROOM_MUTATIONS;
use workspace_copy::WorkspaceCopy;

/// The worlds of each mutant. One that survives as many is not caught.
const WORLDS: u64 = 10_000;

/// A mutant that runs longer does not end, which is an error: no violation was reported.
const TIMEOUT: Duration = Duration::from_mins(5);

/// The result of a run.
#[derive(Debug, Default)]
pub struct Summary {
    /// The number of mutations that the simulator found.
    pub caught: u32,
    /// The names of the others.
    pub survived: Vec<&'static str>,
}

fn mutations() -> impl Iterator<Item = &'static Mutation> {
    HOST_MUTATIONS
        .iter()
        .chain(ROOM_MUTATIONS)
        .chain(CONNECTION_MUTATIONS)
}

/// Runs the mutations whose names contain `part`, and prints the result of each.
///
/// # Errors
/// When a mutant cannot be built, or fails otherwise than by a violation.
pub fn run(processes: &Processes, part: &str) -> Result<Summary> {
    let copy = WorkspaceCopy::create()?;
    let mut summary = Summary::default();
    for mutation in mutations().filter(|mutation| mutation.name.contains(part)) {
        let originals = copy.plant(mutation)?;
        let violation = processes
            .succeed(copy.test_command().arg("--no-run"))
            .and_then(|()| find_violation(&copy, processes));
        workspace_copy::restore(originals)?;
        let violation = violation.with_context(|| format!("the Room that {}", mutation.name))?;
        if let Some(violation) = violation {
            summary.caught += 1;
            println!("caught: a Room that {}\n        {violation}", mutation.name);
        } else {
            summary.survived.push(mutation.name);
            println!("SURVIVED: a Room that {}", mutation.name);
        }
    }
    Ok(summary)
}

/// Runs the worlds; returns the violation that the simulator reports.
fn find_violation(copy: &WorkspaceCopy, processes: &Processes) -> Result<Option<String>> {
    let mut worlds = copy.test_command();
    worlds
        .env("COLLOQUY_WORLDS", WORLDS.to_string())
        .env("COLLOQUY_FIRST", "0")
        .env_remove("COLLOQUY_WITHIN_SECONDS")
        .env_remove("COLLOQUY_SEED")
        .args(["--", "--nocapture", "no_world_violates_a_guarantee"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut running = processes.spawn(&mut worlds, Signal::SIGTERM)?;
    let mut errors = running.stderr().context("stderr is not piped")?;
    let started = Instant::now();
    let reader = std::thread::spawn(move || {
        let mut output = String::new();
        errors.read_to_string(&mut output).map(|_| output)
    });
    while running.is_running() {
        if started.elapsed() > TIMEOUT {
            running.end(Signal::SIGKILL, Duration::from_secs(5))?;
            bail!("did not end within {} s", TIMEOUT.as_secs());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let status = running.wait()?;
    let output = reader
        .join()
        .map_err(|_| anyhow::anyhow!("reading stderr panicked"))??;
    let violation = output.lines().find(|line| line.contains("Replay: "));
    match violation {
        Some(violation) => Ok(Some(violation.to_owned())),
        None if status.success() => Ok(None),
        None => bail!("failed without a violation:\n{output}"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_mutation_fits_the_sources() {
        for mutation in mutations() {
            for edit in mutation.edits {
                let source =
                    std::fs::read_to_string(workspace_copy::room().join(edit.file)).unwrap();
                let found = source.matches(edit.old).count();
                assert_eq!(found, 1, "{}: {}", mutation.name, edit.old);
                assert_ne!(edit.old, edit.new, "{}", mutation.name);
            }
        }
    }

    #[test]
    fn names_are_unique() {
        let names: BTreeSet<_> = mutations().map(|mutation| mutation.name).collect();
        assert_eq!(names.len(), mutations().count());
    }
}
