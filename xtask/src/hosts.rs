//! The two ways the server under test is run, and every setting it is given: the one place to add
//! a setting or a variant the black-box suite relies on.
//!
//! `sqlite` is what a newcomer gets from plain `cargo run`: everything inside one process.
//! `postgres` is the deployment: PostgreSQL, and Redis behind its HTTP front. Starting them is in
//! `stack`.

use std::fs::File;
use std::io::Read as _;

use anyhow::Result;

/// What the suite runs against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Host {
    /// The embedded defaults.
    Sqlite,
    /// The deployed shape.
    Postgres,
}

impl Host {
    pub(crate) const ALL: [Self; 2] = [Self::Sqlite, Self::Postgres];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }
}

/// What every server is told besides where its stores are. Attempts are not limited by address, as
/// the whole suite comes from one.
pub(crate) const SETTINGS: &[(&str, &str)] = &[
    ("HOST", "127.0.0.1"),
    ("LOGIN_ATTEMPTS_PER_ADDRESS", "0"),
    ("REGISTRATIONS_PER_ADDRESS", "0"),
    ("RUST_BACKTRACE", "1"),
];

/// Settings nobody outside the server is shown.
const SECRETS: &[&str] = &["SECRET_KEY", "DATABASE_URL", "UPSTASH_REDIS_REST_TOKEN"];

/// One server of a host. All run the same program, each on data of its own.
#[derive(Clone, Copy)]
pub(crate) struct Variant {
    pub(crate) server: &'static str,
    /// Its Redis front, where the host has one.
    pub(crate) front: &'static str,
    /// What the suite reads its address from.
    pub(crate) advertised: &'static str,
    pub(crate) settings: &'static [(&'static str, &'static str)],
}

/// The server under test: the one that can be stopped and killed. The throttle is the seed's.
pub(crate) const UNDER_TEST: Variant = Variant {
    server: "server",
    front: "redis-http",
    advertised: "base_url",
    settings: &[
        ("THROTTLE_RATE_SECONDS", "1"),
        ("ALLOWED_HOSTS", "127.0.0.1,localhost,.chat.example"),
        (
            "CORS_ALLOWED_ORIGINS",
            "https://chat.example,http://localhost:3000",
        ),
    ],
};

/// Servers beside it, for tests that its settings would make wait.
pub(crate) const BESIDE: &[Variant] = &[
    Variant {
        server: "unthrottled",
        front: "redis-http-unthrottled",
        advertised: "unthrottled_base_url",
        settings: &[("THROTTLE_RATE_SECONDS", "0")],
    },
    Variant {
        server: "short-tokens",
        front: "redis-http-short-tokens",
        advertised: "short_token_base_url",
        settings: &[
            ("THROTTLE_RATE_SECONDS", "1"),
            ("ACCESS_TOKEN_SECONDS", "10"),
        ],
    },
];

/// Whether a setting may be shown to everyone.
pub(crate) fn is_public(name: &str) -> bool {
    !SECRETS.contains(&name)
}

/// 256 random bits as text, for keys and passwords that live as long as one run.
pub(crate) fn secret() -> Result<String> {
    use std::fmt::Write as _;
    let mut bytes = [0_u8; 32];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    let mut text = String::new();
    for byte in bytes {
        write!(text, "{byte:02x}")?;
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_long_and_differ() {
        let (one, two) = (secret().unwrap(), secret().unwrap());
        assert_eq!(one.len(), 64);
        assert_ne!(one, two);
    }

    #[test]
    fn every_setting_is_given_once() {
        for variant in BESIDE.iter().chain([&UNDER_TEST]) {
            let both = SETTINGS.iter().chain(variant.settings);
            let mut names: Vec<&str> = both.map(|(name, _)| *name).collect();
            let all = names.len();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), all, "{}", variant.server);
        }
    }
}
