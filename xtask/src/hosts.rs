//! The two ways the server under test is run, and every setting it is given: the one place to add
//! a setting the black-box suite relies on.
//!
//! `sqlite` is what a newcomer gets from plain `cargo run`: everything inside one process.
//! `postgres` is the deployment: PostgreSQL, and Redis behind its HTTP front.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::Result;
use nix::sys::signal::Signal;

use crate::ports;
use crate::postgres::Cluster;
use crate::processes::Processes;
use crate::service::{Plan, Probe, Service};

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

/// What the server is told besides where its stores are.
const SETTINGS: &[(&str, &str)] = &[
    ("HOST", "127.0.0.1"),
    // The seed's throttle, which the suite measures.
    ("THROTTLE_RATE_SECONDS", "1"),
    // The whole suite comes from one address, which would soon be locked out.
    ("ATTEMPTS_PER_ADDRESS", "100000"),
    ("RUST_BACKTRACE", "1"),
];

/// Settings nobody outside the server is shown.
const SECRETS: &[&str] = &["SECRET_KEY", "DATABASE_URL", "UPSTASH_REDIS_REST_TOKEN"];

/// The servers one pass of the suite runs against. The shared ones, PostgreSQL and Redis, outlive
/// it; what is started for it ends with it.
pub(crate) struct Stack<'run> {
    pub(crate) host: Host,
    pub(crate) server: Service<'run>,
    pub(crate) redis_http: Option<Service<'run>>,
    pub(crate) settings: Vec<(String, String)>,
    pub(crate) logs: PathBuf,
}

impl<'run> Stack<'run> {
    /// Everything for `host` started, on fresh data. `programs` is where cargo put the binaries.
    pub(crate) fn start(
        processes: &'run Processes,
        host: Host,
        programs: &Path,
        shared: &Shared<'run>,
    ) -> Result<Self> {
        let directory = processes.directory().join(host.name());
        let logs = directory.join("logs");
        fs::create_dir_all(&logs)?;
        fs::create_dir_all(directory.join("data"))?;
        let port = ports::free()?;
        let mut settings = common(&directory, &logs, port)?;
        let mut redis_http = None;
        if host == Host::Postgres {
            let token = secret()?;
            let front = start_redis_http(processes, programs, &logs, shared, &token)?;
            shared.cluster.create_database("colloquy")?;
            set(
                &mut settings,
                "DATABASE_URL",
                shared.cluster.url("colloquy"),
            );
            let address = format!("http://127.0.0.1:{}", front.port());
            set(&mut settings, "UPSTASH_REDIS_REST_URL", address);
            set(&mut settings, "UPSTASH_REDIS_REST_TOKEN", token);
            redis_http = Some(front);
        }
        let plan = Plan {
            name: "server",
            program: programs.join("colloquy-local-server"),
            arguments: Vec::new(),
            environment: settings.clone(),
            // Not the repository: a developer's `.env` there must not be read.
            directory,
            account: None,
            port,
            probe: probe("GET", "/health/live/", String::new(), ""),
            kill: Signal::SIGKILL,
        };
        let mut server = Service::new(processes, plan, &logs)?;
        if host == Host::Postgres {
            server.run_once(&["migrate"])?;
        }
        server.start()?;
        Ok(Self {
            host,
            server,
            redis_http,
            settings,
            logs,
        })
    }

    pub(crate) fn base_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.server.port())
    }

    /// The settings that may be shown.
    pub(crate) fn public_settings(&self) -> impl Iterator<Item = &(String, String)> {
        self.settings
            .iter()
            .filter(|(name, _)| !SECRETS.contains(&name.as_str()))
    }
}

/// The servers every part of a run shares.
pub(crate) struct Shared<'run> {
    pub(crate) cluster: Cluster<'run>,
    pub(crate) redis: Service<'run>,
}

impl<'run> Shared<'run> {
    pub(crate) fn start(processes: &'run Processes) -> Result<Self> {
        Ok(Self {
            cluster: Cluster::start(processes)?,
            redis: crate::redis::start(processes)?,
        })
    }

    pub(crate) fn redis_url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.redis.port())
    }
}

fn common(directory: &Path, logs: &Path, port: u16) -> Result<Vec<(String, String)>> {
    let mut settings: Vec<(String, String)> = SETTINGS
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    set(&mut settings, "PORT", port.to_string());
    set(
        &mut settings,
        "DATA_DIR",
        directory.join("data").display().to_string(),
    );
    set(&mut settings, "LOG_DIR", logs.display().to_string());
    set(&mut settings, "SECRET_KEY", secret()?);
    Ok(settings)
}

fn start_redis_http<'run>(
    processes: &'run Processes,
    programs: &Path,
    logs: &Path,
    shared: &Shared<'run>,
    token: &str,
) -> Result<Service<'run>> {
    let port = ports::free()?;
    let mut environment = Vec::new();
    set(&mut environment, "HOST", "127.0.0.1".to_owned());
    set(&mut environment, "PORT", port.to_string());
    set(&mut environment, "REDIS_URL", shared.redis_url());
    set(&mut environment, "TOKEN", token.to_owned());
    let headers = format!("Authorization: Bearer {token}\r\n");
    let plan = Plan {
        name: "redis-http",
        program: programs.join("colloquy-redis-http"),
        arguments: Vec::new(),
        environment,
        directory: logs.to_path_buf(),
        account: None,
        port,
        probe: probe("POST", "/", headers, r#"["PING"]"#),
        kill: Signal::SIGKILL,
    };
    let mut service = Service::new(processes, plan, logs)?;
    service.start()?;
    Ok(service)
}

fn probe(method: &'static str, path: &'static str, headers: String, body: &'static str) -> Probe {
    Probe::Http {
        method,
        path,
        headers,
        body,
    }
}

fn set(settings: &mut Vec<(String, String)>, name: &str, value: String) {
    settings.push((name.to_owned(), value));
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
        let settings = common(Path::new("d"), Path::new("l"), 1).unwrap();
        let mut names: Vec<&str> = settings.iter().map(|(name, _)| name.as_str()).collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
    }
}
