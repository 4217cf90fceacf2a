//! `cargo xtask edge`: the edge deployment on one machine, for development.
//!
//! Starts the Worker in workerd with its Durable Objects, a private PostgreSQL behind the Hyperdrive
//! binding and a private Redis behind its HTTP proxy, as `test --host edge` does. Data and processes
//! end with the command.

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use nix::sys::signal::{SigSet, Signal};

use crate::Verdict;
use colloquy_harness::hosts::{Host, InstanceSpec};
use colloquy_harness::processes::Processes;
use colloquy_harness::stack::{Backends, Launcher};
use colloquy_harness::{build, ports, worker};

/// The default port, also of `wrangler dev`.
const DEFAULT_PORT: u16 = 8787;

/// The setting with the database's URL.
const DATABASE_URL: &str = "DATABASE_URL";

/// How often the command checks that the Worker is running.
const CHECK_INTERVAL: Duration = Duration::from_millis(500);

/// A Worker with default settings.
const DEFAULT_INSTANCE: InstanceSpec = InstanceSpec {
    name: "worker",
    redis_proxy: "redis-http",
    url_key: "base_url",
    settings: &[],
};

#[derive(clap::Args)]
pub(crate) struct EdgeOptions {
    /// The port; by default 8787, or a free port if that is in use.
    #[arg(long)]
    port: Option<u16>,
}

/// `cargo xtask edge`
pub(crate) fn command(options: &EdgeOptions) -> Verdict {
    let port = match options.port {
        None => ports::usable(DEFAULT_PORT).map_or_else(ports::free, Ok)?,
        Some(port) => ports::usable(port).with_context(|| format!("port {port} is in use"))?,
    };
    let processes = Processes::open()?;
    worker::prepare(&processes)?;
    build::servers(&processes, false)?;
    let backends = Backends::start(&processes)?;
    let programs = build::program_directory(false);
    let launcher = Launcher::new(&processes, Host::Edge, &programs, &backends)?;
    let mut worker = launcher.start(DEFAULT_INSTANCE, 1, port)?;
    let signals = EndSignals::catch()?;
    let log = launcher.logs.join("worker.log");
    let setting = worker
        .settings
        .iter()
        .find(|(name, _)| name == DATABASE_URL);
    let database = setting.map_or("", |(_, url)| url);
    let (url, redis) = (worker.base_url(), backends.redis.port());
    print!("{}", welcome(&url, database, redis, &log.to_string_lossy()));
    while !signals.received_within(CHECK_INTERVAL) {
        if !worker.server.is_running() {
            bail!("the Worker has ended:\n{}", worker.server.tail(40));
        }
    }
    println!("\nstopping");
    Ok(true)
}

fn welcome(url: &str, database: &str, redis: u16, log: &str) -> String {
    let socket = url.replace("http://", "ws://");
    format!(
        r#"
the edge listens on {url}, with private PostgreSQL and Redis servers; Ctrl-C ends it and deletes all data

  register  curl {url}/api/users/register/ --json '{{"username": "alice", "email": "alice@mail.example", "password": "Violet Umbrellas Dance 42"}}'
  log in    curl {url}/api/users/login/ --json '{{"username": "alice", "password": "Violet Umbrellas Dance 42"}}'
  health    curl {url}/health/
  socket    {socket}/ws/chat/1/?token=…, as in the README's tour, with this address
  database  psql {database}
  cache     redis-cli -p {redis} monitor
  log       tail -f {log}

"#
    )
}

/// Receives the signals that end the command, so that all processes have ended when the command
/// returns. During the start, the reaper of `processes` ends them a moment later.
struct EndSignals(std::sync::mpsc::Receiver<Signal>);

impl EndSignals {
    fn catch() -> Result<Self> {
        let mut set = SigSet::empty();
        for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
            set.add(signal);
        }
        // For this thread and threads it starts; child processes start with no signal blocked.
        set.thread_block()?;
        let (sender, receiver) = channel();
        thread::spawn(move || {
            if let Ok(signal) = set.wait() {
                // The receiver is gone when the command ends for another reason.
                let _ = sender.send(signal);
            }
        });
        Ok(Self(receiver))
    }

    fn received_within(&self, timeout: Duration) -> bool {
        !matches!(self.0.recv_timeout(timeout), Err(RecvTimeoutError::Timeout))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn welcome_text_has_every_address() {
        let text = welcome(
            "http://127.0.0.1:8787",
            "postgres://it",
            6379,
            "/somewhere/worker.log",
        );
        assert!(text.contains("curl http://127.0.0.1:8787/api/users/login/"));
        assert!(text.contains("ws://127.0.0.1:8787/ws/chat/1/"));
        for part in ["/somewhere/worker.log", "psql postgres://it", "-p 6379"] {
            assert!(text.contains(part), "{part}");
        }
    }
}
