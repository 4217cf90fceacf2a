//! Starts the servers that tests and benchmarks talk to: the shared backends and, per host, the
//! instance under test with its extra instances.
//!
//! Which instances there are and their settings is defined in `hosts`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use nix::sys::signal::Signal;

use crate::hosts::{ATTACKED, Host, InstanceSpec, SECOND, SETTINGS, TORTURE, UNDER_TEST, secret};
use crate::postgres::Cluster;
use crate::processes::Processes;
use crate::service::{Probe, Service, ServiceSpec};
use crate::{npm, ports};

/// The database of the attacked instance, after those of the torture run. Redis has databases 0 to
/// 15 by default; this one keeps the native and the edge's apart, too.
const ATTACKED_DATABASE: usize = 0;

/// A setting's name and value.
pub type Setting = (String, String);

/// The script that runs the Worker, relative to the root.
const WORKER_SCRIPT: &str = "worker/dev/start.mjs";

/// The first Redis database of the edge, so that it shares none with another host.
const FIRST_EDGE_DATABASE: usize = 8;

/// The first database of the torture run, after those of a host's other instances.
const FIRST_TORTURE_DATABASE: usize = 6;

/// The backends that all hosts of a run share.
pub struct Backends<'run> {
    /// The PostgreSQL cluster; every instance has a database of its own.
    pub postgres: Cluster<'run>,
    /// The Redis server; every instance has a numbered database of its own.
    pub redis: Service<'run>,
}

impl<'run> Backends<'run> {
    /// Starts both, and installs them first where they are missing.
    pub fn start(processes: &'run Processes) -> Result<Self> {
        Ok(Self {
            postgres: Cluster::start(processes)?,
            redis: crate::redis::start(processes)?,
        })
    }

    /// The URL of a numbered Redis database.
    pub fn redis_url(&self, database: usize) -> String {
        format!("redis://127.0.0.1:{}/{database}", self.redis.port())
    }
}

/// The instances of one host, on fresh data. Dropping it ends them; the backends keep running.
pub struct Stack<'run> {
    /// The host all of its instances run.
    pub host: Host,
    /// The instance suites stop and kill.
    pub under_test: Instance<'run>,
    /// Instances with other settings.
    pub extra_instances: Vec<Instance<'run>>,
}

/// One running chat server.
pub struct Instance<'run> {
    /// How it was started.
    pub spec: InstanceSpec,
    /// The server process.
    pub server: Service<'run>,
    /// Its Redis proxy, on a host with backends.
    pub redis_proxy: Option<Service<'run>>,
    /// All of its settings.
    pub settings: Vec<Setting>,
    /// The local server's program on the same data, for an operator's commands. Never started as a
    /// server.
    pub operator: Service<'run>,
    /// The password of every administrator that `operator` creates.
    pub admin_password: String,
}

impl<'run> Stack<'run> {
    /// Starts all instances of `host`. `programs` is the directory with the native programs.
    pub fn start(
        processes: &'run Processes,
        host: Host,
        programs: &Path,
        backends: &Backends<'run>,
    ) -> Result<Self> {
        let launcher = Launcher::new(processes, host, programs, backends)?;
        let under_test = launcher.start(UNDER_TEST, 1, ports::free()?)?;
        let mut extra_instances = Vec::new();
        for (index, spec) in host.extra_instances().enumerate() {
            extra_instances.push(launcher.start(spec, index + 2, ports::free()?)?);
        }
        if host == Host::Edge {
            extra_instances.push(launcher.start_second(SECOND, &under_test)?);
        }
        Ok(Self {
            host,
            under_test,
            extra_instances,
        })
    }

    /// Starts the instances of the torture run, on databases that [`Self::start`] does not use.
    pub fn start_for_torture(
        processes: &'run Processes,
        host: Host,
        programs: &Path,
        backends: &Backends<'run>,
    ) -> Result<Self> {
        let launcher = Launcher::new(processes, host, programs, backends)?;
        let [first, throttled] = TORTURE;
        Ok(Self {
            host,
            under_test: launcher.start(first, FIRST_TORTURE_DATABASE, ports::free()?)?,
            extra_instances: vec![launcher.start(
                throttled,
                FIRST_TORTURE_DATABASE + 1,
                ports::free()?,
            )?],
        })
    }

