//! Finds or installs a Rust compiler for wasm32, the target of the Worker.
//!
//! In this order: a compiler that has the target's standard library; the target added by rustup,
//! where rustup can download; Debian's compiler, with the standard library built once from Debian's
//! source package.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use nix::sys::signal::Signal;

use crate::processes::Processes;
use crate::{debian, tools};

const TARGET: &str = "wasm32-unknown-unknown";

/// rustup retries for very long without a network; a download takes seconds.
const DOWNLOAD_TIMEOUT: Duration = Duration::from_secs(90);

/// Debian's compiler, cargo, source of the standard library and linker.
const PACKAGES: &[&str] = &["rustc-web", "cargo-web", "rust-web-src", "lld-22"];

const DEBIAN_CARGO: &str = "/usr/bin/cargo";
const DEBIAN_LINKERS: &[&str] = &["/usr/bin/wasm-ld-22", "/usr/lib/llvm-22/bin/wasm-ld"];

/// A compiler whose standard library exists for the target.
pub enum Toolchain {
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
        if add_with_rustup(processes)?
            && let Some(found) = Self::find()
        {
            return Ok(found);
        }
        debian::install(
            processes,
            PACKAGES,
            "the wasm32 build (rustup could not add the target)",
        )?;
        build_standard_library(processes)?;
        Self::find().context("the wasm32 standard library was built but is not found")
    }

    fn find() -> Option<Self> {
        if has_target(&mut Self::Current.rustc()) {
            return Some(Self::Current);
        }
        let linker = DEBIAN_LINKERS
            .iter()
            .map(PathBuf::from)
            .find(|file| file.exists())?;
        let debian = Self::Debian { linker };
        (Path::new(DEBIAN_CARGO).exists() && has_target(&mut debian.rustc())).then_some(debian)
    }

    /// A command for a program that runs cargo, set up to use this toolchain. It has a target directory
    /// of its own, because two compilers in one directory would rebuild everything in turns.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        if let Self::Debian { linker } = self {
            prefer_debian(&mut command);
            command.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
        }
        command.env("CARGO_TARGET_DIR", tools::target_directory().join("wasm"));
        command
    }

    fn rustc(&self) -> Command {
        match self {
            Self::Current => Command::new("rustc"),
            Self::Debian { .. } => debian_program("rustc"),
        }
    }

    /// The compiler's name and version.
    pub fn describe(&self) -> String {
        tools::output(self.rustc().arg("--version"))
            .unwrap_or_default()
            .trim()
            .to_owned()
    }
}

/// A program of Debian's toolchain.
fn debian_program(name: &str) -> Command {
    let mut command = Command::new(Path::new("/usr/bin").join(name));
    prefer_debian(&mut command);
    command
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

fn has_target(rustc: &mut Command) -> bool {
    let Ok(directory) = tools::output(rustc.args(["--print", "target-libdir", "--target", TARGET]))
    else {
        return false;
    };
    let Ok(entries) = fs::read_dir(directory.trim()) else {
        return false;
    };
    entries
        .flatten()
        .any(|entry| entry.file_name().to_string_lossy().starts_with("libstd-"))
}

/// Adds the target with rustup; `false` when that is not possible.
fn add_with_rustup(processes: &Processes) -> Result<bool> {
    let offline = std::env::var("CARGO_NET_OFFLINE").is_ok_and(|value| value == "true");
    let Some(rustup) = tools::find("rustup").filter(|_| !offline) else {
        return Ok(false);
    };
    println!("    rustup target add {TARGET}");
    let mut command = Command::new(rustup);
    command
        .args(["target", "add", TARGET])
        .stdout(Stdio::null());
    let mut adding = processes.spawn(&mut command, Signal::SIGTERM)?;
    let deadline = Instant::now() + DOWNLOAD_TIMEOUT;
    while adding.is_running() {
        if Instant::now() > deadline {
            println!(
                "    rustup did not finish within {} s",
                DOWNLOAD_TIMEOUT.as_secs()
            );
            return Ok(false);
        }
        thread::sleep(Duration::from_millis(100));
    }
    Ok(adding.wait()?.success())
}

/// Builds the target's standard library from Debian's source and installs it for Debian's compiler.
fn build_standard_library(processes: &Processes) -> Result<()> {
    println!("    building the {TARGET} standard library, once");
    let package = processes.directory().join("std");
    fs::create_dir_all(package.join("src"))?;
    fs::write(package.join("src/lib.rs"), "#![no_std]\n")?;
    fs::write(
        package.join("Cargo.toml"),
        "[package]\nname = \"empty\"\nedition = \"2024\"\n",
    )?;
    let mut cargo = debian_program("cargo");
    cargo
        .args(["build", "--quiet", "--release", "--target", TARGET])
        .arg("-Zbuild-std=std,panic_abort,proc_macro")
        .current_dir(&package)
        .env("CARGO_TARGET_DIR", package.join("target"))
        .env("RUSTC_BOOTSTRAP", "1")
        // A later build with link-time optimisation needs bitcode.
        .env("RUSTFLAGS", "-C embed-bitcode=yes");
    processes.succeed(&mut cargo)?;
    let built = package.join("target").join(TARGET).join("release/deps");
    let library_directory = tools::output(debian_program("rustc").args([
        "--print",
        "target-libdir",
        "--target",
        TARGET,
    ]))?;
    install_libraries(&built, Path::new(library_directory.trim()))
}

/// Copies the built libraries to a temporary directory and renames it, so that an interrupted copy is
/// not taken for a complete one.
fn install_libraries(built: &Path, destination: &Path) -> Result<()> {
    let partial = destination.with_extension("partial");
    let _ = fs::remove_dir_all(&partial);
    fs::create_dir_all(&partial)
        .with_context(|| format!("cannot write to {}", partial.display()))?;
    let mut copied = 0;
    for entry in fs::read_dir(built)? {
        let path = entry?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let is_library = path
            .extension()
            .is_some_and(|extension| extension == "rlib");
        if is_library && !name.starts_with("libempty-") {
            fs::copy(&path, partial.join(&name))?;
            copied += 1;
        }
    }
    if copied == 0 {
        bail!("the build of the standard library left no libraries");
    }
    let _ = fs::remove_dir_all(destination);
    fs::rename(&partial, destination)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_compiled_libraries_are_installed() {
        let base = std::env::temp_dir().join(format!("colloquy-wasm-{}", std::process::id()));
        let (built, destination) = (base.join("deps"), base.join("rustlib/lib"));
        fs::create_dir_all(&built).unwrap();
        assert!(
            install_libraries(&built, &destination).is_err(),
            "no libraries is an error"
        );
        assert!(!destination.exists());
        for name in ["libstd-1.rlib", "libempty-2.rlib", "libstd-1.rmeta"] {
            fs::write(built.join(name), "").unwrap();
        }
        install_libraries(&built, &destination).unwrap();
        let names: Vec<_> = fs::read_dir(&destination)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(names, ["libstd-1.rlib"]);
        fs::remove_dir_all(base).unwrap();
    }
}
