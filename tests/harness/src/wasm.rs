//! Finds or installs a Rust compiler for wasm32, the target of the Worker.
//!
//! Owns whether a panic of the Worker unwinds (docs/decisions/0036-panics-unwind-at-the-edge.md). The
//! standard library that rustup delivers for this target aborts, so it is built from its source
//! together with the Worker, which a stable compiler does with `RUSTC_BOOTSTRAP`. In this order: the
//! compiler in PATH, if it has that source or rustup can add it; Debian's compiler and source
//! package; the compiler in PATH without the source. A Worker of the last one aborts when it panics.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use nix::sys::signal::Signal;

use crate::processes::Processes;
use crate::{debian, tools};

const TARGET: &str = "wasm32-unknown-unknown";

/// rustup retries for very long without a network; a download takes seconds.
const DOWNLOAD_TIMEOUT: Duration = Duration::from_secs(90);

/// The commands of rustup: the source of the standard library, and the target itself, without which
/// `worker-build` does not start.
const COMPONENTS: &[&[&str]] = &[
    &["component", "add", "rust-src"],
    &["target", "add", TARGET],
];

/// Debian's compiler, cargo, source of the standard library and linker.
const PACKAGES: &[&str] = &["rustc-web", "cargo-web", "rust-web-src", "lld-22"];

const DEBIAN_CARGO: &str = "/usr/bin/cargo";
const DEBIAN_LINKERS: &[&str] = &["/usr/bin/wasm-ld-22", "/usr/lib/llvm-22/bin/wasm-ld"];

/// The source of the standard library, in the compiler's own directory.
const LIBRARY_SOURCE: &str = "lib/rustlib/src/rust/library/Cargo.lock";

/// A compiler that builds for the target.
pub struct Toolchain {
    compiler: Compiler,
    /// Whether it builds the standard library too, so that a panic unwinds.
    unwinds: bool,
}

enum Compiler {
    /// The compiler in PATH.
    Current,
    /// Debian's compiler.
    Debian {
        /// The path of `wasm-ld`.
        linker: PathBuf,
    },
}

impl Toolchain {
    /// Finds a compiler, or installs one.
    pub fn ensure(processes: &Processes) -> Result<Self> {
        if let Some(found) = Self::find() {
            return Ok(found);
        }
        add_with_rustup(processes)?;
        if let Some(found) = Self::find() {
            return Ok(found);
        }
        let purpose = "a Worker whose panics unwind (rustup could not add rust-src)";
        let installed = debian::install(processes, PACKAGES, purpose);
        if let Some(found) = Self::find() {
            return Ok(found);
        }
        let aborting = Self {
            compiler: Compiler::Current,
            unwinds: false,
        };
        if aborting.compiler.has_target() {
            println!(
                "    without the source of the standard library: a panic will end every room of its \
                 isolate. `rustup component add rust-src` adds it."
            );
            return Ok(aborting);
        }
        installed?;
        None.with_context(|| format!("no compiler for {TARGET}: `rustup target add {TARGET}`"))
    }

    /// A compiler with the source of its standard library.
    fn find() -> Option<Self> {
        let current = Some(Compiler::Current).filter(Compiler::has_target);
        let compiler = current
            .filter(Compiler::has_library_source)
            .or_else(|| Compiler::debian().filter(Compiler::has_library_source))?;
        Some(Self {
            compiler,
            unwinds: true,
        })
    }

    /// A command for a program that runs cargo, set up to use this toolchain. It has a target directory
    /// of its own, because two compilers in one directory would rebuild everything in turns.
    pub fn command(&self, program: &Path) -> Result<Command> {
        let mut command = Command::new(program);
        if let Compiler::Debian { linker } = &self.compiler {
            prefer_debian(&mut command);
            command.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
            // `worker-build` looks for this directory and nothing in it.
            fs::create_dir_all(self.compiler.target_directory()?)?;
        }
        command.env("CARGO_TARGET_DIR", tools::target_directory().join("wasm"));
        if self.unwinds {
            // The target's default is to abort, so cargo's profile is not enough. Not applied to
            // what runs during the build.
            let mut flags = std::env::var("RUSTFLAGS").unwrap_or_default();
            flags.push_str(" -Cpanic=unwind");
            command
                .env("RUSTFLAGS", flags.trim_start())
                .env("RUSTC_BOOTSTRAP", "1")
                .env("CARGO_UNSTABLE_BUILD_STD", "std,panic_unwind");
        } else {
            command.env("CARGO_PROFILE_EDGE_PANIC", "abort");
        }
        Ok(command)
    }

    /// The compiler's name and version, and what a panic does.
    pub fn describe(&self) -> String {
        let version = tools::output(self.compiler.rustc().arg("--version")).unwrap_or_default();
        let panics = if self.unwinds { "unwind" } else { "abort" };
        format!("{}, panics {panics}", version.trim())
    }
}