    /// Starts the instance under attack, on a database of its own.
    pub fn start_for_attack(
        processes: &'run Processes,
        host: Host,
        programs: &Path,
        backends: &Backends<'run>,
    ) -> Result<Self> {
        let launcher = Launcher::new(processes, host, programs, backends)?;
        Ok(Self {
            host,
            under_test: launcher.start(ATTACKED, ATTACKED_DATABASE, ports::free()?)?,
            extra_instances: Vec::new(),
        })
    }

    /// Every server process and every Redis proxy of this stack.
    pub fn services(&self) -> impl Iterator<Item = &Service<'run>> {
        std::iter::once(&self.under_test)
            .chain(&self.extra_instances)
            .flat_map(|instance| std::iter::once(&instance.server).chain(&instance.redis_proxy))
    }
}

impl Instance<'_> {
    /// The URL clients use, without a trailing slash.
    pub fn base_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.server.port())
    }

    /// The URL of its database: `postgres://…` or `sqlite:path`.
    pub fn database_url(&self) -> String {
        let value_of = |wanted: &str| {
            let setting = self.settings.iter().find(|(name, _)| name == wanted);
            setting.map(|(_, value)| value.clone())
        };
        value_of("DATABASE_URL").unwrap_or_else(|| {
            let directory = value_of("DATA_DIR").unwrap_or_default();
            format!("sqlite:{directory}/colloquy.sqlite3")
        })
    }
}

/// Starts instances of one host.
pub struct Launcher<'a, 'run> {
    processes: &'run Processes,
    host: Host,
    programs: &'a Path,
    backends: &'a Backends<'run>,
    directory: PathBuf,
    /// The directory of their logs.
    pub logs: PathBuf,
}

impl<'a, 'run> Launcher<'a, 'run> {
    /// Prepares the directories of `host`; starts nothing.
    pub fn new(
        processes: &'run Processes,
        host: Host,
        programs: &'a Path,
        backends: &'a Backends<'run>,
    ) -> Result<Self> {
        let directory = processes.directory().join(host.name());
        let logs = directory.join("logs");
        fs::create_dir_all(&logs)?;
        Ok(Self {
            processes,
            host,
            programs,
            backends,
            directory,
            logs,
        })
    }

