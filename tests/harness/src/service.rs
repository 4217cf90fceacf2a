//! One private server process: start, probe, stop, kill, and start again on the same port and data.
//!
//! A [`ServiceSpec`] describes what is started; `postgres`, `redis` and `stack` make those.

use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use nix::sys::signal::Signal;

use crate::http;
use crate::processes::{Process, Processes};

/// How long a server may take until its probe succeeds.
const START_TIMEOUT: Duration = Duration::from_mins(1);
/// How long a server may take to end and to close its port.
const STOP_TIMEOUT: Duration = Duration::from_secs(30);
const POLL_INTERVAL: Duration = Duration::from_millis(25);

/// How a server is started, probed and killed.
pub struct ServiceSpec {
    /// The name in reports and of the log file.
    pub name: &'static str,
    /// The executable.
    pub program: PathBuf,
    /// Its command line arguments.
    pub arguments: Vec<String>,
    /// The whole environment. Nothing is inherited, so that no server of a developer is reached.
    pub environment: Vec<(String, String)>,
    /// The working directory.
    pub directory: PathBuf,
    /// User and group id it runs under, if not those of this run.
    pub account: Option<(u32, u32)>,
    /// The loopback port it listens on.
    pub port: u16,
    /// How to find out that it is ready.
    pub probe: Probe,
    /// The signal that ends it at once, without a graceful shutdown.
    pub kill: Signal,
}

/// A readiness probe.
pub enum Probe {
    /// An HTTP request; ready when the status is 200.
    Http {
        /// The method, such as `GET`.
        method: &'static str,
        /// The path, such as `/health/live/`.
        path: &'static str,
        /// Header lines, each with its line end.
        headers: String,
        /// The body.
        body: &'static str,
    },
    /// A Redis `PING`; ready on `PONG`.
    Redis,
    /// A program and its arguments; ready when it exits with 0.
    Program(PathBuf, Vec<String>),
}

impl Probe {
    /// The liveness endpoint of Colloquy and of the benchmark's other servers.
    pub const LIVE: Self = Self::Http {
        method: "GET",
        path: "/health/live/",
        headers: String::new(),
        body: "",
    };
}

/// A server process owned by this run.
pub struct Service<'run> {
    processes: &'run Processes,
    spec: ServiceSpec,
    log: PathBuf,
    process: Option<Process>,
}

impl<'run> Service<'run> {
    /// Describes a server without starting it. Its output goes to a file in `logs`.
    pub fn new(processes: &'run Processes, spec: ServiceSpec, logs: &Path) -> Result<Self> {
        fs::create_dir_all(logs)?;
        let log = logs.join(format!("{}.log", spec.name));
        Ok(Self {
            processes,
            spec,
            log,
            process: None,
        })
    }

    /// The name in reports.
    pub fn name(&self) -> &'static str {
        self.spec.name
    }

    /// The loopback port it listens on.
    pub fn port(&self) -> u16 {
        self.spec.port
    }

    /// Its log file.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Starts it unless it is running, and waits until it is ready.
    pub fn start(&mut self) -> Result<()> {
        if self.is_running() {
            return Ok(());
        }
        self.process = None;
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.log)?;
        let mut process = self
            .processes
            .spawn(&mut self.command(&log)?, self.spec.kill)?;
        let deadline = Instant::now() + START_TIMEOUT;
        let name = self.spec.name;
        loop {
            if !process.is_running() {
                bail!(
                    "{name} ended while starting ({}):\n{}",
                    process.wait()?,
                    self.tail(40)
                );
            }
            match self.spec.probe() {
                Ok(()) => break,
                Err(error) if Instant::now() > deadline => {
                    return Err(error).with_context(|| {
                        format!(
                            "{name} is not ready after {} s:\n{}",
                            START_TIMEOUT.as_secs(),
                            self.tail(40)
                        )
                    });
                }
                Err(_) => thread::sleep(POLL_INTERVAL),
            }
        }
        self.process = Some(process);
        Ok(())
    }

    /// Sends SIGTERM and waits until it has ended.
    pub fn stop(&mut self) -> Result<()> {
        self.end(Signal::SIGTERM)
    }

    /// Kills it and waits until it has ended.
    pub fn kill(&mut self) -> Result<()> {
        self.end(self.spec.kill)
    }

    /// Sends a signal to its process group.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let process = self.process.as_ref();
        let process = process.with_context(|| format!("{} is not running", self.spec.name))?;
        process.signal(signal)
    }

    /// Its process id, once started.
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Process::pid)
    }

    /// Whether it is running.
    pub fn is_running(&mut self) -> bool {
        self.process.as_mut().is_some_and(Process::is_running)
    }

    fn end(&mut self, signal: Signal) -> Result<()> {
        let Some(mut process) = self.process.take() else {
            return Ok(());
        };
        process.end(signal, STOP_TIMEOUT).context(self.spec.name)?;
        // Ends its child processes too. While one of those still listens, the probe of the next start
        // would succeed too early.
        drop(process);
        let deadline = Instant::now() + STOP_TIMEOUT;
        while http::connect(self.spec.port).is_ok() {
            if Instant::now() > deadline {
                let (name, port) = (self.spec.name, self.spec.port);
                bail!("{name} has ended, but port {port} is still open");
            }
            thread::sleep(POLL_INTERVAL);
        }
        Ok(())
    }

    /// The last lines of its log.
    pub fn tail(&self, lines: usize) -> String {
        let text = fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let all: Vec<&str> = text.lines().collect();
        all[all.len().saturating_sub(lines)..].join("\n")
    }

    /// Runs the server's program once with other arguments and waits for it to end.
    pub fn run_once(&self, arguments: &[&str]) -> Result<()> {
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.log)?;
        let mut command = self.command(&log)?;
        if !self.processes.run(command.args(arguments))?.success() {
            let name = self.spec.name;
            bail!("{name} {} failed:\n{}", arguments.join(" "), self.tail(40));
        }
        Ok(())
    }

    fn command(&self, log: &File) -> Result<Command> {
        let mut command = Command::new(&self.spec.program);
        command
            .args(&self.spec.arguments)
            .env_clear()
            .envs(
                self.spec
                    .environment
                    .iter()
                    .map(|(name, value)| (name, value)),
            )
            .current_dir(&self.spec.directory)
            .stdout(Stdio::from(log.try_clone()?))
            .stderr(Stdio::from(log.try_clone()?));
        if let Some((user, group)) = self.spec.account {
            use std::os::unix::process::CommandExt as _;
            command.uid(user).gid(group);
        }
        Ok(command)
    }
}

