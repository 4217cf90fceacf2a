//! Finds programs and runs the cargo that started this run.
//!
//! Installs nothing; see `debian`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The path of a program in PATH.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|directory| directory.join(program))
        .find(|file| is_program(file))
}

/// Whether this file is executable.
pub fn is_program(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    file.metadata()
        .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// The cargo that started this program, in the root of the repository. The settings of a developer's
/// own servers are removed, so that no test reaches one by accident.
pub fn cargo() -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(cargo);
    command.current_dir(crate::root());
    for name in [
        "DATABASE_URL",
        "REDIS_URL",
        "UPSTASH_REDIS_REST_URL",
        "UPSTASH_REDIS_REST_TOKEN",
    ] {
        command.env_remove(name);
    }
    // A proxy that is set for downloads must not receive requests to loopback.
    command
        .env("NO_PROXY", "127.0.0.1,localhost")
        .env("no_proxy", "127.0.0.1,localhost");
    command
}

/// Cargo's target directory.
pub fn target_directory() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(directory) => crate::root().join(directory),
        None => crate::root().join("target"),
    }
}

/// The standard output of a command; a failure status is an error.
pub fn output(command: &mut Command) -> anyhow::Result<String> {
    let output = command.output()?;
    if !output.status.success() {
        let reason = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        anyhow::bail!("{} failed: {reason}", command.get_program().display());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn find_returns_executables_only() {
        assert!(find("sh").is_some());
        assert!(find("no-such-program-anywhere").is_none());
        assert!(!is_program(Path::new("/etc")));
    }
}
