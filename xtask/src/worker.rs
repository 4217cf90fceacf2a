//! Builds the Worker: `cargo xtask worker-build`, also what `wrangler deploy` runs.
//!
//! Owns how large the result may be, which tools that takes and where they come from: the wasm32
//! compiler from `wasm`, esbuild and wasm-opt by the lock file of `worker/npm`, wasm-bindgen and
//! worker-build compiled once into `target/tools`, in the versions of `Cargo.lock`. Nothing is
//! fetched at build time beside these.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::processes::Processes;
use crate::wasm::Toolchain;
use crate::{Verdict, npm, tools};

/// Our package, from the root.
const PACKAGE: &str = "worker";

/// Programs compiled from source: the crate that brings each, and the locked crate whose version
/// it must have.
const COMPILED: &[(&str, &str, &str)] = &[
    ("wasm-bindgen", "wasm-bindgen-cli", "wasm-bindgen"),
    ("worker-build", "worker-build", "worker"),
];

/// Set for `wrangler`, whose build command this is, by those who have just built the Worker.
pub(crate) const BUILT: &str = "COLLOQUY_WORKER_BUILT";

/// The largest upload, gzipped: what a platform loads in a cold start, and a tenth of its limit (a
/// third of that for accounts that pay nothing).
const MAX_UPLOAD_BYTES: u64 = 1_000_000;

/// What a Worker is built for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flavour {
    /// What is deployed and tested.
    Deployed,
    /// Built fast, runs slowly.
    Development,
    /// With the routes by which tests make it panic; never deployed.
    Faults,
}

impl Flavour {
    /// Where it is put, from the root.
    pub(crate) const fn directory(self) -> &'static str {
        match self {
            Self::Deployed | Self::Development => "worker/build",
            Self::Faults => "worker/build-faults",
        }
    }

    /// What worker-build is told: its own options, then cargo's.
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

/// What it is built for; without either, to be deployed.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Build it fast; it runs slowly.
    #[arg(long)]
    dev: bool,
    /// Build the one that tests make panic, into worker/build-faults.
    #[arg(long, conflicts_with = "dev")]
    faults: bool,
}

/// `cargo xtask worker-build`
pub(crate) fn command(options: &Options) -> Verdict {
    let flavour = match options {
        Options { dev: true, .. } => Flavour::Development,
        Options { faults: true, .. } => Flavour::Faults,
        Options { .. } => Flavour::Deployed,
    };
    if std::env::var_os(BUILT).is_none() {
        build(&Processes::open()?, flavour)?;
    }
    Ok(true)
}

/// Builds the Worker, with everything that takes installed first.
pub(crate) fn build(processes: &Processes, flavour: Flavour) -> Result<()> {
    let toolchain = Toolchain::ensure(processes)?;
    println!("    with {}", toolchain.describe());
    npm::install(processes, npm::WORKER)?;
    let bin = compiled(processes)?;
    let mut command = toolchain.command(&bin.join("worker-build"));
    command
        .args(flavour.arguments())
        .current_dir(crate::root().join(PACKAGE))
        // Nobody debugs a development build, and without it less is written and linked.
        .env("CARGO_PROFILE_DEV_DEBUG", "false")
        .env("WASM_BINDGEN_BIN", bin.join("wasm-bindgen"))
        .env("ESBUILD_BIN", npm_program("esbuild")?)
        .env("WASM_OPT_BIN", npm_program("wasm-opt")?);
    processes.succeed(&mut command)?;
    if flavour == Flavour::Deployed {
        strip(processes)?;
    }
    Ok(())
}

/// Takes the functions' names out of a build, and fails when it is too large all the same.
///
/// worker-build keeps them, a tenth of the upload; only a stack trace would show them, and a panic
/// says file and line without them.
fn strip(processes: &Processes) -> Result<()> {
    let build = crate::root().join(Flavour::Deployed.directory());
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
            "the upload is {upload} bytes gzipped and may be {MAX_UPLOAD_BYTES}: see what was \
             added, by crate, with `cargo tree -p colloquy-worker` and a profiler of wasm sizes"
        );
    }
    Ok(())
}

/// The bytes of what is uploaded, plain and gzipped.
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

/// The directory of the compiled programs, each installed where it is missing or of another
/// version.
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
            // Compiling them for speed would take longer than they will ever run.
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

pub(crate) fn npm_program(name: &str) -> Result<PathBuf> {
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
    fn versions_are_those_of_the_lock_file() {
        let lock = "[[package]]\nname = \"worker-sys\"\nversion = \"2.0.0\"\n\n[[package]]\nname = \"worker\"\nversion = \"1.2.3\"\nsource = \"…\"\n";
        assert_eq!(locked(lock, "worker"), Some("1.2.3"));
        assert_eq!(locked(lock, "work"), None);
    }
}
