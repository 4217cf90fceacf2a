//! The types of settings; secrets do not appear in `Debug`.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// A value that must not reach a log.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<str>);

impl Secret {
    /// Wraps a secret.
    pub fn new(value: impl Into<Arc<str>>) -> Self {
        Self(value.into())
    }

    /// The secret itself, for the one place that needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Database {
    /// A PostgreSQL server, by percent-encoded URL.
    Postgres(Secret),
    /// An SQLite file, created when it is missing.
    Sqlite(PathBuf),
    /// An SQLite database in memory.
    SqliteInMemory,
}

/// What is between the server and PostgreSQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatabasePooler {
    /// Nothing, or a pooler that gives each connection a session of its own.
    None,
    /// A pooler that assigns connections for a transaction at a time, such as `PgBouncer` with
    /// `pool_mode = transaction`.
    Transaction,
}

/// The key that signs tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretKey {
    /// From the settings.
    Given(Secret),
    /// In this file, readable by its owner only; generated when it is missing.
    CreateBeside(PathBuf),
}

/// A Redis reached by the Upstash REST protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redis {
    /// `http://…` or `https://…`.
    pub url: String,
    /// Its bearer token.
    pub token: Secret,
}

/// Whose e-mail addresses a user sees in the participants of a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShowEmails {
    /// Every participant's.
    Members,
    /// The user's own.
    Own,
}

/// Who may create an account over the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum RegistrationPolicy {
    /// Anyone.
    Open,
    /// No client: registrations are rejected.
    Closed,
}

/// The format of log events on standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

/// The origins (RFC 6454) whose pages may use this server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AllowedOrigins {
    /// Every origin. There are no cookies, so a page has no access without a token from its user.
    Any,
    /// These, in lower case without a trailing slash; none when empty.
    These(Vec<String>),
}

impl AllowedOrigins {
    /// Whether pages of this origin are allowed.
    pub fn allow(&self, origin: &str) -> bool {
        match self {
            Self::Any => true,
            Self::These(origins) => origins
                .iter()
                .any(|allowed| allowed.eq_ignore_ascii_case(origin)),
        }
    }
}

/// One entry of `ALLOWED_HOSTS`, with Django's forms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostPattern {
    /// `*`
    Any,
    /// `example.com`
    Exact(String),
    /// `.example.com`: that domain and every subdomain; stored with its dot.
    Domain(String),
}

impl HostPattern {
    /// Whether a host, without its port, matches.
    pub fn allows(&self, host: &str) -> bool {
        let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        match self {
            Self::Any => true,
            Self::Exact(exact) => *exact == host,
            Self::Domain(domain) => {
                host.ends_with(domain.as_str()) || domain.get(1..) == Some(host.as_str())
            }
        }
    }
}
