//! Starts what a run's tests talk to: the servers every part shares, and on top of them, per host,
//! the server under test with the ones beside it.
//!
//! Which there are and what they are told is in `hosts`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use nix::sys::signal::Signal;

use crate::hosts::{BESIDE, Host, SETTINGS, UNDER_TEST, Variant, secret};
use crate::ports;
use crate::postgres::Cluster;
use crate::processes::Processes;
use crate::service::{Plan, Probe, Service};

type Setting = (String, String);

/// The servers every part of a run shares.
pub(crate) struct Shared<'run> {
    pub(crate) cluster: Cluster<'run>,
    pub(crate) redis: Service<'run>,
}

impl<'run> Shared<'run> {
    /// Both, installed where missing.
    pub(crate) fn start(processes: &'run Processes) -> Result<Self> {
        Ok(Self {
            cluster: Cluster::start(processes)?,
            redis: crate::redis::start(processes)?,
        })
    }

    /// The address of one of Redis's numbered databases.
    pub(crate) fn redis_url(&self, database: usize) -> String {
        format!("redis://127.0.0.1:{}/{database}", self.redis.port())
    }
}

/// The servers the suite runs against on one host, on fresh data. They end with it; the shared
/// ones outlive it.
pub(crate) struct Stack<'run> {
    pub(crate) host: Host,
    pub(crate) under_test: Member<'run>,
    pub(crate) beside: Vec<Member<'run>>,
    pub(crate) logs: PathBuf,
}

/// One server with what only it uses.
pub(crate) struct Member<'run> {
    pub(crate) variant: Variant,
    pub(crate) server: Service<'run>,
    pub(crate) front: Option<Service<'run>>,
    pub(crate) settings: Vec<Setting>,
}

impl<'run> Stack<'run> {
    /// Everything for `host`. `programs` is where cargo put the binaries.
    pub(crate) fn start(
        processes: &'run Processes,
        host: Host,
        programs: &Path,
        shared: &Shared<'run>,
    ) -> Result<Self> {
        let directory = processes.directory().join(host.name());
        let logs = directory.join("logs");
        fs::create_dir_all(&logs)?;
        let ground = Ground {
            processes,
            host,
            programs,
            shared,
            directory,
            logs,
        };
        let under_test = ground.start(UNDER_TEST, 1)?;
        let beside = BESIDE
            .iter()
            .enumerate()
            .map(|(index, variant)| ground.start(*variant, index + 2))
            .collect::<Result<_>>()?;
        Ok(Self {
            host,
            under_test,
            beside,
            logs: ground.logs,
        })
    }

    /// Every server of this host and every front.
    pub(crate) fn services(&self) -> impl Iterator<Item = &Service<'run>> {
        std::iter::once(&self.under_test)
            .chain(&self.beside)
            .flat_map(|member| std::iter::once(&member.server).chain(&member.front))
    }
}

impl Member<'_> {
    pub(crate) fn base_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.server.port())
    }
}

/// What the members of a stack have in common while they are started.
struct Ground<'a, 'run> {
    processes: &'run Processes,
    host: Host,
    programs: &'a Path,
    shared: &'a Shared<'run>,
    directory: PathBuf,
    logs: PathBuf,
}

impl<'run> Ground<'_, 'run> {
    /// One server, running. `number` is the Redis database that is its alone.
    fn start(&self, variant: Variant, number: usize) -> Result<Member<'run>> {
        let directory = self.directory.join(variant.server);
        fs::create_dir_all(directory.join("data"))?;
        let port = ports::free()?;
        let mut settings: Vec<Setting> = SETTINGS
            .iter()
            .chain(variant.settings)
            .map(|(name, value)| setting(name, *value))
            .collect();
        settings.extend([
            setting("PORT", port.to_string()),
            setting("DATA_DIR", directory.join("data").display().to_string()),
            setting("LOG_DIR", directory.join("logs").display().to_string()),
            setting("SECRET_KEY", secret()?),
        ]);
        let mut front = None;
        if self.host == Host::Postgres {
            let token = secret()?;
            let started = self.start_front(variant, number, &token)?;
            let database = format!("colloquy_{number}");
            self.shared.cluster.create_database(&database)?;
            let front_url = format!("http://127.0.0.1:{}", started.port());
            settings.extend([
                setting("DATABASE_URL", self.shared.cluster.url(&database)),
                setting("UPSTASH_REDIS_REST_URL", front_url),
                setting("UPSTASH_REDIS_REST_TOKEN", token),
            ]);
            front = Some(started);
        }
        let mut server = self.server(variant, port, directory, settings.clone())?;
        if self.host == Host::Postgres {
            server.run_once(&["migrate"])?;
        }
        server.start()?;
        Ok(Member {
            variant,
            server,
            front,
            settings,
        })
    }

    fn server(
        &self,
        variant: Variant,
        port: u16,
        // Not the repository: a developer's `.env` there must not be read.
        directory: PathBuf,
        environment: Vec<Setting>,
    ) -> Result<Service<'run>> {
        let plan = Plan {
            name: variant.server,
            program: self.programs.join("colloquy-local-server"),
            arguments: Vec::new(),
            environment,
            directory,
            account: None,
            port,
            probe: Probe::Http {
                method: "GET",
                path: "/health/live/",
                headers: String::new(),
                body: "",
            },
            kill: Signal::SIGKILL,
        };
        Service::new(self.processes, plan, &self.logs)
    }

    fn start_front(&self, variant: Variant, number: usize, token: &str) -> Result<Service<'run>> {
        let port = ports::free()?;
        let plan = Plan {
            name: variant.front,
            program: self.programs.join("colloquy-redis-http"),
            arguments: Vec::new(),
            environment: vec![
                setting("HOST", "127.0.0.1"),
                setting("PORT", port.to_string()),
                setting("REDIS_URL", self.shared.redis_url(number)),
                setting("REDIS_HTTP_TOKEN", token),
            ],
            directory: self.logs.clone(),
            account: None,
            port,
            probe: Probe::Http {
                method: "POST",
                path: "/",
                headers: format!(
                    "Authorization: Bearer {token}\r\nContent-Type: application/json\r\n"
                ),
                body: r#"["PING"]"#,
            },
            kill: Signal::SIGKILL,
        };
        let mut service = Service::new(self.processes, plan, &self.logs)?;
        service.start()?;
        Ok(service)
    }
}

fn setting(name: &str, value: impl Into<String>) -> Setting {
    (name.to_owned(), value.into())
}
