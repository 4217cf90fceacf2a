//! The tests of the pages in Chromium, against the servers of a host: `web/test/browser`.
//!
//! Owns what the tests are given and where they leave something. Every test runs on the embedded host;
//! the others run those that `web/vite.config.ts` calls `every-host`.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use colloquy_harness::hosts::Host;
use colloquy_harness::processes::Processes;
use colloquy_harness::stack::{Backends, Stack};
use colloquy_harness::{build, chromium, control, tools};

use super::{ROOT, WEB, instance_url, npm_run, pictures, prepare, run_vitest};
use crate::report::Counts;

/// The script of `web/package.json` that runs them.
const TEST: &str = "test:browser";

/// The tag of the tests that run on every host.
const EVERY_HOST: &str = "every-host";

/// How many seeded plans the page of the guarantees runs: on the embedded host, on the others.
const PLANS: (u32, u32) = (20, 5);

/// Where the measured numbers of the pages are left, below the target directory.
const NUMBERS: &str = "browser-numbers.json";

/// Runs the tests; only those whose names match `filter`, if there is one. A failed test leaves
/// pictures and consoles of its pages in `kept`.
pub(crate) fn test<'run>(
    processes: &'run Processes,
    stack: &mut Stack<'run>,
    backends: &mut Backends<'run>,
    filter: Option<&str>,
    kept: &Path,
    counts: &mut Counts,
) -> Result<()> {
    let web = colloquy_harness::root().join(WEB);
    ensure!(
        colloquy_web_dist::is_current(&web)?,
        "web/dist is not the build of its sources, which the servers would serve: run `cargo xtask web`"
    );
    prepare(processes)?;
    let browser = chromium::ensure(processes)?;
    remove(kept)?;

    let host = stack.host;
    let mut command = npm_run(&web, ROOT, TEST)?;
    command.arg("--");
    let mut plans = PLANS.0;
    if host == Host::Sqlite {
        remove(&pictures::taken())?;
        command.env("PICTURES", pictures::taken());
        command.env("NUMBERS", tools::target_directory().join(NUMBERS));
        // For servers of a test's own, with other settings.
        let programs = build::program_directory(false);
        command.env("COLLOQUY_BINARY", programs.join("colloquy-local-server"));
    } else {
        command.args(["--tags-filter", EVERY_HOST]);
        plans = PLANS.1;
    }
    if let Some(filter) = filter {
        command.args(["--testNamePattern", filter]);
    }
    command
        .env("COLLOQUY_URL", instance_url(stack, "unthrottled_base_url")?)
        .env("CHROMIUM", browser)
        .env("KEPT", kept)
        .env("GUARANTEE_PLANS", plans.to_string());
    control::with_control_server(stack, backends, |control_url| {
        command.env("COLLOQUY_CONTROL_URL", control_url);
        run_vitest(processes, command, counts)
    })?
}

/// What an earlier run has left must not be taken for a result of this one.
fn remove(directory: &Path) -> Result<()> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| directory.display().to_string())
        }
        _ => Ok(()),
    }
}
