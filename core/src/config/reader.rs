//! Reads and validates values, and collects every problem.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use ipnet::IpNet;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::{
    AllowedOrigins, Database, DatabasePooler, HostPattern, LogFormat, Redis, Secret, SecretKey,
    Settings, SettingsError,
};

/// The shortest key for HS256 (RFC 7518 §3.2).
const MIN_KEY_BYTES: usize = 32;

/// The characters of a URL component to encode: all but the unreserved ones of RFC 3986 §2.3.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

pub(super) struct Reader<'a> {
    lookup: &'a dyn Fn(&str) -> Option<String>,
    problems: Vec<String>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(lookup: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self {
            lookup,
            problems: Vec::new(),
        }
    }

    pub(super) fn finish(self, settings: Settings) -> Result<Settings, SettingsError> {
        if self.problems.is_empty() {
            Ok(settings)
        } else {
            Err(SettingsError {
                problems: self.problems,
            })
        }
    }

    fn problem(&mut self, name: &str, what: impl Display) {
        self.problems.push(format!("{name} {what}"));
    }

    /// The value, unless it is blank.
    fn given(&self, name: &str) -> Option<String> {
        (self.lookup)(name).filter(|value| !value.trim().is_empty())
    }

    /// The trimmed value, or the default of the table.
    pub(super) fn text(&self, name: &str) -> String {
        let default = || {
            Settings::TABLE
                .iter()
                .find(|row| row.name == name)
                .map(|row| row.default)
        };
        let value = self.given(name);
        value
            .as_deref()
            .or_else(default)
            .unwrap_or_default()
            .trim()
            .to_owned()
    }

    /// An integer within limits.
    pub(super) fn number<T>(&mut self, name: &str, min: T, max: T) -> T
    where
        T: FromStr + PartialOrd + Display + Copy,
    {
        let text = self.text(name);
        match text.parse() {
            Ok(number) if number >= min && number <= max => number,
            _ => {
                self.problem(
                    name,
                    format_args!("is {text:?}; give a whole number from {min} to {max}"),
                );
                min
            }
        }
    }

    /// A decimal number of seconds, up to an hour.
    pub(super) fn millis(&mut self, name: &str) -> i64 {
        let text = self.text(name);
        match text.parse::<f64>() {
            Ok(seconds) if (0.0..=3_600.0).contains(&seconds) => {
                #[expect(clippy::cast_possible_truncation, reason = "at most 3,600,000")]
                let millis = (seconds * 1_000.0).round() as i64;
                millis
            }
            _ => {
                self.problem(
                    name,
                    format_args!("is {text:?}; give seconds from 0 to 3600, such as 0.5"),
                );
                0
            }
        }
    }

    /// A boolean.
    pub(super) fn flag(&mut self, name: &str) -> bool {
        let text = self.text(name).to_ascii_lowercase();
        match text.as_str() {
            "true" | "1" | "yes" | "on" => true,
            "false" | "0" | "no" | "off" => false,
            _ => {
                self.problem(name, format_args!("is {text:?}; give true or false"));
                false
            }
        }
    }

    fn items(&self, name: &str) -> Vec<String> {
        let text = self.text(name);
        text.split(',')
            .map(str::trim)
            .filter(|item| !item.is_empty())
            .map(str::to_owned)
            .collect()
    }

    pub(super) fn hosts(&mut self, name: &str) -> Vec<HostPattern> {
        let mut hosts = Vec::new();
        for item in self.items(name) {
            match HostPattern::parse(&item) {
                Some(host) => hosts.push(host),
                None => self.problem(
                    name,
                    format_args!("names {item:?}; give hosts such as example.com or .example.com"),
                ),
            }
        }
        hosts
    }

    pub(super) fn networks(&mut self, name: &str) -> Vec<IpNet> {
        let mut networks = Vec::new();
        for item in self.items(name) {
            let network = item
                .parse()
                .or_else(|_| item.parse().map(|address: std::net::IpAddr| address.into()));
            match network {
                Ok(network) => networks.push(network),
                Err(_) => self.problem(name, format_args!("names {item:?}; give addresses such as 10.0.0.1 or networks such as 10.0.0.0/8")),
            }
        }
        networks
    }

    pub(super) fn origins(&mut self, name: &str) -> AllowedOrigins {
        let items = self.items(name);
        if items.iter().any(|item| item == "*") {
            return AllowedOrigins::Any;
        }
        let mut origins = Vec::new();
        for item in items {
            let origin = item.trim_end_matches('/').to_ascii_lowercase();
            if is_origin(&origin) {
                origins.push(origin);
            } else {
                self.problem(name, format_args!("names {item:?}; give origins such as https://chat.example.com, without a path"));
            }
        }
        AllowedOrigins::These(origins)
    }

    pub(super) fn log_dir(&self) -> Option<PathBuf> {
        // The only setting for which blank is a value: no log files.
        let blank = (self.lookup)("LOG_DIR").is_some_and(|value| value.trim().is_empty());
        (!blank).then(|| PathBuf::from(self.text("LOG_DIR")))
    }

    pub(super) fn log_format(&mut self) -> LogFormat {
        let text = self.text("LOG_FORMAT").to_ascii_lowercase();
        match text.as_str() {
            "text" => LogFormat::Text,
            "json" => LogFormat::Json,
            _ => {
                self.problem("LOG_FORMAT", format_args!("is {text:?}; give text or json"));
                LogFormat::Text
            }
        }
    }

    pub(super) fn redis(&mut self) -> Option<Redis> {
        const URL: &str = "UPSTASH_REDIS_REST_URL";
        const TOKEN: &str = "UPSTASH_REDIS_REST_TOKEN";
        match (self.given(URL), self.given(TOKEN)) {
            (None, None) => None,
            (Some(_), None) => {
                self.problem(TOKEN, format_args!("is missing; it goes with {URL}"));
                None
            }
            (None, Some(_)) => {
                self.problem(URL, format_args!("is missing; it goes with {TOKEN}"));
                None
            }
            (Some(url), Some(token)) => {
                let url = url.trim().trim_end_matches('/').to_owned();
                if !is_http_url(&url) {
                    self.problem(URL, "is no URL; give https://… or http://…");
                }
                Some(Redis {
                    url,
                    token: Secret::new(token.trim()),
                })
            }
        }
    }

    pub(super) fn database(&mut self, data_dir: &Path) -> Database {
        let embedded = Database::Sqlite(data_dir.join("colloquy.sqlite3"));
        let Some(url) = self.given("DATABASE_URL") else {
            let parts = [
                "POSTGRES_DB",
                "POSTGRES_USER",
                "POSTGRES_PASSWORD",
                "POSTGRES_HOST",
            ];
            let any = parts.iter().any(|name| self.given(name).is_some());
            return if any {
                self.postgres_from_parts()
            } else {
                embedded
            };
        };
        let url = url.trim();
        if let Some(location) = url.strip_prefix("sqlite:") {
            return sqlite(location).unwrap_or_else(|| {
                self.problem(
                    "DATABASE_URL",
                    "names no SQLite file; give sqlite:path/to/file or sqlite::memory:",
                );
                embedded
            });
        }
        let rest = url
            .strip_prefix("postgres://")
            .or_else(|| url.strip_prefix("postgresql://"));
        if rest.is_none_or(str::is_empty) {
            // The value may hold a password, so the message does not repeat it.
            self.problem(
                "DATABASE_URL",
                "has an unknown form; give postgres://user:password@host:port/name or sqlite:path",
            );
        }
        Database::Postgres(Secret::new(url))
    }

    pub(super) fn pooler(&mut self) -> DatabasePooler {
        let text = self.text("DATABASE_POOLER").to_ascii_lowercase();
        match text.as_str() {
            // A session pooler needs nothing special.
            "none" | "session" => DatabasePooler::None,
            "transaction" => DatabasePooler::Transaction,
            _ => {
                let problem = format_args!(
                    "is {text:?}; give transaction for a pooler in transaction mode, otherwise none"
                );
                self.problem("DATABASE_POOLER", problem);
                DatabasePooler::None
            }
        }
    }

    /// Builds the URL from the five variables of a Django settings file.
    fn postgres_from_parts(&mut self) -> Database {
        let mut piece = |name: &str| {
            let value = self.given(name).unwrap_or_default();
            if value.is_empty() {
                self.problem(
                    name,
                    "is missing; PostgreSQL needs it (or set DATABASE_URL instead)",
                );
            }
            encode(&value)
        };
        let name = piece("POSTGRES_DB");
        let user = piece("POSTGRES_USER");
        let password = piece("POSTGRES_PASSWORD");
        let host = self.text("POSTGRES_HOST");
        let host = if host.parse::<std::net::Ipv6Addr>().is_ok() {
            format!("[{host}]")
        } else {
            encode(&host)
        };
        let port: u16 = self.number("POSTGRES_PORT", 1, u16::MAX);
        Database::Postgres(Secret::new(format!(
            "postgres://{user}:{password}@{host}:{port}/{name}"
        )))
    }

    pub(super) fn secret_key(&mut self, database: &Database, data_dir: &Path) -> SecretKey {
        if let Some(key) = self.given("SECRET_KEY") {
            self.check_key("SECRET_KEY", &key);
            return SecretKey::Given(Secret::new(key));
        }
        // Several servers may share a PostgreSQL database, and then must share the key.
        if matches!(database, Database::Postgres(_)) {
            self.problem("SECRET_KEY", format_args!("is missing; give at least {MIN_KEY_BYTES} random bytes, such as the output of `openssl rand -hex 32`"));
        }
        SecretKey::CreateBeside(data_dir.join("secret.key"))
    }

    pub(super) fn previous_secret_keys(&mut self) -> Vec<Secret> {
        let keys = self.items("SECRET_KEY_PREVIOUS");
        for key in &keys {
            self.check_key("SECRET_KEY_PREVIOUS", key);
        }
        keys.into_iter().map(Secret::new).collect()
    }

    fn check_key(&mut self, name: &str, key: &str) {
        if key.len() < MIN_KEY_BYTES {
            self.problem(name, format_args!("has {} bytes; give at least {MIN_KEY_BYTES}, such as the output of `openssl rand -hex 32`", key.len()));
        }
    }
}

fn encode(part: &str) -> String {
    utf8_percent_encode(part, RESERVED).to_string()
}

/// `sqlite:file`, `sqlite://file` (a third slash starts an absolute path), `sqlite::memory:`.
fn sqlite(location: &str) -> Option<Database> {
    let location = location.strip_prefix("//").unwrap_or(location);
    let (path, query) = location.split_once('?').unwrap_or((location, ""));
    if path == ":memory:" || query.split('&').any(|pair| pair == "mode=memory") {
        return Some(Database::SqliteInMemory);
    }
    let path = percent_decode_str(path).decode_utf8().ok()?;
    (!path.is_empty()).then(|| Database::Sqlite(PathBuf::from(path.as_ref())))
}

fn is_http_url(url: &str) -> bool {
    ["http://", "https://"].iter().any(|scheme| {
        url.strip_prefix(scheme)
            .is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'))
    }) && url.bytes().all(|byte| byte.is_ascii_graphic())
}

fn is_origin(origin: &str) -> bool {
    is_http_url(origin) && origin.matches('/').count() == 2 && !origin.contains(['?', '#', '@'])
}
