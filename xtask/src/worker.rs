//! Builds the Worker: `cargo xtask worker-build`, also what `wrangler deploy` runs.
//!
//! Owns which tools that takes and where they come from: the wasm32 compiler from `wasm`, esbuild
//! and wasm-opt by the lock file of `worker/npm`, wasm-bindgen and worker-build compiled once into
//! `target/tools`, in the versions of `Cargo.lock`. Nothing is fetched at build time beside these.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

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

/// `cargo xtask worker-build [--dev]`
pub(crate) fn command(arguments: &[String]) -> Verdict {
    let profile = match arguments {
        [] => &["--profile", "edge"][..],
        [only] if only == "--dev" => &["--dev", "--no-opt"],
        [other, ..] => bail!("unexpected argument `{other}`"),
    };
    let processes = Processes::open()?;
    let toolchain = Toolchain::ensure(&processes)?;
    npm::install(&processes, npm::WORKER)?;
    let bin = compiled(&processes)?;
    let mut command = toolchain.command(&bin.join("worker-build"));
    command
        .args(profile)
        .current_dir(crate::root().join(PACKAGE))
        .env("WASM_BINDGEN_BIN", bin.join("wasm-bindgen"))
        .env("ESBUILD_BIN", npm_program("esbuild")?)
        .env("WASM_OPT_BIN", npm_program("wasm-opt")?);
    processes.succeed(&mut command)?;
    println!("    {}", size()?);
    Ok(true)
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
        let installed = tools::output(std::process::Command::new(&file).arg("--version"));
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

fn npm_program(name: &str) -> Result<PathBuf> {
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

/// What was built, and how large it is.
fn size() -> Result<String> {
    let build = crate::root().join(PACKAGE).join("build");
    let bytes = |name: &str| -> Result<u64> {
        let file: &Path = &build.join(name);
        Ok(fs::metadata(file)
            .with_context(|| file.display().to_string())?
            .len())
    };
    let (wasm, script) = (bytes("index_bg.wasm")?, bytes("index.js")?);
    Ok(format!(
        "worker/build: {} KiB of wasm, {} KiB of JavaScript",
        wasm / 1024,
        script / 1024
    ))
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
