//! Who takes part: each a private server with its stores, started once and restarted on demand.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use clap::ValueEnum;
use clap::builder::PossibleValue;
use nix::sys::signal::Signal;
use serde_json::Value;

use super::scenarios::Scenario;
use colloquy_harness::hosts::{Host, InstanceSpec, secret};
use colloquy_harness::processes::Processes;
use colloquy_harness::service::{Probe, Service, ServiceSpec};
use colloquy_harness::stack::{Backends, Launcher};
use colloquy_harness::{build, npm, ports};

/// How many users rooms are filled with.
const USERS: &str = "5000";

/// Ours, as deployed but for the throttle, which is what it would measure otherwise, and tokens
/// that last as long as the run.
const OURS: InstanceSpec = InstanceSpec {
    name: "bench",
    redis_proxy: "redis-http-bench",
    url_key: "base_url",
    settings: &[
        ("THROTTLE_RATE_SECONDS", "0"),
        ("ACCESS_TOKEN_SECONDS", "86400"),
        ("LOG_LEVEL", "info"),
    ],
};

/// One kind of server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// The local server on `SQLite`, cache in process.
    Sqlite,
    /// The local server on PostgreSQL, cache in Redis behind its proxy.
    Postgres,
    /// The Worker in workerd on the same.
    Edge,
    /// A bare broadcast server.
    Floor,
    /// Node with `ws` and `pg`.
    Node,
    /// A Durable Object in JavaScript that stores in itself.
    Object,
    /// The same, storing nothing.
    ObjectWithoutStore,
    /// The same, storing in PostgreSQL through Hyperdrive.
    ObjectOnPostgres,
    /// The same, storing there by the statement that ours send with.
    ObjectThatAppends,
}

impl Target {
    pub(crate) const ALL: [Self; 9] = [
        Self::Postgres,
        Self::Sqlite,
        Self::Edge,
        Self::Floor,
        Self::Node,
        Self::Object,
        Self::ObjectWithoutStore,
        Self::ObjectOnPostgres,
        Self::ObjectThatAppends,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
            Self::Edge => "edge",
            Self::Floor => "floor",
            Self::Node => "node",
            Self::Object => "durable-object",
            Self::ObjectWithoutStore => "durable-object-without-store",
            Self::ObjectOnPostgres => "durable-object-postgres",
            Self::ObjectThatAppends => "durable-object-append",
        }
    }

    /// What others are compared with.
    pub(crate) fn is_peer(self) -> bool {
        self.host().is_none()
    }

    /// Whether its rooms take anybody: it has no accounts.
    const fn is_open(self) -> bool {
        matches!(
            self,
            Self::Floor
                | Self::Object
                | Self::ObjectWithoutStore
                | Self::ObjectOnPostgres
                | Self::ObjectThatAppends
        )
    }

    /// Whether PostgreSQL works for it.
    const fn uses_postgres(self) -> bool {
        matches!(
            self,
            Self::Postgres
                | Self::Edge
                | Self::Node
                | Self::ObjectOnPostgres
                | Self::ObjectThatAppends
        )
    }

    const fn host(self) -> Option<Host> {
        match self {
            Self::Sqlite => Some(Host::Sqlite),
            Self::Postgres => Some(Host::Postgres),
            Self::Edge => Some(Host::Edge),
            _ => None,
        }
    }
}

/// By name on a command line.
impl ValueEnum for Target {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()))
    }
}

/// A kind of server, and what its sockets speak.
pub(crate) struct Contestant {
    pub(crate) target: Target,
    pub(crate) v2: bool,
}

impl Contestant {
    pub(crate) fn name(&self) -> String {
        let version = match (self.target.is_peer(), self.v2) {
            (true, _) => "",
            (false, false) => " v1",
            (false, true) => " v2",
        };
        format!("{}{version}", self.target.name())
    }
}

/// All of them, running.
pub(crate) struct Field<'a, 'run> {
    processes: &'run Processes,
    backends: &'a Backends<'run>,
    programs: &'a Path,
    running: Vec<Running<'run>>,
}

struct Running<'run> {
    target: Target,
    server: Service<'run>,
    redis_proxy: Option<Service<'run>>,
    /// Signs the tokens of those that have any.
    secret: String,
    /// Where the rows of ours are.
    database: String,
}

impl<'a, 'run> Field<'a, 'run> {
    pub(crate) fn start(
        processes: &'run Processes,
        backends: &'a Backends<'run>,
        programs: &'a Path,
        targets: &[Target],
    ) -> Result<Self> {
        let mut field = Self {
            processes,
            backends,
            programs,
            running: Vec::new(),
        };
        for target in targets {
            eprintln!("starting {}", target.name());
            let running = match target.host() {
                Some(host) => field.ours(*target, host)?,
                None => field.peer(*target)?,
            };
            field.running.push(running);
        }
        Ok(field)
    }

    /// Measures once.
    pub(crate) fn measure(
        &self,
        contestant: &Contestant,
        scenario: &Scenario,
        seconds: f64,
    ) -> Result<Value> {
        let running = self.running(contestant.target)?;
        let mut command = self.generator();
        command
            .args(scenario.arguments.split(' '))
            .args(["--address", &format!("127.0.0.1:{}", running.server.port())])
            .args(["--users", USERS])
            .env("SECRET_KEY", &running.secret)
            .env("DATABASE_URL", &running.database);
        if scenario.lengths > 0.0 {
            let length = seconds * scenario.lengths;
            command.args(["--seconds", &length.to_string()]);
        }
        if contestant.target.is_open() {
            command.args(["--kind", "open"]);
        }
        if contestant.v2 {
            command.arg("--v2");
        }
        for (name, service) in self.stack(running) {
            let pid = service
                .pid()
                .with_context(|| format!("{name} does not run"))?;
            command.arg("--tree").arg(format!("{name}={pid}"));
        }
        let answer = self.output(&mut command)?;
        serde_json::from_str(&answer).context("the load generator's answer")
    }

