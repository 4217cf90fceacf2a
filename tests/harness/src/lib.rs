//! Private servers for tests and benchmarks on this machine.
//!
//! Owns everything `cargo xtask` and the benchmark use to run things: installing and building what
//! is needed, starting servers on ports and directories of their own, stopping, freezing and
//! killing them, and removing all of it when the run ends. It never connects to a server it has not
//! started. It knows nothing about test suites or their results; that is xtask's part.
//!
//! The modules, from the outermost to the innermost:
//!
//! | module | what it owns |
//! | --- | --- |
//! | [`stack`] | per host: the server under test and the extra instances, on fresh data |
//! | [`hosts`] | the hosts, their instances and every setting these are given |
//! | [`control`] | the HTTP server through which a test suite stops and kills servers |
//! | [`service`], [`postgres`], [`redis`] | one server process: start, probe, stop, kill |
//! | [`processes`] | child processes and the temporary directory of a run, and the reaper |
//! | [`build`], [`worker`], [`wasm`], [`npm`], [`chromium`], [`debian`] | building and installing |
//! | [`http`], [`ports`], [`tools`] | small helpers |
//!
//! A program that uses this library calls [`processes::reap_if_requested`] first in `main`. To add
//! a server that tests need, write a module that makes a [`service::ServiceSpec`], as `redis` does.

pub mod build;
pub mod chromium;
pub mod control;
pub mod debian;
pub mod hosts;
pub mod http;
pub mod memory;
pub mod npm;
pub mod pgbouncer;
pub mod ports;
pub mod postgres;
pub mod processes;
pub mod redis;
pub mod service;
pub mod stack;
pub mod tools;
pub mod wasm;
pub mod worker;

use std::path::{Path, PathBuf};

/// The root of the repository.
pub fn root() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.ancestors().nth(2).unwrap_or(package).to_path_buf()
}
