//! Installs packages with apt, on Debian and derivatives, as root.
//!
//! Installing a server package normally starts it and creates a database cluster. Tests use private
//! servers only, so both are disabled during the installation.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use crate::processes::Processes;
use crate::tools;

/// Every package runs this before it starts a service; exit status 101 denies it.
const POLICY: &str = "/usr/sbin/policy-rc.d";

/// PostgreSQL's packages read this before they create a cluster.
const NO_CLUSTER: &str = "/etc/postgresql-common/createcluster.d/colloquy-tests.conf";

/// Installs `packages`. Without apt or root it returns an error that names them and the `purpose`
/// ("missing for {purpose}").
pub fn install(processes: &Processes, packages: &[&str], purpose: &str) -> Result<()> {
    let list = packages.join(" ");
    if tools::find("apt-get").is_none() {
        bail!("missing for {purpose}: install what Debian packages as {list}");
    }
    if !nix::unistd::geteuid().is_root() {
        bail!("missing for {purpose}: run as root: apt-get install {list}");
    }
    println!("    installing {list}");
    let _policy = Overlay::put(POLICY, "#!/bin/sh\nexit 101\n", 0o755)?;
    let _cluster = Overlay::put(NO_CLUSTER, "create_main_cluster = off\n", 0o644)?;
    // A new machine may have no package lists. One broken source must not fail the others.
    let _ = processes.run(apt().args(["update", "-qq"]));
    processes.succeed(
        apt()
            .args(["install", "-y", "-qq", "--no-install-recommends"])
            .args(packages),
    )
}

fn apt() -> Command {
    let mut command = Command::new("apt-get");
    command.args(["-o", "DPkg::Lock::Timeout=300", "-o", "Dpkg::Use-Pty=0"]);
    command
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdout(std::process::Stdio::null());
    command
}

/// A temporary file. Dropping it restores the previous content or removes the file.
struct Overlay {
    path: PathBuf,
    before: Option<(Vec<u8>, fs::Permissions)>,
    created: Option<PathBuf>,
}

impl Overlay {
    fn put(path: &str, text: &str, mode: u32) -> Result<Self> {
        let path = PathBuf::from(path);
        let before = match (fs::read(&path), fs::metadata(&path)) {
            (Ok(bytes), Ok(meta)) => Some((bytes, meta.permissions())),
            _ => None,
        };
        let created = path.parent().and_then(first_missing);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        let overlay = Self {
            path,
            before,
            created,
        };
        fs::write(&overlay.path, text)?;
        fs::set_permissions(&overlay.path, fs::Permissions::from_mode(mode))?;
        Ok(overlay)
    }
}

/// The topmost missing ancestor of `directory`, itself included.
fn first_missing(directory: &Path) -> Option<PathBuf> {
    directory
        .ancestors()
        .take_while(|ancestor| !ancestor.exists())
        .last()
        .map(Path::to_path_buf)
}

impl Drop for Overlay {
    fn drop(&mut self) {
        if let Some((bytes, permissions)) = self.before.take() {
            let _ = fs::write(&self.path, bytes);
            let _ = fs::set_permissions(&self.path, permissions);
            return;
        }
        let _ = fs::remove_file(&self.path);
        // Removes only the created directories that are empty.
        let Some(top) = &self.created else { return };
        for directory in self.path.ancestors().skip(1) {
            if fs::remove_dir(directory).is_err() || directory == top {
                break;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlay_restores_the_previous_files() {
        let base = std::env::temp_dir().join(format!("colloquy-overlay-{}", std::process::id()));
        fs::create_dir(&base).unwrap();
        let existing = base.join("existing");
        fs::write(&existing, "before").unwrap();
        let nested = base.join("a/b/new");
        {
            let _one = Overlay::put(existing.to_str().unwrap(), "temporary", 0o755).unwrap();
            let _two = Overlay::put(nested.to_str().unwrap(), "temporary", 0o644).unwrap();
            assert_eq!(fs::read_to_string(&existing).unwrap(), "temporary");
            assert_eq!(fs::read_to_string(&nested).unwrap(), "temporary");
        }
        assert_eq!(fs::read_to_string(&existing).unwrap(), "before");
        assert!(!base.join("a").exists());
        fs::remove_dir_all(base).unwrap();
    }
}
