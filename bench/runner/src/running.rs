//! The running targets: each a private server with its stores, started once, restarted on demand.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use colloquy_harness::hosts::{Host, InstanceSpec, secret};
use colloquy_harness::processes::Processes;
use colloquy_harness::service::{Probe, Service, ServiceSpec};
use colloquy_harness::stack::{Backends, Launcher};
use colloquy_harness::{build, npm, ports};
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::scenarios::Scenario;
use crate::targets::{Subject, Target};

/// How many users are seeded to fill rooms with.
const USERS: &str = "5000";

/// Colloquy as deployed, but without the throttle and the budgets, which would limit the rates, and
/// with access tokens that outlive the run.
const COLLOQUY: InstanceSpec = InstanceSpec {
    name: "bench",
    redis_proxy: "redis-http-bench",
    url_key: "base_url",
    settings: &[
        ("THROTTLE_RATE_SECONDS", "0"),
        ("BUDGET_FACTOR", "0"),
        ("ACCESS_TOKEN_SECONDS", "86400"),
        ("LOG_LEVEL", "info"),
        // At the edge: the local copy of the platform's asset router adds 0.7 ms to every request.
        ("WORKER_ASSETS", ""),
    ],
};

pub(crate) struct RunningTargets<'a, 'run> {
    processes: &'run Processes,
    backends: &'a Backends<'run>,
    programs: &'a Path,
    running: Vec<RunningTarget<'run>>,
}

struct RunningTarget<'run> {
    target: Target,
    server: Service<'run>,
    redis_proxy: Option<Service<'run>>,
    /// Signs access tokens, where the target has accounts.
    secret: String,
    /// The URL of Colloquy's database.
    database: String,
}

impl<'a, 'run> RunningTargets<'a, 'run> {
    pub(crate) fn start(
        processes: &'run Processes,
        backends: &'a Backends<'run>,
        programs: &'a Path,
        targets: &[Target],
    ) -> Result<Self> {
        let mut all = Self {
            processes,
            backends,
            programs,
            running: Vec::new(),
        };
        for target in targets {
            eprintln!("starting {}", target.name());
            let running = match target.host() {
                Some(host) => all.start_colloquy(*target, host)?,
                None => all.start_baseline(*target)?,
            };
            all.running.push(running);
        }
        Ok(all)
    }

    /// Measures a subject once.
    pub(crate) fn measure(
        &self,
        subject: &Subject,
        scenario: &Scenario,
        seconds: f64,
    ) -> Result<Value> {
        let running = self.find(subject.target)?;
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
        if subject.target.is_open() {
            command.args(["--kind", "open"]);
        }
        if subject.v2 {
            command.arg("--v2");
        }
        for (name, service) in self.stack(running) {
            let pid = service
                .pid()
                .with_context(|| format!("{name} is not running"))?;
            command.arg("--tree").arg(format!("{name}={pid}"));
        }
        let output = self.output(&mut command)?;
        serde_json::from_str(&output).context("output of the load generator")
    }

    /// Stops a target's server and starts it again on the same data.
    pub(crate) fn restart(&mut self, target: Target) -> Result<()> {
        let mut running = self.running.iter_mut();
        let running = running.find(|running| running.target == target);
        let server = &mut running.context("not started")?.server;
        server.stop()?;
        server.start()
    }

    fn find(&self, target: Target) -> Result<&RunningTarget<'run>> {
        let mut running = self.running.iter();
        running
            .find(|running| running.target == target)
            .with_context(|| format!("{} was not started", target.name()))
    }

    /// The services whose CPU time counts; the server itself comes first.
    fn stack<'b>(
        &'b self,
        running: &'b RunningTarget<'run>,
    ) -> Vec<(&'static str, &'b Service<'run>)> {
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

    fn start_colloquy(&self, target: Target, host: Host) -> Result<RunningTarget<'run>> {
        let launcher = Launcher::new(self.processes, host, self.programs, self.backends)?;
        let instance = launcher.start(COLLOQUY, 1, ports::free()?)?;
        let database = instance.database_url();
        let mut settings = instance.settings.iter();
        let secret = settings.find(|(name, _)| name == "SECRET_KEY");
        let secret = secret.map(|(_, value)| value.clone());
        let mut seed = self.generator();
        seed.args(["seed", "--users", USERS])
            .env("DATABASE_URL", &database);
        self.output(&mut seed)?;
        Ok(RunningTarget {
            target,
            database,
            secret: secret.unwrap_or_default(),
            server: instance.server,
            redis_proxy: instance.redis_proxy,
        })
    }

    fn start_baseline(&self, target: Target) -> Result<RunningTarget<'run>> {
        let secret = secret()?;
        let port = ports::free()?;
        let mut environment = vec![("PORT".to_owned(), port.to_string())];
        let (program, arguments) = self.baseline_command(target, &secret, &mut environment)?;
        let directory = self.processes.directory().join(target.name());
        std::fs::create_dir_all(&directory)?;
        environment.push(("TMPDIR".to_owned(), directory.display().to_string()));
        let spec = ServiceSpec {
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
        let mut server = Service::new(self.processes, spec, &directory)?;
        server.start()?;
        Ok(RunningTarget {
            target,
            server,
            redis_proxy: None,
            secret,
            database: String::new(),
        })
    }

    /// The program of a baseline and its arguments; adds its settings to `environment`.
    fn baseline_command(
        &self,
        target: Target,
        secret: &str,
        environment: &mut Vec<(String, String)>,
    ) -> Result<(PathBuf, Vec<String>)> {
        let script = |path: &str| vec![colloquy_harness::root().join(path).display().to_string()];
        let database = |name: &str| {
            self.backends.postgres.create_database(name)?;
            anyhow::Ok(("DATABASE_URL".to_owned(), self.backends.postgres.url(name)))
        };
        let (store, name) = match target {
            Target::Baseline => {
                return Ok((self.programs.join("colloquy-bench-baseline"), Vec::new()));
            }
            Target::Node => {
                environment.extend([
                    database("node_baseline")?,
                    ("SECRET_KEY".to_owned(), secret.to_owned()),
                    ("USERS".to_owned(), USERS.to_owned()),
                ]);
                return Ok((npm::node()?, script("bench/baselines/node/server.mjs")));
            }
            Target::Object => ("put", None),
            Target::ObjectWithoutStore => ("none", None),
            Target::ObjectOnPostgres => ("insert", Some("object_baseline")),
            Target::ObjectThatAppends => ("append", Some("append_baseline")),
            Target::Sqlite | Target::Postgres | Target::Edge => bail!("not a baseline"),
        };
        environment.push(("STORE".to_owned(), store.to_owned()));
        environment.extend(name.map(database).transpose()?);
        let script = script("bench/baselines/durable-object/start.mjs");
        Ok((npm::node()?, script))
    }

    fn generator(&self) -> Command {
        let mut command = Command::new(build::program_directory(true).join("colloquy-bench"));
        command.env_clear().current_dir(self.processes.directory());
        command
    }

    /// The output of a command that must succeed.
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
