//! Every setting of a server: name, default, validation and parsed value.
//!
//! Reads neither environment nor files: an adapter passes a `lookup`. One error reports every missing
//! or malformed setting, so that a first start takes one round of corrections. To add a setting: a
//! row in [`Settings::TABLE`], a field, a line in [`Settings::read`]; the tests then require its line
//! in the documents.

mod access;
mod database;
mod logs;
mod reader;
mod secrets;
mod similar;
#[cfg(test)]
mod tests;
mod values;

use std::path::PathBuf;

use ipnet::IpNet;
use thiserror::Error;

use colloquy_proto::domain::Seconds;
use reader::Reader;
pub use similar::similar_setting;
pub use values::{
    AllowedOrigins, Database, DatabasePooler, HostPattern, LogFormat, Redis, RegistrationPolicy,
    Secret, SecretKey, ShowEmails,
};

/// The documentation of one setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// The environment variable.
    pub name: &'static str,
    /// The value when it is absent or blank; empty for none.
    pub default: &'static str,
    /// Its purpose.
    pub description: &'static str,
}

/// The settings of a server. `Debug` hides secrets.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Address or name to listen on.
    pub host: String,
    /// Port to listen on.
    pub port: u16,
    /// The directory of the server's own files.
    pub data_dir: PathBuf,
    /// The database.
    pub database: Database,
    /// What is in front of PostgreSQL.
    pub database_pooler: DatabasePooler,
    /// The maximum number of connections to it.
    pub database_pool_size: u32,
    /// Whether pending migrations run before the server listens.
    pub migrate_on_start: bool,
    /// The Redis behind the Upstash REST protocol; `None` for the in-process cache.
    pub redis: Option<Redis>,
    /// Signs tokens.
    pub secret_key: SecretKey,
    /// Previous keys, which still verify tokens after a rotation.
    pub previous_secret_keys: Vec<Secret>,
    /// The lifetime of an access token.
    pub access_token: Seconds,
    /// The lifetime of a refresh token, and so of an idle session.
    pub refresh_token: Seconds,
    /// Milliseconds between two sends of a user in a conversation; 0 is off.
    pub throttle_ms: i64,
    /// The origins of web pages that may use this server.
    pub cors_allowed_origins: AllowedOrigins,
    /// The accepted `Host` headers.
    pub allowed_hosts: Vec<HostPattern>,
    /// The proxies whose `X-Forwarded-For` is trusted.
    pub trusted_proxies: Vec<IpNet>,
    /// The directory of log files; `None` for no files.
    pub log_dir: Option<PathBuf>,
    /// The log filter: the level of all events, then a level for some targets, such as
    /// `info,colloquy=debug`.
    pub log_filter: String,
    /// The format of log events on standard output.
    pub log_format: LogFormat,
    /// The size at which a log file is rotated before the day ends, in bytes.
    pub log_max_bytes: u64,
    /// The number of rotated files of each log file that are kept.
    pub log_keep_files: usize,
    /// The rate limits.
    pub attempts: AttemptLimits,
    /// Who may create an account.
    pub registration: RegistrationPolicy,
    /// The members of conversations.
    pub members: MemberSettings,
    /// The number of passwords hashed in parallel; 0 for one per core.
    pub password_hash_concurrency: usize,
    /// The maximum number of open connections; 0 to derive it from the limit of open files.
    pub max_connections: usize,
    /// The maximum from one client address; 0 for half of all.
    pub max_connections_per_address: usize,
    /// How long an HTTP connection may be idle between requests.
    pub keep_alive: Seconds,
    /// The deadline of a graceful shutdown.
    pub shutdown: Seconds,
    /// What is accepted but probably not what the operator means, one sentence each. The host logs
    /// them at start.
    pub warnings: Vec<String>,
}

/// How many members a group may have, and what they see of each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemberSettings {
    /// The most members of a group.
    pub max_group_members: i64,
    /// Whose e-mail addresses a user sees.
    pub show_emails: ShowEmails,
}