    /// Starts an instance. `number` distinguishes its databases from those of the host's other
    /// instances.
    pub fn start(&self, spec: InstanceSpec, number: usize, port: u16) -> Result<Instance<'run>> {
        let mut settings: Vec<Setting> = SETTINGS
            .iter()
            .chain(self.host.settings())
            .chain(spec.settings)
            .map(|(name, value)| setting(name, *value))
            .collect();
        settings.push(setting("SECRET_KEY", secret()?));
        let mut redis_proxy = None;
        if self.host.has_backends() {
            let token = secret()?;
            let started = self.start_redis_proxy(spec, number, &token)?;
            let database = format!("{}_{number}", self.host.name());
            self.backends.postgres.create_database(&database)?;
            let redis_proxy_url = format!("http://127.0.0.1:{}", started.port());
            settings.extend([
                setting("DATABASE_URL", self.backends.postgres.url(&database)),
                setting("UPSTASH_REDIS_REST_URL", redis_proxy_url),
                setting("UPSTASH_REDIS_REST_TOKEN", token),
            ]);
            redis_proxy = Some(started);
        }
        let location = self.location(spec, port)?;
        settings.extend(location.settings());
        if self.host.has_backends() {
            // At the edge too: the Worker does not run migrations.
            self.native(&location, settings.clone())?
                .run_once(&["migrate"])?;
        }
        self.serve(spec, &location, redis_proxy, settings)
    }

    /// Starts an instance on the databases of `first`, with the same settings except its own port and
    /// directories.
    fn start_second(&self, spec: InstanceSpec, first: &Instance<'_>) -> Result<Instance<'run>> {
        let location = self.location(spec, ports::free()?)?;
        let own = location.settings();
        let mut settings = first.settings.clone();
        settings.retain(|(name, _)| own.iter().all(|(other, _)| other != name));
        settings.extend(own);
        self.serve(spec, &location, None, settings)
    }

    fn serve(
        &self,
        spec: InstanceSpec,
        location: &InstanceLocation,
        redis_proxy: Option<Service<'run>>,
        settings: Vec<Setting>,
    ) -> Result<Instance<'run>> {
        let mut server = match self.host {
            Host::Edge => self.edge(location, settings.clone())?,
            Host::Sqlite | Host::Postgres => self.native(location, settings.clone())?,
        };
        server.start()?;
        let admin_password = secret()?;
        let mut operator_settings = settings.clone();
        operator_settings.push(setting("COLLOQUY_ADMIN_PASSWORD", &*admin_password));
        Ok(Instance {
            spec,
            server,
            redis_proxy,
            settings,
            // At the edge too: the Worker has no command line.
            operator: self.native(location, operator_settings)?,
            admin_password,
        })
    }

    fn location(&self, spec: InstanceSpec, port: u16) -> Result<InstanceLocation> {
        // Outside the repository, so that a developer's `.env` is not read.
        let directory = self.directory.join(spec.name);
        fs::create_dir_all(directory.join("data"))?;
        Ok(InstanceLocation {
            name: spec.name,
            directory,
            port,
        })
    }

    /// The local server.
    fn native(
        &self,
        location: &InstanceLocation,
        environment: Vec<Setting>,
    ) -> Result<Service<'run>> {
        let program = self.programs.join("colloquy-local-server");
        let service_spec = location.service_spec(program, Vec::new(), environment);
        Service::new(self.processes, service_spec, &self.logs)
    }

    /// The Worker in workerd, which a Node.js script starts.
    fn edge(
        &self,
        location: &InstanceLocation,
        mut environment: Vec<Setting>,
    ) -> Result<Service<'run>> {
        // Durable Object storage outlives the runtime, as on the platform.
        let objects = location.directory.join("objects").display().to_string();
        let script = crate::root().join(WORKER_SCRIPT).display().to_string();
        // Temporary files of a killed workerd are removed with the run.
        let scratch = location.directory.join("tmp");
        fs::create_dir_all(&scratch)?;
        environment.push(setting("TMPDIR", scratch.display().to_string()));
        let arguments = vec![script, "--persist".to_owned(), objects];
        let service_spec = location.service_spec(npm::node()?, arguments, environment);
        Service::new(self.processes, service_spec, &self.logs)
    }

    fn start_redis_proxy(
        &self,
        spec: InstanceSpec,
        number: usize,
        token: &str,
    ) -> Result<Service<'run>> {
        let port = ports::free()?;
        let first = if self.host == Host::Edge {
            FIRST_EDGE_DATABASE
        } else {
            0
        };
        let number = first + number;
        let service_spec = ServiceSpec {
            name: spec.redis_proxy,
            program: self.programs.join("colloquy-redis-http"),
            arguments: Vec::new(),
            environment: vec![
                setting("HOST", "127.0.0.1"),
                setting("PORT", port.to_string()),
                setting("REDIS_URL", self.backends.redis_url(number)),
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
        let mut service = Service::new(self.processes, service_spec, &self.logs)?;
        service.start()?;
        Ok(service)
    }
}

/// The name, directory and port of one instance.
struct InstanceLocation {
    name: &'static str,
    directory: PathBuf,
    port: u16,
}

impl InstanceLocation {
    fn settings(&self) -> [Setting; 3] {
        let subdirectory = |name: &str| self.directory.join(name).display().to_string();
        [
            setting("PORT", self.port.to_string()),
            setting("DATA_DIR", subdirectory("data")),
            setting("LOG_DIR", subdirectory("logs")),
        ]
    }

    fn service_spec(
        &self,
        program: PathBuf,
        arguments: Vec<String>,
        environment: Vec<Setting>,
    ) -> ServiceSpec {
        ServiceSpec {
            name: self.name,
            program,
            arguments,
            environment,
            directory: self.directory.clone(),
            account: None,
            port: self.port,
            probe: Probe::LIVE,
            kill: Signal::SIGKILL,
        }
    }
}

fn setting(name: &str, value: impl Into<String>) -> Setting {
    (name.to_owned(), value.into())
}
