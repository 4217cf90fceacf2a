//! `cargo xtask smoke URL`: the smoke suite against a running server. It is safe on a server in use.
//!
//! Starts and stops no server. The checks are in `tests/smoke`.

use std::process::Command;

use anyhow::{Result, bail};

use crate::Verdict;
use colloquy_harness::processes::Processes;
use colloquy_harness::tools;

#[derive(clap::Args)]
pub(crate) struct SmokeOptions {
    /// The server's address, such as <https://chat.example.com>.
    #[arg(value_parser = parse_base_url)]
    url: String,
}

/// `cargo xtask smoke URL`
pub(crate) fn command(options: &SmokeOptions) -> Verdict {
    let url = &options.url;
    println!(
        "Testing {url}: health, error responses, sockets of both versions, REST sends, resume, history, logout."
    );
    println!(
        "It creates three accounts with names smoke-… and their conversations, and does not delete them.\n"
    );
    let status = Processes::open()?.run(&mut suite(url))?;
    println!(
        "{}",
        if status.success() {
            "\nThe smoke test passed."
        } else {
            "\nThe smoke test failed: the first panic above shows the expected and the actual result."
        }
    );
    Ok(status.success())
}

/// Parses a base URL without a path.
fn parse_base_url(url: &str) -> Result<String> {
    let url = url.trim_end_matches('/');
    let rest = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"));
    match rest {
        None | Some("") => bail!("{url:?} is not an http or https URL"),
        Some(rest) if rest.contains(['/', '?', '#', '@']) => {
            bail!("{url:?} has more than scheme, host and port")
        }
        Some(_) => Ok(url.to_owned()),
    }
}

fn suite(url: &str) -> Command {
    let mut cargo = tools::cargo();
    cargo
        .args(["test", "--quiet", "--package", "colloquy-smoke"])
        .args(["--test", "smoke", "--no-fail-fast"])
        // One at a time, so that the output is in order.
        .args(["--", "--test-threads=1"])
        .env("COLLOQUY_BASE_URL", url)
        // The panic message is sufficient; the backtrace shows the suite only.
        .env("RUST_BACKTRACE", "0");
    cargo
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_base_urls_are_accepted() {
        for good in ["https://chat.example", "http://127.0.0.1:8787/"] {
            assert_eq!(parse_base_url(good).unwrap(), good.trim_end_matches('/'));
        }
        for wrong in [
            "chat.example",
            "ftp://chat.example",
            "https://",
            "https://a/b",
            "https://u@a",
        ] {
            assert!(parse_base_url(wrong).is_err(), "{wrong}");
        }
    }
}
