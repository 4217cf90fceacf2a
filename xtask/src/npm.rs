//! Installs the npm packages some builds and tests use, exactly as their lock files say.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::processes::Processes;
use crate::tools;

/// Directories with a `package-lock.json` that tests rely on, from the root.
pub(crate) const TESTS: &[&str] = &["redis-http/tests/npm", "tests/blackbox/npm"];

/// The same for what builds the Worker.
pub(crate) const WORKER: &[&str] = &["worker/npm"];

/// The oldest Node.js the packages run on.
const NODE: u32 = 20;

/// Node.js, or what is the matter with it.
pub(crate) fn node() -> Result<PathBuf> {
    let missing = || format!("Node.js is missing: install Node.js {NODE} or newer");
    let node = tools::find("node").with_context(missing)?;
    let version = tools::output(Command::new(&node).arg("--version"))?;
    match major(&version) {
        Some(found) if found >= NODE => Ok(node),
        _ => bail!(
            "Node.js {NODE} or newer is needed; {} is {}",
            node.display(),
            version.trim()
        ),
    }
}

/// The 20 of `v20.11.1`.
fn major(version: &str) -> Option<u32> {
    version
        .trim()
        .strip_prefix('v')?
        .split('.')
        .next()?
        .parse()
        .ok()
}

/// Brings these projects up to date; does nothing where nothing changed since the last time.
pub(crate) fn install(processes: &Processes, projects: &[&str]) -> Result<()> {
    for project in projects {
        let directory = crate::root().join(project);
        if !is_stale(&directory) {
            continue;
        }
        let npm = tools::find("npm").context("npm is missing: install Node.js 20 or newer")?;
        println!("    npm ci in {project}");
        let mut command = Command::new(npm);
        command.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]);
        processes.succeed(command.current_dir(&directory).stdout(Stdio::null()))?;
    }
    Ok(())
}

/// Whether a project has a lock file newer than what npm installed from it.
fn is_stale(project: &Path) -> bool {
    let modified = |file: &Path| file.metadata().and_then(|meta| meta.modified()).ok();
    match modified(&project.join("package-lock.json")) {
        None => false,
        Some(lock) => modified(&project.join("node_modules/.package-lock.json"))
            .is_none_or(|installed| lock > installed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn versions_are_read() {
        assert_eq!(major("v20.11.1\n"), Some(20));
        assert_eq!(major("24"), None);
    }

    #[test]
    fn only_a_newer_lock_is_stale() {
        let base = std::env::temp_dir().join(format!("colloquy-npm-{}", std::process::id()));
        fs::create_dir_all(base.join("node_modules")).unwrap();
        assert!(!is_stale(&base), "no lock file, nothing to install");
        fs::write(base.join("package-lock.json"), "{}").unwrap();
        assert!(is_stale(&base));
        fs::write(base.join("node_modules/.package-lock.json"), "{}").unwrap();
        assert!(!is_stale(&base));
        fs::remove_dir_all(base).unwrap();
    }
}