impl Compiler {
    fn debian() -> Option<Self> {
        let mut linkers = DEBIAN_LINKERS.iter().map(PathBuf::from);
        let linker = linkers.find(|file| file.exists())?;
        Path::new(DEBIAN_CARGO)
            .exists()
            .then_some(Self::Debian { linker })
    }

    fn rustc(&self) -> Command {
        match self {
            Self::Current => Command::new("rustc"),
            Self::Debian { .. } => {
                let mut command = Command::new("/usr/bin/rustc");
                prefer_debian(&mut command);
                command
            }
        }
    }

    /// What the compiler prints about its directories.
    fn print(&self, arguments: &[&str]) -> Result<PathBuf> {
        let output = tools::output(self.rustc().arg("--print").args(arguments))?;
        Ok(PathBuf::from(output.trim()))
    }

    /// The directory of the delivered standard library for the target.
    fn target_directory(&self) -> Result<PathBuf> {
        self.print(&["target-libdir", "--target", TARGET])
    }

    fn has_target(&self) -> bool {
        self.target_directory()
            .is_ok_and(|directory| has_standard_library(&directory))
    }

    fn has_library_source(&self) -> bool {
        self.print(&["sysroot"])
            .is_ok_and(|sysroot| sysroot.join(LIBRARY_SOURCE).exists())
    }
}

/// Whether a directory contains a compiled standard library.
fn has_standard_library(directory: &Path) -> bool {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.file_name())
        .any(|name| name.to_string_lossy().starts_with("libstd-"))
}

/// Removes the variables with which rustup and cargo make child processes use rustup's toolchain.
fn prefer_debian(command: &mut Command) {
    let before = std::env::var_os("PATH").unwrap_or_default();
    let mut path = OsString::from("/usr/bin:");
    path.push(before);
    command.env("PATH", path);
    for variable in [
        "RUSTUP_TOOLCHAIN",
        "RUSTUP_HOME",
        "CARGO",
        "RUSTC",
        "LD_LIBRARY_PATH",
    ] {
        command.env_remove(variable);
    }
}

/// Adds what is missing with rustup, if there is one and it has a network.
fn add_with_rustup(processes: &Processes) -> Result<()> {
    let offline = std::env::var("CARGO_NET_OFFLINE").is_ok_and(|value| value == "true");
    let Some(rustup) = tools::find("rustup").filter(|_| !offline) else {
        return Ok(());
    };
    for arguments in COMPONENTS {
        println!("    rustup {}", arguments.join(" "));
        let mut command = Command::new(&rustup);
        command.args(*arguments).stdout(Stdio::null());
        let mut adding = processes.spawn(&mut command, Signal::SIGTERM)?;
        let deadline = Instant::now() + DOWNLOAD_TIMEOUT;
        while adding.is_running() {
            if Instant::now() > deadline {
                println!(
                    "    rustup did not finish within {} s",
                    DOWNLOAD_TIMEOUT.as_secs()
                );
                return Ok(());
            }
            thread::sleep(Duration::from_millis(100));
        }
        if !adding.wait()?.success() {
            return Ok(());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_compiled_standard_library_counts() {
        let base = std::env::temp_dir().join(format!("colloquy-wasm-{}", std::process::id()));
        assert!(!has_standard_library(&base));
        fs::create_dir_all(&base).unwrap();
        fs::write(base.join("libcore-1.rlib"), "").unwrap();
        assert!(!has_standard_library(&base));
        fs::write(base.join("libstd-1.rlib"), "").unwrap();
        assert!(has_standard_library(&base));
        fs::remove_dir_all(base).unwrap();
    }

    #[test]
    fn flags_of_the_environment_are_kept_and_panics_follow_the_toolchain() {
        for (unwinds, variable, value) in [
            (true, "CARGO_UNSTABLE_BUILD_STD", "std,panic_unwind"),
            (false, "CARGO_PROFILE_EDGE_PANIC", "abort"),
        ] {
            let toolchain = Toolchain {
                compiler: Compiler::Current,
                unwinds,
            };
            let command = toolchain.command(Path::new("worker-build")).unwrap();
            let variables: Vec<_> = command.get_envs().collect();
            assert!(variables.contains(&(variable.as_ref(), Some(value.as_ref()))));
            let flags = variables.iter().find(|(name, _)| *name == "RUSTFLAGS");
            let flags = flags.and_then(|(_, value)| value.map(|value| value.to_string_lossy()));
            assert_eq!(
                flags.is_some_and(|flags| flags.contains("-Cpanic=unwind")),
                unwinds
            );
        }
    }
}
