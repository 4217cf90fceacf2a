//! Starts what a run's tests talk to: the servers every part shares, and on top of them, per host,
//! the server under test with the ones beside it.
//!
//! Which there are and what they are told is in `hosts`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use nix::sys::signal::Signal;

use crate::hosts::{Host, SECOND, SETTINGS, TORTURE, UNDER_TEST, Variant, secret};
use crate::postgres::Cluster;
use crate::processes::Processes;
use crate::service::{Plan, Probe, Service};
use crate::{npm, ports};

type Setting = (String, String);

/// What runs the Worker, from the root.
const EDGE: &str = "worker/dev/start.mjs";

/// Where the edge's numbers in Redis begin, so that its servers find nothing of another host's.
const EDGE_NUMBERS: usize = 8;

/// Where the torture run's databases begin: behind those of every other server of a host.
const TORTURE_NUMBER: usize = 6;

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
}

/// One server with what only it uses.
pub(crate) struct Member<'run> {
    pub(crate) variant: Variant,
    pub(crate) server: Service<'run>,
    pub(crate) front: Option<Service<'run>>,
    pub(crate) settings: Vec<Setting>,
    /// The native program on the same data, for what an operator does by hand. Never started.
    pub(crate) operator: Service<'run>,
    /// Of every administrator that is made by it.
    pub(crate) admin_password: String,
}

impl<'run> Stack<'run> {
    /// Everything for `host`. `programs` is where cargo put the binaries.
    pub(crate) fn start(
        processes: &'run Processes,
        host: Host,
        programs: &Path,
        shared: &Shared<'run>,
    ) -> Result<Self> {
        let ground = Ground::new(processes, host, programs, shared)?;
        let under_test = ground.start(UNDER_TEST, 1, ports::free()?)?;
        let mut beside = Vec::new();
        for (index, variant) in host.beside().enumerate() {
            beside.push(ground.start(variant, index + 2, ports::free()?)?);
        }
        if host == Host::Edge {
            beside.push(ground.start_second(SECOND, &under_test)?);
        }
        Ok(Self {
            host,
            under_test,
            beside,
        })
    }

