//! The tests of the SDK against the servers of a host: `web/sdk/test/real`.
//!
//! Owns which servers and runtimes they are given. Every runtime runs on the embedded host; on the
//! others one does, because what differs between hosts differs for all runtimes alike.

use anyhow::Result;
use colloquy_harness::hosts::Host;
use colloquy_harness::processes::Processes;
use colloquy_harness::stack::{Backends, Stack};
use colloquy_harness::{chromium, control, npm};

use super::{WEB, instance_url, npm_run, prepare, run_vitest};
use crate::report::Counts;

/// The package, and its script that tests it against a server.
const PACKAGE: &str = "sdk";
const TEST: &str = "test:real";

/// The variables that name servers to the tests, and the instances they name: one without a
/// throttle, which is also killed, and one with tokens that expire within seconds.
const SERVERS: &[(&str, &str)] = &[
    ("COLLOQUY_URL", "unthrottled_base_url"),
    ("COLLOQUY_SHORT_TOKEN_URL", "short_token_base_url"),
];

/// The runtimes on the embedded host, and on the others.
const RUNTIMES: (&str, &str) = ("node,node22,chromium,workerd", "node");

/// The directory with the npm packages of further runtimes.
const FURTHER_RUNTIMES: &[&str] = &["web/sdk/test/real/npm"];

/// Runs the tests.
pub(crate) fn test<'run>(
    processes: &'run Processes,
    stack: &mut Stack<'run>,
    backends: &mut Backends<'run>,
    counts: &mut Counts,
) -> Result<()> {
    prepare(processes)?;
    let web = colloquy_harness::root().join(WEB);
    let mut command = npm_run(&web, PACKAGE, TEST)?;
    if stack.host == Host::Sqlite {
        // workerd is that of the Worker.
        npm::install(processes, npm::WORKER)?;
        npm::install(processes, FURTHER_RUNTIMES)?;
        command.env("CHROMIUM", chromium::ensure(processes)?);
        command.env("SDK_RUNTIMES", RUNTIMES.0);
    } else {
        command.env("SDK_RUNTIMES", RUNTIMES.1);
    }
    for (variable, url_key) in SERVERS {
        command.env(variable, instance_url(stack, url_key)?);
    }
    control::with_control_server(stack, backends, |control_url| {
        command.env("COLLOQUY_CONTROL_URL", control_url);
        run_vitest(processes, command, counts)
    })?
}
