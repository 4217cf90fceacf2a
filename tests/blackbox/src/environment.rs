//! The environment variables that name the servers.

use std::env;

/// An environment variable. Without it the tests fail instead of being skipped: a suite that tests
/// nothing must not pass.
pub(crate) fn variable(name: &str) -> String {
    match env::var(name) {
        Ok(value) if !value.is_empty() => value,
        _ => panic!("{name} is not set: run `cargo xtask test`, which starts a server and sets it"),
    }
}