    /// Stops a server and starts it again, on the same data.
    pub(crate) fn restart(&mut self, target: Target) -> Result<()> {
        let mut running = self.running.iter_mut();
        let running = running.find(|running| running.target == target);
        let server = &mut running.context("not started")?.server;
        server.stop()?;
        server.start()
    }

    fn running(&self, target: Target) -> Result<&Running<'run>> {
        let mut running = self.running.iter();
        running
            .find(|running| running.target == target)
            .with_context(|| format!("{} was not started", target.name()))
    }

    /// Every server whose CPU time a delivery of this one costs; the server itself comes first.
    fn stack<'b>(&'b self, running: &'b Running<'run>) -> Vec<(&'static str, &'b Service<'run>)> {
        let mut stack = vec![("server", &running.server)];
        if running.target.uses_postgres() {
            stack.push(("postgres", &self.backends.postgres.service));
        }
        if let Some(redis_proxy) = &running.redis_proxy {
            stack.push(("redis-http", redis_proxy));
            stack.push(("redis", &self.backends.redis));
        }
        stack
    }

    fn ours(&self, target: Target, host: Host) -> Result<Running<'run>> {
        let launcher = Launcher::new(self.processes, host, self.programs, self.backends)?;
        let instance = launcher.start(OURS, 1, ports::free()?)?;
        let value = |name: &str| {
            let mut settings = instance.settings.iter();
            let found = settings.find(|(known, _)| known == name);
            found.map(|(_, value)| value.clone())
        };
        let database = match value("DATABASE_URL") {
            Some(url) => url,
            None => format!(
                "sqlite:{}/colloquy.sqlite3",
                value("DATA_DIR").unwrap_or_default()
            ),
        };
        let mut seed = self.generator();
        seed.args(["seed", "--users", USERS])
            .env("DATABASE_URL", &database);
        self.output(&mut seed)?;
        Ok(Running {
            target,
            database,
            secret: value("SECRET_KEY").unwrap_or_default(),
            server: instance.server,
            redis_proxy: instance.redis_proxy,
        })
    }

    fn peer(&self, target: Target) -> Result<Running<'run>> {
        let secret = secret()?;
        let port = ports::free()?;
        let mut environment = vec![("PORT".to_owned(), port.to_string())];
        let script = |path: &str| vec![colloquy_harness::root().join(path).display().to_string()];
        let database = |name: &str| {
            self.backends.postgres.create_database(name)?;
            anyhow::Ok(("DATABASE_URL".to_owned(), self.backends.postgres.url(name)))
        };
        let (program, arguments): (PathBuf, Vec<String>) = match target {
            Target::Floor => (self.programs.join("colloquy-bench-floor"), Vec::new()),
            Target::Node => {
                environment.extend([
                    database("node_peer")?,
                    ("SECRET_KEY".to_owned(), secret.clone()),
                    ("USERS".to_owned(), USERS.to_owned()),
                ]);
                (npm::node()?, script("bench/peers/node/server.mjs"))
            }
            Target::Object
            | Target::ObjectWithoutStore
            | Target::ObjectOnPostgres
            | Target::ObjectThatAppends => {
                let (store, base) = match target {
                    Target::ObjectWithoutStore => ("none", None),
                    Target::ObjectOnPostgres => ("insert", Some("object_peer")),
                    Target::ObjectThatAppends => ("append", Some("append_peer")),
                    _ => ("put", None),
                };
                environment.push(("STORE".to_owned(), store.to_owned()));
                environment.extend(base.map(database).transpose()?);
                (npm::node()?, script("bench/peers/durable-object/start.mjs"))
            }
            Target::Sqlite | Target::Postgres | Target::Edge => bail!("not a peer"),
        };
        let directory = self.processes.directory().join(target.name());
        std::fs::create_dir_all(&directory)?;
        environment.push(("TMPDIR".to_owned(), directory.display().to_string()));
        let plan = ServiceSpec {
            name: target.name(),
            program,
            arguments,
            environment,
            directory: directory.clone(),
            account: None,
            port,
            probe: Probe::LIVE,
            kill: Signal::SIGKILL,
        };
        let mut server = Service::new(self.processes, plan, &directory)?;
        server.start()?;
        Ok(Running {
            target,
            server,
            redis_proxy: None,
            secret,
            database: String::new(),
        })
    }

    fn generator(&self) -> Command {
        let mut command = Command::new(build::program_directory(true).join("colloquy-bench"));
        command.env_clear().current_dir(self.processes.directory());
        command
    }

    /// What a command that must succeed prints.
    fn output(&self, command: &mut Command) -> Result<String> {
        let piped = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = self.processes.spawn(piped, Signal::SIGTERM)?;
        let mut text = String::new();
        let mut output = process.stdout().context("no output")?;
        output.read_to_string(&mut text)?;
        let mut reason = String::new();
        if let Some(mut errors) = process.stderr() {
            errors.read_to_string(&mut reason)?;
        }
        if !process.wait()?.success() {
            bail!("{}", reason.trim().trim_start_matches("error: "));
        }
        Ok(text)
    }
}
