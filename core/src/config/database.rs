//! The database: `DATABASE_URL`, or the five variables of a Django settings file.

use std::path::{Path, PathBuf};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::reader::{Reader, unexpanded};
use super::{Database, DatabasePooler, Secret};

/// The characters of a URL component to encode: all but the unreserved ones of RFC 3986 §2.3.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

const URL: &str = "DATABASE_URL";

/// The parts of the URL. Each of them alone selects PostgreSQL.
const PARTS: [&str; 5] = [
    "POSTGRES_DB",
    "POSTGRES_USER",
    "POSTGRES_PASSWORD",
    "POSTGRES_HOST",
    "POSTGRES_PORT",
];

impl Reader<'_> {
    pub(super) fn database(&mut self, data_dir: &Path) -> Database {
        let embedded = Database::Sqlite(data_dir.join("colloquy.sqlite3"));
        let Some(url) = self.given(URL) else {
            return if PARTS.iter().any(|name| self.given(name).is_some()) {
                self.postgres_from_parts()
            } else {
                embedded
            };
        };
        let url = url.trim();
        if let Some(location) = url.strip_prefix("sqlite:") {
            return sqlite(location).unwrap_or_else(|instead| {
                self.problem(URL, instead);
                embedded
            });
        }
        if let Some(instead) = postgres_problem(url) {
            // The value may hold a password, so the message does not repeat it.
            self.problem(URL, instead);
        }
        Database::Postgres(Secret::new(url))
    }

    /// Warns about parts that have no effect beside `DATABASE_URL`.
    pub(super) fn check_unused_parts(&mut self) {
        if self.given(URL).is_none() {
            return;
        }
        for name in PARTS {
            if self.given(name).is_some() {
                self.warning(name, format_args!("has no effect, because {URL} is set"));
            }
        }
    }

    /// `DATABASE_POOLER`.
    pub(super) fn pooler(&mut self) -> DatabasePooler {
        const NAME: &str = "DATABASE_POOLER";
        let text = self.text(NAME);
        match text.to_ascii_lowercase().as_str() {
            // A session pooler needs nothing special.
            "none" | "session" => DatabasePooler::None,
            "transaction" => DatabasePooler::Transaction,
            _ => {
                let problem = format_args!(
                    "is {text:?}; give transaction for a pooler in transaction mode, otherwise none"
                );
                self.problem(NAME, problem);
                DatabasePooler::None
            }
        }
    }

    fn postgres_from_parts(&mut self) -> Database {
        let name = self.part("POSTGRES_DB");
        let user = self.part("POSTGRES_USER");
        // White space may be part of a password.
        let password = encode(&self.required("POSTGRES_PASSWORD"));
        let host = self.postgres_host();
        let port = self.postgres_port();
        Database::Postgres(Secret::new(format!(
            "postgres://{user}:{password}@{host}:{port}/{name}"
        )))
    }

    fn part(&mut self, name: &str) -> String {
        encode(self.required(name).trim())
    }

    fn required(&mut self, name: &str) -> String {
        self.given(name).unwrap_or_else(|| {
            self.problem(
                name,
                "is missing; PostgreSQL needs it (or set DATABASE_URL instead)",
            );
            String::new()
        })
    }

    fn postgres_host(&mut self) -> String {
        const NAME: &str = "POSTGRES_HOST";
        let host = self.text(NAME);
        let bare = host
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'));
        if let Ok(address) = bare.unwrap_or(&host).parse::<std::net::Ipv6Addr>() {
            return format!("[{address}]");
        }
        if host.contains("://") || host.contains([',', '@']) || host.contains(char::is_whitespace) {
            self.problem(
                NAME,
                "is no host; give one name or address (or set DATABASE_URL instead)",
            );
        } else if host.contains(':') {
            self.problem(
                NAME,
                "contains a port; give the host here and the port in POSTGRES_PORT",
            );
        }
        encode(&host)
    }

    fn postgres_port(&mut self) -> u16 {
        const NAME: &str = "POSTGRES_PORT";
        if self.text(NAME).starts_with("tcp://") {
            self.problem(
                NAME,
                "is an address, which Kubernetes sets for a service named postgres; set enableServiceLinks: false or give a port",
            );
            return 0;
        }
        self.number(NAME, 1, u16::MAX)
    }
}

fn encode(part: &str) -> String {
    utf8_percent_encode(part, RESERVED).to_string()
}

/// What to write instead of a URL that cannot name a PostgreSQL database.
fn postgres_problem(url: &str) -> Option<&'static str> {
    let rest = url
        .strip_prefix("postgres://")
        .or_else(|| url.strip_prefix("postgresql://"));
    let Some(rest) = rest.filter(|rest| !rest.is_empty()) else {
        return Some(
            "has an unknown form; give postgres://user:password@host:port/name or sqlite:path",
        );
    };
    if rest.contains(char::is_whitespace) {
        return Some("contains a space; write it as %20");
    }
    // A delimiter in the password ends the authority (RFC 3986 §3.2) before its `@`.
    let (authority, path) = rest
        .find(['/', '?', '#'])
        .map_or((rest, ""), |end| rest.split_at(end));
    let path = path.split('?').next().unwrap_or_default();
    if !authority.contains('@') && path.contains('@') || path.contains('#') {
        return Some(
            "contains a reserved character in the user or password; write / as %2F, ? as %3F, # as %23 and @ as %40",
        );
    }
    None
}

/// `sqlite:file`, `sqlite://file` (a third slash starts an absolute path), `sqlite::memory:`.
///
/// # Errors
/// What to write instead.
fn sqlite(location: &str) -> Result<Database, String> {
    let location = location.strip_prefix("//").unwrap_or(location);
    let (path, query) = location.split_once('?').unwrap_or((location, ""));
    let mut in_memory = path == ":memory:";
    for option in query.split('&').filter(|option| !option.is_empty()) {
        match option {
            "mode=memory" => in_memory = true,
            // What the server does anyway.
            "mode=rwc" | "cache=shared" | "cache=private" => {}
            _ => {
                return Err(format!(
                    "has the option {option:?}, which is not supported; give sqlite:path"
                ));
            }
        }
    }
    if in_memory {
        return Ok(Database::SqliteInMemory);
    }
    let path = percent_decode_str(path).decode_utf8().unwrap_or_default();
    if path.is_empty() || path.contains('\0') {
        return Err("names no SQLite file; give sqlite:path/to/file or sqlite::memory:".to_owned());
    }
    match unexpanded(&path) {
        Some(problem) => Err(problem.to_owned()),
        None => Ok(Database::Sqlite(PathBuf::from(path.as_ref()))),
    }
}
