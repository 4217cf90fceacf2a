//! `cargo xtask smoke URL`: the part of the black-box suite that a server in use can bear, against
//! any server there is.
//!
//! Owns the output before and after. The checks are in `tests/smoke`; nothing is started or stopped
//! here.

use std::process::Command;

use anyhow::{Result, bail};

use crate::Verdict;
use colloquy_harness::processes::Processes;
use colloquy_harness::tools;

/// What is tried.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// The server's address, such as <https://chat.example.com>.
    #[arg(value_parser = checked)]
    url: String,
}

/// `cargo xtask smoke URL`
pub(crate) fn command(options: &Options) -> Verdict {
    let url = &options.url;
    println!(
        "Trying {url}: health, refusals, sockets of both versions, REST sends, resume, history, logout."
    );
    println!("It leaves three accounts whose names begin with smoke-, and their conversations.\n");
    let status = Processes::open()?.run(&mut suite(url))?;
    println!(
        "{}",
        if status.success() {
            "\nThe server does what it must."
        } else {
            "\nIt does not: the first panic above says what was expected and what came instead."
        }
    );
    Ok(status.success())
}

/// An address without a path; what is wrong with it otherwise.
fn checked(url: &str) -> Result<String> {
    let url = url.trim_end_matches('/');
    let rest = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"));
    match rest {
        None | Some("") => bail!("{url:?} is no address of a server"),
        Some(rest) if rest.contains(['/', '?', '#', '@']) => {
            bail!("{url:?} is more than scheme, host and port")
        }
        Some(_) => Ok(url.to_owned()),
    }
}

fn suite(url: &str) -> Command {
    let mut cargo = tools::cargo();
    cargo
        .args(["test", "--quiet", "--package", "colloquy-smoke"])
        .args(["--lib", "--no-fail-fast"])
        // One at a time, so that what each tells stands in order.
        .args(["--", "--test-threads=1"])
        .env("COLLOQUY_BASE_URL", url)
        // What went wrong is said by the message; the stack is the suite's own.
        .env("RUST_BACKTRACE", "0");
    cargo
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_addresses_of_servers_only() {
        for good in ["https://chat.example", "http://127.0.0.1:8787/"] {
            assert_eq!(checked(good).unwrap(), good.trim_end_matches('/'));
        }
        for wrong in [
            "chat.example",
            "ftp://chat.example",
            "https://",
            "https://a/b",
            "https://u@a",
        ] {
            assert!(checked(wrong).is_err(), "{wrong}");
        }
    }
}