    /// What the torture run needs of `host`, beside what [`Self::start`] may have left behind.
    pub(crate) fn of_torture(
        processes: &'run Processes,
        host: Host,
        programs: &Path,
        shared: &Shared<'run>,
    ) -> Result<Self> {
        let ground = Ground::new(processes, host, programs, shared)?;
        let [first, throttled] = TORTURE;
        Ok(Self {
            host,
            under_test: ground.start(first, TORTURE_NUMBER, ports::free()?)?,
            beside: vec![ground.start(throttled, TORTURE_NUMBER + 1, ports::free()?)?],
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

    /// The database it was given: `postgres://…` or `sqlite:path`.
    pub(crate) fn database_url(&self) -> String {
        let given = |wanted: &str| {
            let setting = self.settings.iter().find(|(name, _)| name == wanted);
            setting.map(|(_, value)| value.clone())
        };
        given("DATABASE_URL").unwrap_or_else(|| {
            let directory = given("DATA_DIR").unwrap_or_default();
            format!("sqlite:{directory}/colloquy.sqlite3")
        })
    }
}

/// What the members of a stack have in common while they are started.
pub(crate) struct Ground<'a, 'run> {
    processes: &'run Processes,
    host: Host,
    programs: &'a Path,
    shared: &'a Shared<'run>,
    directory: PathBuf,
    pub(crate) logs: PathBuf,
}

impl<'a, 'run> Ground<'a, 'run> {
    /// Where the servers of `host` are to stand; none is started.
    pub(crate) fn new(
        processes: &'run Processes,
        host: Host,
        programs: &'a Path,
        shared: &'a Shared<'run>,
    ) -> Result<Self> {
        let directory = processes.directory().join(host.name());
        let logs = directory.join("logs");
        fs::create_dir_all(&logs)?;
        Ok(Self {
            processes,
            host,
            programs,
            shared,
            directory,
            logs,
        })
    }

    /// One server, running. `number` tells its databases from those of the host's others.
    pub(crate) fn start(&self, variant: Variant, number: usize, port: u16) -> Result<Member<'run>> {
        let mut settings: Vec<Setting> = SETTINGS
            .iter()
            .chain(self.host.settings())
            .chain(variant.settings)
            .map(|(name, value)| setting(name, *value))
            .collect();
        settings.push(setting("SECRET_KEY", secret()?));
        let mut front = None;
        if self.host.has_stores() {
            let token = secret()?;
            let started = self.start_front(variant, number, &token)?;
            let database = format!("{}_{number}", self.host.name());
            self.shared.cluster.create_database(&database)?;
            let front_url = format!("http://127.0.0.1:{}", started.port());
            settings.extend([
                setting("DATABASE_URL", self.shared.cluster.url(&database)),
                setting("UPSTASH_REDIS_REST_URL", front_url),
                setting("UPSTASH_REDIS_REST_TOKEN", token),
            ]);
            front = Some(started);
        }
        let place = self.place(variant, port)?;
        settings.extend(place.settings());
        if self.host.has_stores() {
            // Always the native program's: the Worker makes no tables.
            self.native(&place, settings.clone())?
                .run_once(&["migrate"])?;
        }
        self.serve(variant, &place, front, settings)
    }

    /// A server on the stores of `first`, which keeps them: with the same settings but its place.
    fn start_second(&self, variant: Variant, first: &Member<'_>) -> Result<Member<'run>> {
        let place = self.place(variant, ports::free()?)?;
        let own = place.settings();
        let mut settings = first.settings.clone();
        settings.retain(|(name, _)| own.iter().all(|(other, _)| other != name));
        settings.extend(own);
        self.serve(variant, &place, None, settings)
    }

    fn serve(
        &self,
        variant: Variant,
        place: &Place,
        front: Option<Service<'run>>,
        settings: Vec<Setting>,
    ) -> Result<Member<'run>> {
        let mut server = match self.host {
            Host::Edge => self.edge(place, settings.clone())?,
            Host::Sqlite | Host::Postgres => self.native(place, settings.clone())?,
        };
        server.start()?;
        let admin_password = secret()?;
        let mut by_hand = settings.clone();
        by_hand.push(setting("COLLOQUY_ADMIN_PASSWORD", &*admin_password));
        Ok(Member {
            variant,
            server,
            front,
            settings,
            // Also at the edge: the Worker has no command line.
            operator: self.native(place, by_hand)?,
            admin_password,
        })
    }

    fn place(&self, variant: Variant, port: u16) -> Result<Place> {
        // Not the repository: a developer's `.env` there must not be read.
        let directory = self.directory.join(variant.server);
        fs::create_dir_all(directory.join("data"))?;
        Ok(Place {
            name: variant.server,
            directory,
            port,
        })
    }

    /// The local server.
    fn native(&self, place: &Place, environment: Vec<Setting>) -> Result<Service<'run>> {
        let program = self.programs.join("colloquy-local-server");
        let plan = place.plan(program, Vec::new(), environment);
        Service::new(self.processes, plan, &self.logs)
    }

    /// The Worker in workerd, which Node.js starts and ends.
    fn edge(&self, place: &Place, mut environment: Vec<Setting>) -> Result<Service<'run>> {
        // The objects' storage outlives the runtime, like the platform's.
        let objects = place.directory.join("objects").display().to_string();
        let script = crate::root().join(EDGE).display().to_string();
        // What the simulator leaves behind when it is killed goes with the run.
        let scratch = place.directory.join("tmp");
        fs::create_dir_all(&scratch)?;
        environment.push(setting("TMPDIR", scratch.display().to_string()));
        let arguments = vec![script, "--persist".to_owned(), objects];
        let plan = place.plan(npm::node()?, arguments, environment);
        Service::new(self.processes, plan, &self.logs)
    }

    fn start_front(&self, variant: Variant, number: usize, token: &str) -> Result<Service<'run>> {
        let port = ports::free()?;
        let numbers = if self.host == Host::Edge {
            EDGE_NUMBERS
        } else {
            0
        };
        let number = number + numbers;
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

/// Where one server stands.
struct Place {
    name: &'static str,
    directory: PathBuf,
    port: u16,
}

impl Place {
    fn settings(&self) -> [Setting; 3] {
        let below = |name: &str| self.directory.join(name).display().to_string();
        [
            setting("PORT", self.port.to_string()),
            setting("DATA_DIR", below("data")),
            setting("LOG_DIR", below("logs")),
        ]
    }

    fn plan(&self, program: PathBuf, arguments: Vec<String>, environment: Vec<Setting>) -> Plan {
        Plan {
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
