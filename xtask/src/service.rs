//! One private server of a test run: started, asked whether it is up, stopped, killed, started
//! again on the same port and the same data.
//!
//! What is started is told by a [`Plan`]; `postgres`, `redis` and `hosts` make those.

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

const START: Duration = Duration::from_mins(1);
const STOP: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(25);

/// How to start a server and how to tell that it is up.
pub(crate) struct Plan {
    pub(crate) name: &'static str,
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<String>,
    /// The whole environment: nothing is inherited, so no developer's own server can be reached.
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) directory: PathBuf,
    /// The account it runs under, when not the one of this run.
    pub(crate) account: Option<(u32, u32)>,
    pub(crate) port: u16,
    pub(crate) probe: Probe,
    /// Ends it at once without a chance to tidy up.
    pub(crate) kill: Signal,
}

/// The question a server answers only when it is ready.
pub(crate) enum Probe {
    /// An HTTP request answered with 200.
    Http {
        method: &'static str,
        path: &'static str,
        headers: String,
        body: &'static str,
    },
    /// A Redis `PING`.
    Redis,
    /// A program that ends well when the server is ready.
    Program(PathBuf, Vec<String>),
}

impl Probe {
    /// What Colloquy, and every server beside it, answers when it lives.
    pub(crate) const LIVE: Self = Self::Http {
        method: "GET",
        path: "/health/live/",
        headers: String::new(),
        body: "",
    };
}

/// A server under the run's control.
pub(crate) struct Service<'run> {
    processes: &'run Processes,
    plan: Plan,
    log: PathBuf,
    process: Option<Process>,
}

impl<'run> Service<'run> {
    /// A server that is not started yet. Its output goes to a file in `logs`.
    pub(crate) fn new(processes: &'run Processes, plan: Plan, logs: &Path) -> Result<Self> {
        fs::create_dir_all(logs)?;
        let log = logs.join(format!("{}.log", plan.name));
        Ok(Self {
            processes,
            plan,
            log,
            process: None,
        })
    }

    pub(crate) fn name(&self) -> &'static str {
        self.plan.name
    }

    pub(crate) fn port(&self) -> u16 {
        self.plan.port
    }

    /// The file its output goes to.
    pub(crate) fn log(&self) -> &Path {
        &self.log
    }

    /// Starts it unless it runs, and waits until it is up.
    pub(crate) fn start(&mut self) -> Result<()> {
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
            .spawn(&mut self.command(&log)?, self.plan.kill)?;
        let deadline = Instant::now() + START;
        let name = self.plan.name;
        loop {
            if !process.is_running() {
                bail!(
                    "{name} ended while starting ({}):\n{}",
                    process.wait()?,
                    self.tail(40)
                );
            }
            match self.plan.probe() {
                Ok(()) => break,
                Err(error) if Instant::now() > deadline => {
                    return Err(error).with_context(|| {
                        format!(
                            "{name} is not up after {} s:\n{}",
                            START.as_secs(),
                            self.tail(40)
                        )
                    });
                }
                Err(_) => thread::sleep(POLL),
            }
        }
        self.process = Some(process);
        Ok(())
    }

    /// Asks it to end and waits until it has.
    pub(crate) fn stop(&mut self) -> Result<()> {
        self.end(Signal::SIGTERM)
    }

    /// Ends it as a crash would and waits until it is gone.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.end(self.plan.kill)
    }

    /// Sends a signal to it and to all it has started.
    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        let process = self.process.as_ref();
        let process = process.with_context(|| format!("{} is not running", self.plan.name))?;
        process.signal(signal)
    }

    /// The process it was started as, while it runs.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Process::pid)
    }

    /// Whether it has been started and has not ended since.
    pub(crate) fn is_running(&mut self) -> bool {
        self.process.as_mut().is_some_and(Process::is_running)
    }

    fn end(&mut self, signal: Signal) -> Result<()> {
        let Some(mut process) = self.process.take() else {
            return Ok(());
        };
        process.end(signal, STOP).context(self.plan.name)?;
        // What it started itself goes with it. While one of those still listens, the next start
        // would take that one's answers for its own.
        drop(process);
        let deadline = Instant::now() + STOP;
        while http::connect(self.plan.port).is_ok() {
            if Instant::now() > deadline {
                let (name, port) = (self.plan.name, self.plan.port);
                bail!("{name} has ended, but port {port} is still answered");
            }
            thread::sleep(POLL);
        }
        Ok(())
    }

    /// The last lines it wrote.
    pub(crate) fn tail(&self, lines: usize) -> String {
        let text = fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let all: Vec<&str> = text.lines().collect();
        all[all.len().saturating_sub(lines)..].join("\n")
    }

    /// Runs the server's own program once, with other arguments, to its end.
    pub(crate) fn run_once(&self, arguments: &[&str]) -> Result<()> {
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.log)?;
        let mut command = self.command(&log)?;
        if !self.processes.run(command.args(arguments))?.success() {
            let name = self.plan.name;
            bail!("{name} {} failed:\n{}", arguments.join(" "), self.tail(40));
        }
        Ok(())
    }

    fn command(&self, log: &File) -> Result<Command> {
        let mut command = Command::new(&self.plan.program);
        command
            .args(&self.plan.arguments)
            .env_clear()
            .envs(
                self.plan
                    .environment
                    .iter()
                    .map(|(name, value)| (name, value)),
            )
            .current_dir(&self.plan.directory)
            .stdout(Stdio::from(log.try_clone()?))
            .stderr(Stdio::from(log.try_clone()?));
        if let Some((user, group)) = self.plan.account {
            use std::os::unix::process::CommandExt as _;
            command.uid(user).gid(group);
        }
        Ok(command)
    }
}

impl Plan {
    fn probe(&self) -> Result<()> {
        match &self.probe {
            Probe::Http {
                method,
                path,
                headers,
                body,
            } => match http::send(self.port, method, path, headers, body)?.0 {
                200 => Ok(()),
                other => bail!("{method} {path} answered {other}"),
            },
            Probe::Redis => {
                let mut stream = http::connect(self.port)?;
                stream.write_all(b"*1\r\n$4\r\nPING\r\n")?;
                let mut answer = [0; 7];
                stream.read_exact(&mut answer)?;
                if &answer != b"+PONG\r\n" {
                    bail!("no answer to PING");
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

    /// A server that answers every request, from what every machine with these tests has.
    fn stub(processes: &Processes, port: u16) -> Plan {
        let script = "require('http').createServer((q, s) => s.end('up')).listen(+process.argv[1], '127.0.0.1')";
        Plan {
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
    fn a_service_keeps_its_port_over_kill_and_restart() {
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
    fn a_server_that_ends_while_starting_is_told_with_its_output() {
        let base = crate::processes::Processes::without_reaper("service-ends").unwrap();
        let mut plan = stub(&base, ports::free().unwrap());
        plan.arguments = vec![
            "-e".into(),
            "console.log('no such setting'); process.exit(3)".into(),
        ];
        let mut service = Service::new(&base, plan, &base.directory().join("logs")).unwrap();
        let error = format!("{:#}", service.start().unwrap_err());
        assert!(
            error.contains("no such setting") && error.contains("exit status: 3"),
            "{error}"
        );
    }
}