impl ServiceSpec {
    fn probe(&self) -> Result<()> {
        match &self.probe {
            Probe::Http {
                method,
                path,
                headers,
                body,
            } => match http::send(self.port, method, path, headers, body)?.0 {
                200 => Ok(()),
                other => bail!("{method} {path} returned {other}"),
            },
            Probe::Redis => {
                let mut stream = http::connect(self.port)?;
                stream.write_all(b"*1\r\n$4\r\nPING\r\n")?;
                let mut reply = [0; 7];
                stream.read_exact(&mut reply)?;
                if &reply != b"+PONG\r\n" {
                    bail!("no PONG to PING");
                }
                Ok(())
            }
            Probe::Program(program, arguments) => {
                let mut command = Command::new(program);
                crate::tools::output(command.args(arguments).env_clear()).map(drop)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports;

    /// A Node.js server that responds to every request.
    fn stub(processes: &Processes, port: u16) -> ServiceSpec {
        let script = "require('http').createServer((q, s) => s.end('up')).listen(+process.argv[1], '127.0.0.1')";
        ServiceSpec {
            name: "stub",
            program: crate::tools::find("node").expect("node is needed by the tests"),
            arguments: vec!["-e".into(), script.into(), port.to_string()],
            environment: Vec::new(),
            directory: processes.directory().to_path_buf(),
            account: None,
            port,
            probe: Probe::Http {
                method: "GET",
                path: "/",
                headers: String::new(),
                body: "",
            },
            kill: Signal::SIGKILL,
        }
    }

    #[test]
    fn service_keeps_its_port_over_kill_and_restart() {
        let base = crate::processes::Processes::without_reaper("service").unwrap();
        let port = ports::free().unwrap();
        let logs = base.directory().join("logs");
        let mut service = Service::new(&base, stub(&base, port), &logs).unwrap();
        for _ in 0..2 {
            service.start().unwrap();
            assert_eq!(http::send(port, "GET", "/", "", "").unwrap().0, 200);
            service.kill().unwrap();
            assert!(http::send(port, "GET", "/", "", "").is_err());
        }
        service.start().unwrap();
        service.stop().unwrap();
        assert!(http::connect(port).is_err());
    }

    #[test]
    fn failed_start_reports_the_output_of_the_server() {
        let base = crate::processes::Processes::without_reaper("service-ends").unwrap();
        let mut spec = stub(&base, ports::free().unwrap());
        spec.arguments = vec![
            "-e".into(),
            "console.log('no such setting'); process.exit(3)".into(),
        ];
        let mut service = Service::new(&base, spec, &base.directory().join("logs")).unwrap();
        let error = format!("{:#}", service.start().unwrap_err());
        assert!(
            error.contains("no such setting") && error.contains("exit status: 3"),
            "{error}"
        );
    }
}
