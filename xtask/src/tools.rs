//! Finds programs, and runs cargo the way this run itself was started.
//!
//! It installs nothing; see `debian` for that.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Looks a program up as a shell would.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|directory| directory.join(program))
        .find(|file| is_program(file))
}

/// Whether this file can be run by somebody.
pub(crate) fn is_program(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    file.metadata()
        .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// The cargo that runs this program, in the repository's root, with the settings of a developer's
/// own servers taken away: no test may reach one of those by accident.
pub(crate) fn cargo() -> Command {
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
    // Everything tested is on this machine; a proxy set for downloads must not see it.
    command
        .env("NO_PROXY", "127.0.0.1,localhost")
        .env("no_proxy", "127.0.0.1,localhost");
    command
}

/// Where cargo puts what it builds.
pub(crate) fn target_directory() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(directory) => crate::root().join(directory),
        None => crate::root().join("target"),
    }
}

/// The standard output of a command that must succeed.
pub(crate) fn output(command: &mut Command) -> anyhow::Result<String> {
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
    fn finds_what_is_there_and_nothing_else() {
        assert!(find("sh").is_some());
        assert!(find("no-such-program-anywhere").is_none());
        assert!(!is_program(Path::new("/etc")));
    }
}
