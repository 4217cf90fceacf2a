//! Installs the npm packages of builds and tests from their lock files.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::processes::Processes;
use crate::tools;

/// The directories of npm packages that tests use, relative to the root.
pub const TESTS: &[&str] = &["redis-http/tests/npm", "tests/blackbox/npm"];

/// The directory of npm packages that build the Worker.
pub const WORKER: &[&str] = &["worker/npm"];

/// The oldest supported major version of Node.js.
const MIN_NODE: u32 = 20;

/// The path of Node.js; an error when it is missing or too old.
pub fn node() -> Result<PathBuf> {
    let missing = || format!("Node.js is missing: install Node.js {MIN_NODE} or newer");
    let node = tools::find("node").with_context(missing)?;
    let version = tools::output(Command::new(&node).arg("--version"))?;
    match major(&version) {
        Some(found) if found >= MIN_NODE => Ok(node),
        _ => bail!(
            "Node.js {MIN_NODE} or newer is needed; {} is {}",
            node.display(),
            version.trim()
        ),
    }
}

/// The major version: 20 of `v20.11.1`.
fn major(version: &str) -> Option<u32> {
    version
        .trim()
        .strip_prefix('v')?
        .split('.')
        .next()?
        .parse()
        .ok()
}

/// Runs `npm ci` in each project whose lock file is newer than its installed packages.
pub fn install(processes: &Processes, projects: &[&str]) -> Result<()> {
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

/// Whether a project's lock file is newer than its installed packages.
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
    fn major_versions_are_parsed() {
        assert_eq!(major("v20.11.1\n"), Some(20));
        assert_eq!(major("24"), None);
    }

    #[test]
    fn project_is_stale_only_with_a_newer_lock_file() {
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
