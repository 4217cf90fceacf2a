//! `cargo xtask simulate` and `cargo xtask mutate`: the room simulator at length, and whether it
//! would notice a broken Room.
//!
//! Worlds want an optimised build, and mutants want many builds. Both get a package of their own
//! in the target directory: a copy of what the Room consists of, which core's invariants keep
//! apart from all else, so that it builds in seconds. The sources themselves are never touched.

mod mutations;
mod mutations_of_connections;

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use nix::sys::signal::Signal;

use crate::Verdict;
use crate::report::{Counts, Report};
use colloquy_harness::processes::Processes;
use colloquy_harness::tools;
use mutations::{MUTATIONS, Mutation};
use mutations_of_connections::MUTATIONS_OF_CONNECTIONS;

/// Worlds of one `cargo xtask test`, and of each mutant. A mutant that survives as many is not
/// caught.
const WORLDS: u64 = 10_000;
const WORLDS_OF_A_MUTANT: u64 = 10_000;

/// A test run that is at its worlds for longer has found one that does not end, or the worlds have
/// become too slow to be lived through by everybody; they take a tenth of this on a small machine.
const WITHIN: Duration = Duration::from_mins(2);

/// A mutant that runs longer has found a way not to end, which counts as caught by nobody.
const PATIENCE: Duration = Duration::from_mins(5);

/// The parts of core the Room needs, and what they need.
const PARTS: &[&str] = &["domain", "protocol", "room", "testing/room_simulator"];
const DEPENDENCIES: &[&str] = &[
    "fastrand",
    "serde",
    "serde_json",
    "thiserror",
    "time",
    "utoipa",
];

const LIBRARY: &str = "\
pub mod domain;
pub mod protocol;
pub mod room;
pub mod testing {
    pub mod room_simulator;
}
";

/// Which worlds.
#[derive(clap::Args)]
pub(crate) struct Worlds {
    /// How many; a test run lives through as many as are the default.
    #[arg(long, default_value_t = WORLDS)]
    worlds: u64,
    /// The seed of the first one; the others follow. A test run begins with the default.
    #[arg(long, default_value_t = 0)]
    first: u64,
}

/// What a test run lives through.
const TESTED: Worlds = Worlds {
    worlds: WORLDS,
    first: 0,
};

/// `cargo xtask simulate`
pub(crate) fn simulate(options: &Worlds) -> Verdict {
    explore(&Processes::open()?, options, None)?;
    Ok(true)
}

/// Which mutants.
#[derive(clap::Args)]
pub(crate) struct Mutants {
    /// Plant only the faults whose names contain this.
    #[arg(default_value = "")]
    part: String,
}

/// `cargo xtask mutate`
pub(crate) fn mutate(options: &Mutants) -> Verdict {
    let mut counts = Counts::default();
    hunt(&Processes::open()?, &options.part, &mut counts)?;
    Ok(counts.ran())
}

/// The steps of `cargo xtask test`.
pub(crate) fn test(processes: &Processes, report: &mut Report) {
    let name = format!("room simulator, {WORLDS} worlds");
    report.tests(&name, |counts| {
        explore(processes, &TESTED, Some(WITHIN))?;
        counts.passed += 1;
        Ok(())
    });
    report.tests("mutations of the Room", |counts| {
        hunt(processes, "", counts)
    });
}

/// Builds, and lives through the worlds `within` a time, if one is given.
fn explore(processes: &Processes, worlds: &Worlds, within: Option<Duration>) -> Result<()> {
    let package = Package::lay_out("simulator")?;
    package.build(processes)?;
    let mut run = package.run(worlds);
    if let Some(within) = within {
        run.env("COLLOQUY_WITHIN_SECONDS", within.as_secs().to_string());
    }
    processes.succeed(&mut run)
}

/// All of them.
fn mutations() -> impl Iterator<Item = &'static Mutation> {
    MUTATIONS.iter().chain(MUTATIONS_OF_CONNECTIONS)
}