/// The limits of attempts and requests; 0 is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttemptLimits {
    /// Failed logins of one account from one client address, in a window.
    pub logins_per_account: i64,
    /// Logins from one client address, in a window.
    pub logins_per_address: i64,
    /// Registrations from one client address, in a window.
    pub registrations_per_address: i64,
    /// The length of the window.
    pub window: Seconds,
    /// The long-term interval between two edits of a user in a conversation, in milliseconds.
    pub throttle_ms: i64,
    /// How many times larger than documented the budgets of users are.
    pub budget_factor: i64,
}

/// The settings are invalid; the message has every reason, one per line.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the settings are invalid:\n  - {}", problems.join("\n  - "))]
pub struct SettingsError {
    /// One sentence for each missing or malformed setting, with its correction.
    pub problems: Vec<String>,
}

macro_rules! table {
    ($($name:literal, $default:literal, $description:literal;)+) => {
        &[$(Setting { name: $name, default: $default, description: $description },)+]
    };
}

impl Settings {
    /// Every setting. Tests compare `README.md`, `.env.example` and `docker-compose.yml` with it, and
    /// [`Settings::read`] takes its defaults from here.
    pub const TABLE: &'static [Setting] = table! {
        "HOST", "127.0.0.1", "Address to listen on; 0.0.0.0 for every interface";
        "PORT", "8000", "Port to listen on";
        "DATA_DIR", "data", "Folder of the embedded database and the generated key";
        "DATABASE_URL", "", "postgres://user:password@host:port/name, or sqlite:path; without it and without POSTGRES_DB an SQLite file in DATA_DIR";
        "POSTGRES_DB", "", "Database name, when DATABASE_URL is not set";
        "POSTGRES_USER", "", "User, when DATABASE_URL is not set";
        "POSTGRES_PASSWORD", "", "Password, when DATABASE_URL is not set";
        "POSTGRES_HOST", "localhost", "Host, when DATABASE_URL is not set";
        "POSTGRES_PORT", "5432", "Port, when DATABASE_URL is not set";
        "DATABASE_POOLER", "none", "transaction if PostgreSQL is behind PgBouncer or a hosted pooler in transaction mode";
        "DATABASE_POOL_SIZE", "10", "Maximum number of database connections";
        "MIGRATE_ON_START", "false", "Run missing migrations at start on PostgreSQL; on SQLite they always run";
        "UPSTASH_REDIS_REST_URL", "", "Redis over HTTP (Upstash, or redis-http); without it an in-process cache";
        "UPSTASH_REDIS_REST_TOKEN", "", "Token for UPSTASH_REDIS_REST_URL";
        "SECRET_KEY", "", "Signs tokens: at least 32 bytes, no commas; required with PostgreSQL, otherwise generated and stored in DATA_DIR/secret.key";
        "SECRET_KEY_PREVIOUS", "", "Previous keys, comma separated; their tokens are still accepted";
        "ACCESS_TOKEN_SECONDS", "900", "Lifetime of an access token";
        "REFRESH_TOKEN_SECONDS", "604800", "Lifetime of a refresh token";
        "THROTTLE_RATE_SECONDS", "1", "Seconds between two messages of a user in a conversation; 0 for no throttle";
        "MAX_GROUP_MEMBERS", "1000", "Maximum members of a group";
        "REGISTRATION", "open", "open: anyone who reaches the server may register; closed: registrations are rejected with 403";
        "SHOW_EMAILS", "members", "members: participants of a conversation see each other's e-mail addresses; self: only their own (recommended where registration is open)";
        "CORS_ALLOWED_ORIGINS", "", "Allowed origins of web pages (CORS), comma separated, or *";
        "ALLOWED_HOSTS", "*", "Accepted Host headers, comma separated; .example.com includes every subdomain, * accepts any";
        "TRUSTED_PROXIES", "", "Addresses or networks of proxies, comma separated, whose X-Forwarded-For is trusted";
        "LOG_DIR", "logs", "Folder for log files; empty for none";
        "LOG_LEVEL", "info", "error, warn, info, debug, trace or off, or a list such as info,colloquy=debug";
        "LOG_FORMAT", "text", "text or json";
        "LOG_MAX_BYTES", "67108864", "Size at which a log file is rotated before the day ends";
        "LOG_KEEP_FILES", "14", "Rotated log files that are kept, for server.log and api.log each";
        "LOGIN_ATTEMPTS_PER_ACCOUNT", "10", "Failed logins per account and client address and window, beside 100 an hour per account; 0 for no limit";
        "LOGIN_ATTEMPTS_PER_ADDRESS", "300", "Maximum logins per client address and window; 0 for no limit";
        "REGISTRATIONS_PER_ADDRESS", "300", "Maximum registrations per client address and window; 0 for no limit";
        "ATTEMPTS_WINDOW_SECONDS", "300", "Length of that window in seconds";
        "BUDGET_FACTOR", "1", "How many times larger than documented the request budgets of users are; 0 for no budgets";
        "PASSWORD_HASH_CONCURRENCY", "0", "Concurrent password hashes (19 MiB each); 0 for one per core";
        "MAX_CONNECTIONS", "0", "Maximum number of open connections, sockets included; 0 for what the limit of open files allows, at most 100000";
        "MAX_CONNECTIONS_PER_ADDRESS", "0", "Maximum number of them from one client address; 0 for half. TRUSTED_PROXIES are exempt";
        "KEEP_ALIVE_SECONDS", "75", "Seconds an HTTP connection may be idle; longer than the idle timeout of the load balancer";
        "SHUTDOWN_SECONDS", "10", "Seconds that requests in progress have to finish when the server shuts down";
    };

    /// Reads every setting through `lookup`, which returns the value of a variable. A blank value
    /// counts as absent (except for `LOG_DIR`).
    ///
    /// # Errors
    /// [`SettingsError`] with every missing or malformed setting.
    pub fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let mut reader = Reader::new(&lookup);
        let data_dir = reader.path("DATA_DIR");
        let database = reader.database(&data_dir);
        reader.check_unused_parts();
        let secret_key = reader.secret_key(&database, &data_dir);
        let throttle_ms = reader.millis("THROTTLE_RATE_SECONDS");
        let (access_token, refresh_token) = reader.lifetimes();
        let settings = Self {
            host: reader.listen_host(),
            port: reader.number("PORT", 0, u16::MAX),
            database_pooler: reader.pooler(),
            database_pool_size: reader.number("DATABASE_POOL_SIZE", 1, 1_000),
            migrate_on_start: reader.flag("MIGRATE_ON_START"),
            redis: reader.redis(),
            previous_secret_keys: reader.previous_secret_keys(),
            access_token,
            refresh_token,
            throttle_ms,
            cors_allowed_origins: reader.origins(),
            allowed_hosts: reader.hosts(),
            trusted_proxies: reader.proxies(),
            log_dir: reader.log_dir(),
            log_filter: reader.log_filter(),
            log_format: reader.log_format(),
            log_max_bytes: reader.number("LOG_MAX_BYTES", 4_096, 1 << 40),
            log_keep_files: reader.number("LOG_KEEP_FILES", 0, 10_000),
            attempts: AttemptLimits {
                logins_per_account: reader.number("LOGIN_ATTEMPTS_PER_ACCOUNT", 0, i64::MAX),
                logins_per_address: reader.number("LOGIN_ATTEMPTS_PER_ADDRESS", 0, i64::MAX),
                registrations_per_address: reader.number("REGISTRATIONS_PER_ADDRESS", 0, i64::MAX),
                window: Seconds(reader.number("ATTEMPTS_WINDOW_SECONDS", 1, 86_400)),
                throttle_ms,
                budget_factor: reader.number("BUDGET_FACTOR", 0, 1_000),
            },
            registration: reader.registration(),
            members: MemberSettings {
                max_group_members: reader.number("MAX_GROUP_MEMBERS", 2, 10_000),
                show_emails: reader.show_emails(),
            },
            password_hash_concurrency: reader.number("PASSWORD_HASH_CONCURRENCY", 0, 1_024),
            max_connections: reader.number("MAX_CONNECTIONS", 0, 10_000_000),
            max_connections_per_address: reader.number(
                "MAX_CONNECTIONS_PER_ADDRESS",
                0,
                10_000_000,
            ),
            keep_alive: Seconds(reader.number("KEEP_ALIVE_SECONDS", 1, 3_600)),
            shutdown: Seconds(reader.number("SHUTDOWN_SECONDS", 0, 3_600)),
            warnings: Vec::new(),
            data_dir,
            database,
            secret_key,
        };
        reader.finish(settings)
    }
}
