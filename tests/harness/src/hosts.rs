//! The three hosts that suites run against, and every setting of their servers: the one place to add
//! a setting or an instance the black-box suite relies on.
//!
//! `sqlite`, also called `local`, is what plain `cargo run` starts: everything in one process.
//! `postgres` is the deployed shape: PostgreSQL, and Redis behind its HTTP proxy. `edge` is the
//! Worker in workerd, on the same backends. `stack` starts them.

use std::fs::File;
use std::io::Read as _;

use anyhow::Result;
use clap::ValueEnum;
use clap::builder::PossibleValue;

use crate::worker::WorkerBuild;

/// A host of the chat server: what a suite runs against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host {
    /// The local server with embedded SQLite and an in-process cache.
    Sqlite,
    /// The local server on PostgreSQL and Redis.
    Postgres,
    /// The Worker in workerd, on PostgreSQL and Redis.
    Edge,
}

impl Host {
    /// Every host, in the order they are tested.
    pub const ALL: [Self; 3] = [Self::Sqlite, Self::Postgres, Self::Edge];

    /// The name on the command line and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
            Self::Edge => "edge",
        }
    }

    /// Whether it uses PostgreSQL and Redis servers.
    pub fn has_backends(self) -> bool {
        self != Self::Sqlite
    }

    /// What a suite may do to this host and expect of it; `tests/README.md` explains each.
    pub fn capabilities(self) -> &'static [&'static str] {
        match self {
            Self::Sqlite => &[
                "server",
                "create-admin",
                "client-addresses",
                "close-on-shutdown",
                "slow-reader-close",
                "raw-text",
                "ping-rate",
                "raw-http",
            ],
            Self::Postgres => &[
                "server",
                "postgres",
                "redis",
                "redis-http",
                "create-admin",
                "client-addresses",
                "close-on-shutdown",
                "slow-reader-close",
                "raw-text",
                "ping-rate",
                "raw-http",
            ],
            Self::Edge => &[
                "server",
                "postgres",
                "redis",
                "redis-http",
                "create-admin",
                "client-addresses",
            ],
        }
    }

    /// The instances besides the one under test, each on databases of its own.
    pub fn extra_instances(self) -> impl Iterator<Item = InstanceSpec> {
        let more: &[InstanceSpec] = if self == Self::Edge {
            &[LONG_THROTTLE, FAULT_INJECTION]
        } else {
            &[]
        };
        EXTRA.iter().chain(more).copied()
    }

    /// The settings of its servers, in addition to [`SETTINGS`].
    pub fn settings(self) -> &'static [(&'static str, &'static str)] {
        match self {
            // A test reads from the log when a Room wakes; it is logged at this level.
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
                .help("What plain `cargo run` starts; alias: local"),
            Self::Postgres => value.help("PostgreSQL, and Redis behind its HTTP proxy"),
            Self::Edge => value.help("The Worker in workerd, on the same backends"),
        })
    }
}

/// The settings of every server, besides the addresses of its backends. Rate limits by address are
/// off because the whole suite uses one address. Budgets are on where an instance does not set
/// `BUDGET_FACTOR`: a test that is not about them may create more than a user should.
pub const SETTINGS: &[(&str, &str)] = &[
    ("HOST", "127.0.0.1"),
    ("LOGIN_ATTEMPTS_PER_ADDRESS", "0"),
    ("REGISTRATIONS_PER_ADDRESS", "0"),
    ("RUST_BACKTRACE", "1"),
];

/// Settings that no client may see.
const SECRETS: &[&str] = &["SECRET_KEY", "DATABASE_URL", "UPSTASH_REDIS_REST_TOKEN"];

/// How one instance of a host's server is started. All instances of a host run the same program, each
/// on its own data.
#[derive(Clone, Copy)]
pub struct InstanceSpec {
    /// The name of its process, directory and log file.
    pub name: &'static str,
    /// The name of its Redis proxy, on a host with backends.
    pub redis_proxy: &'static str,
    /// The key of its base URL in the control server's description.
    pub url_key: &'static str,
    /// Its settings, in addition to those of the host.
    pub settings: &'static [(&'static str, &'static str)],
}

/// The instance under test: the one that suites stop and kill.
pub const UNDER_TEST: InstanceSpec = InstanceSpec {
    name: "server",
    redis_proxy: "redis-http",
    url_key: "base_url",
    settings: &[
        ("THROTTLE_RATE_SECONDS", "1"),
        ("BUDGET_FACTOR", "0"),
        // No attempt returns while a test counts them, also on a busy machine.
        ("ATTEMPTS_WINDOW_SECONDS", "3000"),
        ("ALLOWED_HOSTS", "127.0.0.1,localhost,.chat.example"),
        (
            "CORS_ALLOWED_ORIGINS",
            "https://chat.example,http://localhost:3000",
        ),
    ],
};