/// Plants each fault in turn and lets the simulator look for it.
fn hunt(processes: &Processes, wanted: &str, counts: &mut Counts) -> Result<()> {
    let package = Package::lay_out("mutants")?;
    let mut survivors = Vec::new();
    let chosen = mutations().filter(|mutation| mutation.name.contains(wanted));
    for mutation in chosen {
        let sound = package.plant(mutation)?;
        let caught = package
            .build(processes)
            .and_then(|()| package.caught(processes));
        for (path, source) in sound {
            write(&path, &source)?;
        }
        let caught = caught.with_context(|| format!("the Room that {}", mutation.name))?;
        if let Some(violation) = caught {
            counts.passed += 1;
            println!("caught: a Room that {}\n        {violation}", mutation.name);
        } else {
            counts.failed += 1;
            println!("SURVIVED: a Room that {}", mutation.name);
            survivors.push(mutation.name);
        }
    }
    ensure!(counts.ran(), "no mutation is called *{wanted}*");
    ensure!(
        survivors.is_empty(),
        "not noticed: {}",
        survivors.join("; ")
    );
    Ok(())
}

/// A copy of the Room with its simulator, as a package.
struct Package {
    directory: PathBuf,
}

impl Package {
    /// Brings the copy of this name up to date. Files that are so already stay as they are, for cargo's sake.
    fn lay_out(name: &str) -> Result<Self> {
        let directory = directory().join(name);
        let core = colloquy_harness::root().join("core");
        let package = Self { directory };
        for part in PARTS {
            let copy = package.directory.join("src").join(part);
            copy_tree(&core.join("src").join(part), &copy)?;
        }
        copy_tree_file(
            &core.join("tests/room_simulator.rs"),
            &package.directory.join("tests/room_simulator.rs"),
        )?;
        write(&package.directory.join("src/lib.rs"), LIBRARY)?;
        let workspace = fs::read_to_string(colloquy_harness::root().join("Cargo.toml"))?;
        write(
            &package.directory.join("Cargo.toml"),
            &manifest(name, &workspace)?,
        )?;
        package.lock()?;
        Ok(package)
    }

    /// Takes the workspace's versions. Cargo shortens the copy to what is needed here, so the
    /// whole is kept beside it to see when it has changed.
    fn lock(&self) -> Result<()> {
        let locked = fs::read_to_string(colloquy_harness::root().join("Cargo.lock"))?;
        let whole = self.directory.join("Cargo.lock.workspace");
        if fs::read_to_string(&whole).is_ok_and(|known| known == locked) {
            return Ok(());
        }
        write(&self.directory.join("Cargo.lock"), &locked)?;
        write(&whole, &locked)
    }

    fn room(&self, file: &str) -> PathBuf {
        self.directory.join("src/room").join(file)
    }

    /// Answers the files as they were.
    fn plant(&self, mutation: &Mutation) -> Result<BTreeMap<PathBuf, String>> {
        let mut sound = BTreeMap::new();
        for edit in mutation.edits {
            let path = self.room(edit.file);
            let source = fs::read_to_string(&path)?;
            let found = source.matches(edit.old).count();
            ensure!(
                found == 1,
                "the Room has changed: what the mutation `{}` replaces stands {found} times in \
                 proto/src/room/{}; bring it up to date in xtask/src/simulator",
                mutation.name,
                edit.file
            );
            write(&path, &source.replace(edit.old, edit.new))?;
            sound.entry(path).or_insert(source);
        }
        Ok(sound)
    }

    fn cargo(&self) -> Command {
        let mut cargo = tools::cargo();
        cargo
            .current_dir(&self.directory)
            .env("CARGO_TARGET_DIR", directory().join("target"))
            // What an interrupted build leaves half done would be taken for whole by the next.
            .env("CARGO_INCREMENTAL", "0")
            .args(["test", "--quiet", "--test", "room_simulator"]);
        cargo
    }

    fn build(&self, processes: &Processes) -> Result<()> {
        processes.succeed(self.cargo().arg("--no-run"))
    }

    fn run(&self, worlds: &Worlds) -> Command {
        let mut cargo = self.cargo();
        cargo
            .env("COLLOQUY_WORLDS", worlds.worlds.to_string())
            .env("COLLOQUY_FIRST", worlds.first.to_string())
            .env_remove("COLLOQUY_WITHIN_SECONDS")
            .env_remove("COLLOQUY_SEED")
            .args(["--", "--nocapture", "no_world_violates_a_guarantee"]);
        cargo
    }

