//! Builds the Worker, for tests and for `wrangler deploy`.
//!
//! Owns the size limit of the upload and the build tools: the wasm32 compiler from `wasm`, esbuild
//! and wasm-opt from the lock file of `worker/npm`, wasm-bindgen and worker-build compiled once into
//! `target/tools`, in the versions of `Cargo.lock`. A build downloads nothing else.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::processes::Processes;
use crate::wasm::Toolchain;
use crate::{npm, tools};

/// The Worker's package, relative to the root.
const PACKAGE: &str = "worker";

/// Programs compiled from source: the program, its crate, and the crate in `Cargo.lock` whose version
/// it must have.
const COMPILED: &[(&str, &str, &str)] = &[
    ("wasm-bindgen", "wasm-bindgen-cli", "wasm-bindgen"),
    ("worker-build", "worker-build", "worker"),
];

/// Set for `wrangler` when the Worker is built already, so that its build command does nothing.
pub const BUILT: &str = "COLLOQUY_WORKER_BUILT";

/// The largest upload, gzipped, in bytes. The platform loads it on a cold start; its limit is 10 MB
/// for paid accounts and 3 MB for free ones.
const MAX_UPLOAD_BYTES: u64 = 1_500_000;

/// The variants of the Worker's build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkerBuild {
    /// The build that is deployed and tested.
    Deployed,
    /// Builds fast, runs slowly.
    Development,
    /// With routes through which tests make it panic; never deployed.
    Faults,
}

impl WorkerBuild {
    /// The output directory, relative to the root.
    pub const fn directory(self) -> &'static str {
        match self {
            Self::Deployed | Self::Development => "worker/build",
            Self::Faults => "worker/build-faults",
        }
    }

    /// The arguments of worker-build: its own options, then cargo's.
    const fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Deployed => &["--profile", "edge"],
            Self::Development => &["--no-opt", "--dev"],
            Self::Faults => &[
                "--no-opt",
                "--out-dir",
                "build-faults",
                "--profile",
                "edge",
                "--",
                "--features",
                "faults",
            ],
        }
    }
}

/// Builds the Worker; installs the build tools first where they are missing.
pub fn build(processes: &Processes, build: WorkerBuild) -> Result<()> {
    let toolchain = Toolchain::ensure(processes)?;
    println!("    with {}", toolchain.describe());
    npm::install(processes, npm::WORKER)?;
    let bin = compiled(processes)?;
    let mut command = toolchain.command(&bin.join("worker-build"))?;
    command
        .args(build.arguments())
        .current_dir(crate::root().join(PACKAGE))
        // Debug information would only slow the build down.
        .env("CARGO_PROFILE_DEV_DEBUG", "false")
        .env("WASM_BINDGEN_BIN", bin.join("wasm-bindgen"))
        .env("ESBUILD_BIN", npm_program("esbuild")?)
        .env("WASM_OPT_BIN", npm_program("wasm-opt")?);
    processes.succeed(&mut command)?;
    if build == WorkerBuild::Deployed {
        strip(processes)?;
    }
    Ok(())
}

/// Builds the Worker that is deployed; fails early when Node.js is missing.
pub fn prepare(processes: &Processes) -> Result<()> {
    npm::node()?;
    build(processes, WorkerBuild::Deployed)
}

/// Removes function names from the build and checks the size limit.
///
/// The names are a tenth of the upload and appear in stack traces only; a panic message has file and
/// line without them.
fn strip(processes: &Processes) -> Result<()> {
    let build = crate::root().join(WorkerBuild::Deployed.directory());
    let wasm = build.join("index_bg.wasm");
    let small = build.join("index_bg.small.wasm");
    let mut strip = Command::new(npm_program("wasm-opt")?);
    strip.arg("--strip-debug");
    processes.succeed(strip.arg(&wasm).arg("-o").arg(&small))?;
    fs::rename(&small, &wasm)?;
    let (plain, upload) = size(&build)?;
    println!(
        "    the upload: {} KB, gzipped {} KB",
        plain / 1000,
        upload / 1000
    );
    if upload > MAX_UPLOAD_BYTES {
        bail!(
            "the upload has {upload} bytes gzipped, the limit is {MAX_UPLOAD_BYTES}: look for new \
             crates with `cargo tree -p colloquy-worker` and a wasm size profiler"
        );
    }
    Ok(())
}

/// The size of the upload in bytes, plain and gzipped.
fn size(build: &Path) -> Result<(u64, u64)> {
    let (mut plain, mut zipped) = (0, 0);
    for name in ["index_bg.wasm", "index.js"] {
        let file = build.join(name);
        let bytes = fs::read(&file).with_context(|| file.display().to_string())?;
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(&bytes)?;
        plain += bytes.len() as u64;
        zipped += encoder.finish()?.len() as u64;
    }
    Ok((plain, zipped))
}

/// The directory of the compiled tools; installs those that are missing or of another version.
fn compiled(processes: &Processes) -> Result<PathBuf> {
    let root = tools::target_directory().join("tools");
    let lock = fs::read_to_string(crate::root().join("Cargo.lock")).context("Cargo.lock")?;
    for (program, package, library) in COMPILED {
        let version = locked(&lock, library)
            .with_context(|| format!("Cargo.lock does not name {library}"))?;
        let file = root.join("bin").join(program);
        let installed = tools::output(Command::new(&file).arg("--version"));
        if installed.is_ok_and(|text| text.split_whitespace().any(|word| word == version)) {
            continue;
        }
        println!("    compiling {package} {version}, once");
        let mut cargo = tools::cargo();
        cargo
            .args([
                "install",
                package,
                "--version",
                version,
                "--force",
                "--quiet",
            ])
            .arg("--root")
            .arg(&root)
            .arg("--target-dir")
            .arg(root.join("build"))
            // Optimising them takes longer than they run.
            .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1")
            .env("CARGO_PROFILE_RELEASE_LTO", "false");
        processes.succeed(&mut cargo)?;
    }
    Ok(root.join("bin"))
}

/// The version of a package in a lock file.
fn locked<'a>(lock: &'a str, package: &str) -> Option<&'a str> {
    let name = format!("name = \"{package}\"");
    let mut lines = lock.lines().skip_while(|line| *line != name);
    let version = lines.nth(1)?.strip_prefix("version = \"")?;
    version.strip_suffix('"')
}

/// The path of a program of the Worker's npm packages.
pub fn npm_program(name: &str) -> Result<PathBuf> {
    let file = crate::root()
        .join(PACKAGE)
        .join("npm/node_modules/.bin")
        .join(name);
    if !file.exists() {
        bail!(
            "{} is missing: remove worker/npm/node_modules and try again",
            file.display()
        );
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_the_lock_file() {
        let lock = "[[package]]\nname = \"worker-sys\"\nversion = \"2.0.0\"\n\n[[package]]\nname = \"worker\"\nversion = \"1.2.3\"\nsource = \"…\"\n";
        assert_eq!(locked(lock, "worker"), Some("1.2.3"));
        assert_eq!(locked(lock, "work"), None);
    }
}