/// Extra instances, for tests that would have to wait with the settings of the one under test.
///
/// The page of the SDK's suite has the allowed origin.
const EXTRA: &[InstanceSpec] = &[
    InstanceSpec {
        name: "unthrottled",
        redis_proxy: "redis-http-unthrottled",
        url_key: "unthrottled_base_url",
        settings: &[
            ("THROTTLE_RATE_SECONDS", "0"),
            ("BUDGET_FACTOR", "0"),
            ("MAX_GROUP_MEMBERS", "8"),
            ("SHOW_EMAILS", "self"),
            ("CORS_ALLOWED_ORIGINS", "http://localhost:3000"),
        ],
    },
    InstanceSpec {
        name: "short-tokens",
        redis_proxy: "redis-http-short-tokens",
        url_key: "short_token_base_url",
        settings: &[
            ("THROTTLE_RATE_SECONDS", "1"),
            ("ACCESS_TOKEN_SECONDS", "10"),
            ("CORS_ALLOWED_ORIGINS", "http://localhost:3000"),
        ],
    },
];

/// The instances of the torture run: most of its clients use the first.
pub const TORTURE: [InstanceSpec; 2] = [
    InstanceSpec {
        name: "torture",
        redis_proxy: "redis-http-torture",
        url_key: "base_url",
        settings: &[
            ("THROTTLE_RATE_SECONDS", "0"),
            ("BUDGET_FACTOR", "0"),
            // Every client refreshes its tokens several times, also in a short run.
            ("ACCESS_TOKEN_SECONDS", "10"),
            // One line per request would hide the relevant ones.
            ("LOG_LEVEL", "warn"),
        ],
    },
    InstanceSpec {
        name: "torture-throttled",
        redis_proxy: "redis-http-torture-throttled",
        url_key: "throttled_base_url",
        settings: &[
            ("THROTTLE_RATE_SECONDS", "1"),
            ("BUDGET_FACTOR", "0"),
            ("LOG_LEVEL", "warn"),
        ],
    },
];

/// The instance under attack.
pub const ATTACKED: InstanceSpec = InstanceSpec {
    name: "attacked",
    redis_proxy: "redis-http-attacked",
    url_key: "base_url",
    settings: &[("THROTTLE_RATE_SECONDS", "0"), ("LOG_LEVEL", "warn")],
};

/// At the edge: a throttle interval longer than an idle Room stays in memory.
const LONG_THROTTLE: InstanceSpec = InstanceSpec {
    name: "long-throttle",
    redis_proxy: "redis-http-long-throttle",
    url_key: "long_throttle_base_url",
    settings: &[("THROTTLE_RATE_SECONDS", "120")],
};

/// At the edge: a Worker build that can be made to panic. Its tokens expire soon after the heartbeat
/// timeout.
const FAULT_INJECTION: InstanceSpec = InstanceSpec {
    name: "faulty",
    redis_proxy: "redis-http-faulty",
    url_key: "faulty_base_url",
    settings: &[
        ("THROTTLE_RATE_SECONDS", "0"),
        ("ACCESS_TOKEN_SECONDS", "150"),
        ("WORKER_BUILD", WorkerBuild::Faults.directory()),
    ],
};

/// At the edge: a second runtime on the databases of the instance under test, as during a deployment.
/// Both write to the same conversations without knowing of each other.
pub const SECOND: InstanceSpec = InstanceSpec {
    name: "second",
    redis_proxy: UNDER_TEST.redis_proxy,
    url_key: "second_base_url",
    settings: UNDER_TEST.settings,
};

/// Whether a setting may be shown to clients.
pub fn is_public(name: &str) -> bool {
    !SECRETS.contains(&name)
}

/// 256 random bits in hexadecimal, for keys and passwords of one run.
pub fn secret() -> Result<String> {
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
    fn secrets_are_long_and_distinct() {
        let (one, two) = (secret().unwrap(), secret().unwrap());
        assert_eq!(one.len(), 64);
        assert_ne!(one, two);
    }

    #[test]
    fn no_instance_sets_a_setting_twice() {
        for host in Host::ALL {
            for spec in host.extra_instances().chain([UNDER_TEST]) {
                let all = SETTINGS.iter().chain(host.settings());
                let all = all.chain(spec.settings);
                let mut names: Vec<&str> = all.map(|(name, _)| *name).collect();
                let count = names.len();
                names.sort_unstable();
                names.dedup();
                assert_eq!(names.len(), count, "{}", spec.name);
            }
        }
    }
}