    /// The promise that the simulator sees broken, in its own words.
    fn caught(&self, processes: &Processes) -> Result<Option<String>> {
        let mut run = self.run(&Worlds {
            worlds: WORLDS_OF_A_MUTANT,
            first: 0,
        });
        run.stdout(Stdio::null()).stderr(Stdio::piped());
        let mut running = processes.spawn(&mut run, Signal::SIGTERM)?;
        let mut errors = running.stderr().context("its output was not piped")?;
        let started = Instant::now();
        let reader = std::thread::spawn(move || {
            let mut text = String::new();
            errors.read_to_string(&mut text).map(|_| text)
        });
        while running.is_running() {
            if started.elapsed() > PATIENCE {
                running.end(Signal::SIGKILL, Duration::from_secs(5))?;
                bail!("did not end within {} s", PATIENCE.as_secs());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let status = running.wait()?;
        let text = reader
            .join()
            .map_err(|_| anyhow::anyhow!("its output was lost"))??;
        let violation = text.lines().find(|line| line.contains("Replay: "));
        match violation {
            Some(violation) => Ok(Some(violation.to_owned())),
            None if status.success() => Ok(None),
            None => bail!("failed otherwise than by a broken promise:\n{text}"),
        }
    }
}

/// Where the copies are, and what cargo makes of all of them.
fn directory() -> PathBuf {
    tools::target_directory().join("simulator")
}

/// The package's manifest, with a name of its own so that cargo takes no copy for another: the
/// workspace's versions of what is needed, and a build that is both quick to make and quick to run.
fn manifest(name: &str, workspace: &str) -> Result<String> {
    let mut text = format!(
        "[package]\nname = \"colloquy-{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n\
         [lib]\nname = \"colloquy_core\"\n\n\
         [workspace]\n\n[lints.rust]\nunused = \"allow\"\n\n\
         [profile.dev]\nopt-level = 1\ndebug = false\n\n\
         [profile.dev.package.serde_json]\nopt-level = 3\n\n[dependencies]\n",
    );
    for name in DEPENDENCIES {
        let line = workspace
            .lines()
            .find(|line| {
                line.strip_prefix(name)
                    .is_some_and(|rest| rest.starts_with(" = "))
            })
            .with_context(|| format!("the workspace does not name {name}"))?;
        text.push_str(line);
        text.push('\n');
    }
    Ok(text)
}

/// Copies a directory's files that differ, and removes what is no longer there.
fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(to)? {
        let entry = entry?;
        if !from.join(entry.file_name()).exists() {
            fs::remove_file(entry.path())?;
        }
    }
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let entry = entry?;
        copy_tree_file(&entry.path(), &to.join(entry.file_name()))?;
    }
    Ok(())
}

fn copy_tree_file(from: &Path, to: &Path) -> Result<()> {
    let text =
        fs::read_to_string(from).with_context(|| format!("cannot read {}", from.display()))?;
    write(to, &text)
}

fn write(path: &Path, text: &str) -> Result<()> {
    if fs::read_to_string(path).is_ok_and(|old| old == text) {
        return Ok(());
    }
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mutation_fits_the_room_as_it_is() {
        let room = colloquy_harness::root().join("proto/src/room");
        for mutation in mutations() {
            for edit in mutation.edits {
                let source = fs::read_to_string(room.join(edit.file)).unwrap();
                let found = source.matches(edit.old).count();
                assert_eq!(found, 1, "{}: {}", mutation.name, edit.old);
                assert_ne!(edit.old, edit.new, "{}", mutation.name);
            }
        }
    }

    #[test]
    fn the_manifest_takes_its_versions_from_the_workspace() {
        let workspace = fs::read_to_string(colloquy_harness::root().join("Cargo.toml")).unwrap();
        let text = manifest("simulator", &workspace).unwrap();
        assert!(text.contains("\nserde = { version = "), "{text}");
        assert!(manifest("simulator", "[workspace.dependencies]\n").is_err());
    }
}
