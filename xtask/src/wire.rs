//! `cargo xtask wire`: writes what is generated from the types of the wire.
//!
//! First the descriptions `web/wire/*.json`, then, by the script `wire` of `web/package.json`, the
//! TypeScript types of the SDK. Both are committed; tests compare them with their sources.

use std::process::Command;

use anyhow::Context as _;
use colloquy_harness::processes::Processes;
use colloquy_harness::{npm, tools};

use crate::Verdict;

/// The workspace of npm packages, relative to the root.
const WEB: &str = "web";

/// The script that writes the types.
const SCRIPT: &str = "wire";

/// `cargo xtask wire`
pub(crate) fn command() -> Verdict {
    for document in colloquy_wire::documents()? {
        document.write()?;
    }
    let processes = Processes::open()?;
    npm::node()?;
    npm::install(&processes, &[WEB])?;
    let npm = tools::find("npm").context("npm is missing: install Node.js 20 or newer")?;
    let mut generate = Command::new(npm);
    generate.args(["run", "--silent", SCRIPT]);
    processes.succeed(generate.current_dir(colloquy_harness::root().join(WEB)))?;
    Ok(true)
}
