//! Settings: an input has one `NAME=value` a line.

use std::cell::RefCell;
use std::collections::BTreeMap;

use colloquy_core::config::{Settings, SettingsError};
use colloquy_fuzz::Target;

/// The value of every secret in the corpus.
const SECRET: &str = "hunter2";

/// The longest message of a problem.
const MAX_PROBLEM_BYTES: usize = 600;

/// A message repeats the value, so its length is checked only for values up to this length.
const MAX_VALUE_BYTES: usize = 200;

#[test]
fn settings() {
    let target = Target {
        name: "settings",
        corpus: include_str!("corpus/settings.txt"),
        words: &[
            "postgres://",
            "sqlite:",
            ":memory:",
            "https://",
            "*",
            ",",
            "\n",
            "=",
            "true",
            "false",
            "PORT",
            "HOST",
            "DATABASE_URL",
            "POSTGRES_HOST",
            "SECRET_KEY",
            "ALLOWED_HOSTS",
            "CORS_ALLOWED_ORIGINS",
            "TRUSTED_PROXIES",
            "LOG_DIR",
            "THROTTLE_RATE_SECONDS",
        ],
        cases: 10_000,
    };
    target.run(|input| {
        let text = String::from_utf8_lossy(input);
        let given: BTreeMap<&str, &str> = text
            .lines()
            .filter_map(|line| line.split_once('='))
            .collect();
        let requested = RefCell::new(Vec::new());
        let read = Settings::read(|name| {
            requested.borrow_mut().push(name.to_owned());
            given.get(name).map(|value| (*value).to_owned())
        });
        match read {
            Ok(settings) => check(&settings, &given),
            Err(error) => check_error(&error, &given),
        }
        for name in requested.into_inner() {
            assert!(Settings::TABLE.iter().any(|row| row.name == name), "{name}");
        }
    });
}

fn check(settings: &Settings, given: &BTreeMap<&str, &str>) {
    assert!((0..=3_600_000).contains(&settings.throttle_ms));
    assert!(settings.database_pool_size >= 1);
    assert!(settings.access_token.0 >= 10 && settings.refresh_token.0 >= 10);
    assert!(settings.attempts.logins_per_account >= 0 && settings.attempts.window.0 >= 1);
    let debug = format!("{settings:?}");
    assert!(
        !only_in_secrets(given) || !debug.contains(SECRET),
        "{debug}"
    );
}

fn check_error(error: &SettingsError, given: &BTreeMap<&str, &str>) {
    assert!(!error.problems.is_empty());
    let short = given.values().all(|value| value.len() <= MAX_VALUE_BYTES);
    for problem in &error.problems {
        let name = problem.split(' ').next().unwrap_or_default();
        assert!(
            Settings::TABLE.iter().any(|row| row.name == name),
            "names no setting: {problem}"
        );
        assert!(!short || problem.len() <= MAX_PROBLEM_BYTES, "{problem}");
    }
    let text = error.to_string();
    assert!(!only_in_secrets(given) || !text.contains(SECRET), "{text}");
}

/// Whether the secret occurs only in settings that hold secrets.
fn only_in_secrets(given: &BTreeMap<&str, &str>) -> bool {
    const SECRETS: [&str; 5] = [
        "DATABASE_URL",
        "POSTGRES_PASSWORD",
        "SECRET_KEY",
        "SECRET_KEY_PREVIOUS",
        "UPSTASH_REDIS_REST_TOKEN",
    ];
    // The path of an SQLite file is not secret.
    let is_secret = |name: &str, value: &str| {
        SECRETS.contains(&name) && !value.trim_start().starts_with("sqlite:")
    };
    let mut others = given.iter().filter(|(name, value)| !is_secret(name, value));
    others.all(|(_, value)| !value.contains(SECRET))
}
