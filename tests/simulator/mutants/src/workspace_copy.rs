//! A copy of the crates `proto` and `simulator` as a workspace of their own, in the target directory.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use colloquy_harness::tools;

use crate::mutation::Mutation;

/// The crates that are copied: the simulator and what it is built from.
const CRATES: &[&str] = &["proto", "tests/fuzz", "tests/simulator"];

/// Folders that are not copied: this crate, and builds.
const SKIPPED: &[&str] = &["mutants", "target"];

/// The files of a mutant as they were.
pub(crate) type Originals = BTreeMap<PathBuf, String>;

pub(crate) struct WorkspaceCopy {
    directory: PathBuf,
}

/// The Room's sources.
#[cfg(test)]
pub(crate) fn room() -> PathBuf {
    root().join("proto/src/room")
}

fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.ancestors().nth(3).unwrap_or(manifest).to_owned()
}

impl WorkspaceCopy {
    /// Updates the copy. Files that have not changed are not written, so that cargo builds less.
    pub(crate) fn create() -> Result<Self> {
        let directory = tools::target_directory().join("mutants");
        let copy = Self { directory };
        for path in CRATES {
            copy_tree(&root().join(path), &copy.directory.join(path))?;
        }
        let manifest = fs::read_to_string(root().join("Cargo.toml"))?;
        write(
            &copy.directory.join("Cargo.toml"),
            &with_members(&manifest, CRATES)?,
        )?;
        copy.lock()?;
        copy.discard_incremental_state()?;
        Ok(copy)
    }

    /// Copies the lock file. Cargo reduces the copy to the crates that are here, so the original is
    /// stored beside it to notice when it changes.
    fn lock(&self) -> Result<()> {
        let lock = fs::read_to_string(root().join("Cargo.lock"))?;
        let original = self.directory.join("Cargo.lock.original");
        if fs::read_to_string(&original).is_ok_and(|copied| copied == lock) {
            return Ok(());
        }
        write(&self.directory.join("Cargo.lock"), &lock)?;
        write(&original, &lock)
    }

    /// Removes what an interrupted run may have left half written.
    fn discard_incremental_state(&self) -> Result<()> {
        match fs::remove_dir_all(self.directory.join("target/debug/incremental")) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(error).context("cannot remove the incremental state of mutants")
            }
            _ => Ok(()),
        }
    }

    /// Plants a mutation; returns the files as they were.
    pub(crate) fn plant(&self, mutation: &Mutation) -> Result<Originals> {
        let mut originals = Originals::new();
        for edit in mutation.edits {
            let path = self.directory.join("proto/src/room").join(edit.file);
            let source = fs::read_to_string(&path)
                .with_context(|| format!("cannot read {}", path.display()))?;
            let found = source.matches(edit.old).count();
            ensure!(
                found == 1,
                "the mutation `{}` replaces a text that is {found} times in proto/src/room/{}; \
                 update it in tests/simulator/mutants",
                mutation.name,
                edit.file
            );
            write(&path, &source.replace(edit.old, edit.new))?;
            originals.entry(path).or_insert(source);
        }
        Ok(originals)
    }

    /// Builds and runs the simulator's worlds, quick to build and quick to run.
    pub(crate) fn test_command(&self) -> Command {
        let mut cargo = tools::cargo();
        cargo
            .current_dir(&self.directory)
            .env("CARGO_TARGET_DIR", self.directory.join("target"))
            // A mutant differs from the one before in a few lines: built in 1 s instead of 9 s.
            .env("CARGO_INCREMENTAL", "1")
            .env("CARGO_PROFILE_DEV_OPT_LEVEL", "1")
            .env("CARGO_PROFILE_DEV_DEBUG", "false")
            // Mutants leave code unused.
            .env("CARGO_BUILD_WARNINGS", "allow")
            .args(["test", "--quiet", "-p", "colloquy-simulator"])
            .args(["--test", "worlds"]);
        cargo
    }
}

/// Undoes a mutation.
pub(crate) fn restore(originals: Originals) -> Result<()> {
    for (path, source) in originals {
        write(&path, &source)?;
    }
    Ok(())
}

/// The workspace's manifest with other members.
fn with_members(manifest: &str, members: &[&str]) -> Result<String> {
    let (before, rest) = manifest
        .split_once("members = [")
        .context("the workspace has no members")?;
    let (_, after) = rest.split_once(']').context("members has no end")?;
    let members = members.iter().map(|member| format!("{member:?}"));
    let members = members.collect::<Vec<_>>().join(", ");
    let after: Vec<&str> = after
        .lines()
        .filter(|line| !line.starts_with("default-members"))
        .collect();
    Ok(format!(
        "{before}members = [{members}]{}\n",
        after.join("\n")
    ))
}

/// Copies the files of a directory that differ, and removes those that are gone.
fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(to)? {
        let entry = entry?;
        if from.join(entry.file_name()).exists() {
            continue;
        }
        if entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let entry = entry?;
        let (name, path) = (entry.file_name(), entry.path());
        if SKIPPED.iter().any(|skipped| name == *skipped) {
            continue;
        }
        if entry.file_type()?.is_dir() {
            copy_tree(&path, &to.join(name))?;
        } else {
            copy_file(&path, &to.join(name))?;
        }
    }
    Ok(())
}

fn copy_file(from: &Path, to: &Path) -> Result<()> {
    let content = fs::read(from).with_context(|| format!("cannot read {}", from.display()))?;
    if !fs::read(to).is_ok_and(|copied| copied == content) {
        fs::write(to, content).with_context(|| format!("cannot write {}", to.display()))?;
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<()> {
    if fs::read_to_string(path).is_ok_and(|written| written == text) {
        return Ok(());
    }
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_replaced_and_versions_kept() {
        let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
        let text = with_members(&manifest, CRATES).unwrap();
        assert!(text.contains(r#"members = ["proto", "#), "{text}");
        assert!(!text.contains("default-members"), "{text}");
        assert!(text.contains("\nserde = { version = "), "{text}");
        assert!(with_members("[workspace]\n", CRATES).is_err());
    }
}
