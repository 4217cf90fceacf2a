//! The repository's own commands, run as `cargo xtask <command>`.
//!
//! This file owns the command table and nothing else. What a check forbids is in `check`, what the
//! tests need is in `test` and the modules it names. To add a command, add a row to [`COMMANDS`]
//! and a module that does the work.

mod bench;
mod check;
mod control;
mod cost;
mod debian;
mod deploy;
mod edge;
mod fuzz;
mod hosts;
mod http;
mod npm;
mod ports;
mod postgres;
mod processes;
mod redis;
mod report;
mod schemathesis;
mod service;
mod simulator;
mod smoke;
mod stack;
mod test;
mod tools;
mod torture;
mod wasm;
mod worker;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result};

/// What a command answers: whether everything it looked at was well.
type Verdict = Result<bool>;

struct Command {
    name: &'static str,
    arguments: &'static str,
    summary: &'static str,
    run: fn(&[String]) -> Verdict,
}

const COMMANDS: &[Command] = &[
    Command {
        name: "bench",
        arguments: "[--quick] [--scenario NAME] [--target NAME] [--rounds N] [--seconds S] [--built] [--json FILE]",
        summary: "measure every host beside its peers, on private servers",
        run: bench::command,
    },
    Command {
        name: "check",
        arguments: "",
        summary: "hold the source tree against the house's invariants",
        run: check::command,
    },
    Command {
        name: "worker-build",
        arguments: "[--dev|--faults]",
        summary: "build the Worker into worker/build, with every tool in its locked version",
        run: worker::command,
    },
    Command {
        name: "edge",
        arguments: "[--port N]",
        summary: "run the whole edge on this machine, on stores of its own, until Ctrl-C",
        run: edge::command,
    },
    Command {
        name: "dry-run",
        arguments: "",
        summary: "do all `wrangler deploy` does for each environment, short of uploading",
        run: deploy::command,
    },
    Command {
        name: "smoke",
        arguments: "URL",
        summary: "try what any deployed server must do, on the one at URL",
        run: smoke::command,
    },
    Command {
        name: "cost",
        arguments: "[--write]",
        summary: "compute what a month at the edge costs, or write it into docs/deploying.md",
        run: cost::command,
    },
    Command {
        name: "schemathesis",
        arguments: "[--seconds N] [--seed N]",
        summary: "make requests from the server's description of itself, on private servers",
        run: schemathesis::command,
    },
    Command {
        name: "simulate",
        arguments: "[--worlds N]",
        summary: "let the Room live through many simulated worlds, on every core",
        run: simulator::simulate,
    },
    Command {
        name: "fuzz",
        arguments: "[--minutes N] [TARGET] | TARGET --case N | TARGET --input LINE",
        summary: "try hostile input for longer than the tests do, or one that failed again",
        run: fuzz::command,
    },
    Command {
        name: "mutate",
        arguments: "[PART OF A NAME]",
        summary: "plant faults in copies of the Room and see that the simulator finds each",
        run: simulator::mutate,
    },
    Command {
        name: "torture",
        arguments: "--host sqlite|postgres|edge [--minutes N] [--clients N] [--seed N] [--built]",
        summary: "let clients chat while servers are killed, frozen and cut off, and check every promise",
        run: torture::command,
    },
    Command {
        name: "test",
        arguments: "[--host sqlite|postgres|edge] [--only lint|unit|blackbox] [--release] [-- filter]",
        summary: "install what the tests need, start private servers, run everything",
        run: test::command,
    },
];

/// Not in the table: only a run of this program starts it, see `processes`.
const REAPER: &str = "reap";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let verdict = match arguments.split_first() {
        None => {
            print!("{}", help());
            return ExitCode::from(2);
        }
        Some((name, _)) if matches!(name.as_str(), "--help" | "-h" | "help") => {
            print!("{}", help());
            return ExitCode::SUCCESS;
        }
        Some((name, rest)) if name == REAPER => processes::reap(rest).map(|()| true),
        Some((name, rest)) => dispatch(name, rest),
    };
    match verdict {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(name: &str, rest: &[String]) -> Verdict {
    if rest
        .iter()
        .any(|argument| argument == "--help" || argument == "-h")
    {
        print!("{}", help());
        return Ok(true);
    }
    let command = COMMANDS
        .iter()
        .find(|command| command.name == name)
        .with_context(|| format!("there is no command `{name}`\n\n{}", help()))?;
    (command.run)(rest)
}

fn help() -> String {
    use std::fmt::Write as _;
    let mut text = String::from("usage: cargo xtask <command>\n\n");
    for command in COMMANDS {
        let usage = format!("{} {}", command.name, command.arguments);
        let _ = writeln!(text, "  {}\n      {}", usage.trim_end(), command.summary);
    }
    text
}

/// The repository's root: the directory above this package.
fn root() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package).to_path_buf()
}

/// Refuses arguments where a command takes none, so that a typing error is not silently ignored.
fn no_arguments(arguments: &[String]) -> Result<()> {
    match arguments.first() {
        None => Ok(()),
        Some(argument) => anyhow::bail!("unexpected argument `{argument}`"),
    }
}
