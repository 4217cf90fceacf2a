//! Gets a compiler for what runs at the edge: Rust for wasm32.
//!
//! Three ways, the cheapest first: a compiler that already has the target's standard library; the
//! target added through rustup, where rustup can download; Debian's own compiler, with the
//! standard library built once from Debian's copy of its source. The second run finds what the
//! first one installed.

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

/// rustup tries a dead network for very long; a download takes seconds.
const DOWNLOAD: Duration = Duration::from_secs(90);

/// What Debian's recipe needs: compiler, cargo, the source of the standard library, a linker.
const PACKAGES: &[&str] = &["rustc-web", "cargo-web", "rust-web-src", "lld-22"];

const DEBIAN_CARGO: &str = "/usr/bin/cargo";
const DEBIAN_LINKERS: &[&str] = &["/usr/bin/wasm-ld-22", "/usr/lib/llvm-22/bin/wasm-ld"];

/// A compiler whose standard library exists for the target.
pub(crate) enum Toolchain {
    /// The one that runs this program.
    Current,
    /// Debian's, beside it.
    Debian { linker: PathBuf },
}

impl Toolchain {
    /// Finds one, or installs one.
    pub(crate) fn ensure(processes: &Processes) -> Result<Self> {
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

    /// A program that runs cargo, made to run this toolchain's, with a target directory of its own:
    /// two compilers that share one would rebuild everything in turns.
    pub(crate) fn command(&self, program: &Path) -> Command {
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
    pub(crate) fn describe(&self) -> String {
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

/// Takes away what rustup and cargo put into the environment of this process to make everything
/// it starts use rustup's.
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

/// Whether rustup could add the target to the toolchain in use.
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
    let deadline = Instant::now() + DOWNLOAD;
    while adding.is_running() {
        if Instant::now() > deadline {
            println!("    rustup gave no answer for {} s", DOWNLOAD.as_secs());
            return Ok(false);
        }
        thread::sleep(Duration::from_millis(100));
    }
    Ok(adding.wait()?.success())
}

/// Builds the target's standard library from Debian's source and puts it where Debian's compiler
/// looks for it.
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
        // Without bitcode a later build with link-time optimisation fails.
        .env("RUSTFLAGS", "-C embed-bitcode=yes");
    processes.succeed(&mut cargo)?;
    let built = package.join("target").join(TARGET).join("release/deps");
    let place = tools::output(debian_program("rustc").args([
        "--print",
        "target-libdir",
        "--target",
        TARGET,
    ]))?;
    put_libraries(&built, Path::new(place.trim()))
}

/// Copies the built libraries under a name that is not looked at, then renames: an interrupted
/// copy must not pass for a whole library.
fn put_libraries(built: &Path, place: &Path) -> Result<()> {
    let partial = place.with_extension("partial");
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
    let _ = fs::remove_dir_all(place);
    fs::rename(&partial, place)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_libraries_are_put_in_place() {
        let base = std::env::temp_dir().join(format!("colloquy-wasm-{}", std::process::id()));
        let (built, place) = (base.join("deps"), base.join("rustlib/lib"));
        fs::create_dir_all(&built).unwrap();
        assert!(
            put_libraries(&built, &place).is_err(),
            "nothing built is a failure"
        );
        assert!(!place.exists());
        for name in ["libstd-1.rlib", "libempty-2.rlib", "libstd-1.rmeta"] {
            fs::write(built.join(name), "").unwrap();
        }
        put_libraries(&built, &place).unwrap();
        let names: Vec<_> = fs::read_dir(&place)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(names, ["libstd-1.rlib"]);
        fs::remove_dir_all(base).unwrap();
    }
}
