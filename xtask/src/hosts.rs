//! The three ways the server under test is run, and every setting it is given: the one place to add
//! a setting or a variant the black-box suite relies on.
//!
//! `sqlite`, also called `local`, is what a newcomer gets from plain `cargo run`: everything inside
//! one process. `postgres` is the deployment: PostgreSQL, and Redis behind its HTTP front. `edge` is the Worker
//! in workerd, on the same stores. Starting them is in `stack`.

use std::fs::File;
use std::io::Read as _;

use anyhow::Result;
use clap::ValueEnum;
use clap::builder::PossibleValue;

use crate::worker::Flavour;

/// What the suite runs against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Host {
    /// The embedded defaults.
    Sqlite,
    /// The deployed shape.
    Postgres,
    /// The Worker, in the runtime it is deployed to.
    Edge,
}

impl Host {
    pub(crate) const ALL: [Self; 3] = [Self::Sqlite, Self::Postgres, Self::Edge];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
            Self::Edge => "edge",
        }
    }

    /// Whether its stores are servers of their own.
    pub(crate) fn has_stores(self) -> bool {
        self != Self::Sqlite
    }

    /// What the suite may do to it, and what it may expect of it; `tests/README.md` explains each.
    pub(crate) fn capabilities(self) -> &'static [&'static str] {
        match self {
            Self::Sqlite => &[
                "server",
                "create-admin",
                "farewell",
                "outbox",
                "utf-8",
                "http",
            ],
            Self::Postgres => &[
                "server",
                "postgres",
                "redis",
                "redis-http",
                "create-admin",
                "farewell",
                "outbox",
                "utf-8",
                "http",
            ],
            Self::Edge => &["server", "postgres", "redis", "redis-http", "create-admin"],
        }
    }

    /// The servers beside the one under test, each on stores of its own.
    pub(crate) fn beside(self) -> impl Iterator<Item = Variant> {
        let more: &[Variant] = if self == Self::Edge {
            &[PATIENT, FAULTY]
        } else {
            &[]
        };
        BESIDE.iter().chain(more).copied()
    }

    /// What its servers are told beside [`SETTINGS`].
    pub(crate) fn settings(self) -> &'static [(&'static str, &'static str)] {
        match self {
            // When a Room wakes is told at this level only, and nothing else tells it.
            Self::Edge => &[("LOG_LEVEL", "debug")],
            Self::Sqlite | Self::Postgres => &[],
        }
    }
}

/// By name on a command line.
impl ValueEnum for Host {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let value = PossibleValue::new(self.name());
        Some(match self {
            Self::Sqlite => value
                .alias("local")
                .help("What plain `cargo run` gives; also called local"),
            Self::Postgres => value.help("PostgreSQL, and Redis behind its HTTP front"),
            Self::Edge => value.help("The Worker in workerd, on the same stores"),
        })
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

/// The servers of the torture run: most of its clients are on the first.
pub(crate) const TORTURE: [Variant; 2] = [
    Variant {
        server: "torture",
        front: "redis-http-torture",
        advertised: "base_url",
        settings: &[
            ("THROTTLE_RATE_SECONDS", "0"),
            // So short that tokens end in the middle of a run.
            ("ACCESS_TOKEN_SECONDS", "30"),
            // A line for every request would hide what matters.
            ("LOG_LEVEL", "warn"),
        ],
    },
    Variant {
        server: "torture-throttled",
        front: "redis-http-torture-throttled",
        advertised: "throttled_base_url",
        settings: &[("THROTTLE_RATE_SECONDS", "1"), ("LOG_LEVEL", "warn")],
    },
];

/// At the edge, a throttle longer than a Room stays awake.
pub(crate) const PATIENT: Variant = Variant {
    server: "long-throttle",
    front: "redis-http-long-throttle",
    advertised: "long_throttle_base_url",
    settings: &[("THROTTLE_RATE_SECONDS", "120")],
};

/// At the edge, a Worker that can be made to panic, with tokens whose end is announced soon after
/// a client has been silent for too long.
pub(crate) const FAULTY: Variant = Variant {
    server: "faulty",
    front: "redis-http-faulty",
    advertised: "faulty_base_url",
    settings: &[
        ("THROTTLE_RATE_SECONDS", "0"),
        ("ACCESS_TOKEN_SECONDS", "150"),
        ("WORKER_BUILD", Flavour::Faults.directory()),
    ],
};

/// At the edge, a second server on the data of the one under test, as during a deploy: both write to
/// one conversation, and neither knows of the other.
pub(crate) const SECOND: Variant = Variant {
    server: "second",
    front: UNDER_TEST.front,
    advertised: "second_base_url",
    settings: UNDER_TEST.settings,
};

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
        for host in Host::ALL {
            for variant in host.beside().chain([UNDER_TEST]) {
                let all = SETTINGS.iter().chain(host.settings());
                let all = all.chain(variant.settings);
                let mut names: Vec<&str> = all.map(|(name, _)| *name).collect();
                let count = names.len();
                names.sort_unstable();
                names.dedup();
                assert_eq!(names.len(), count, "{}", variant.server);
            }
        }
    }
}
