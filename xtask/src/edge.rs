//! `cargo xtask edge`: the whole edge on one machine, to try it out and to develop it.
//!
//! The Worker in workerd with its objects, a private PostgreSQL behind its Hyperdrive binding, a
//! private Redis behind its HTTP proxy: the stack that `test --host edge` tests, with the same
//! settings but no limit on attempts. Data, processes and directory end with the command.

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

/// Where `wrangler dev` listens too.
const PORT: u16 = 8787;

/// The setting that says where its rows are.
const DATABASE: &str = "DATABASE_URL";

/// How often it is seen whether the Worker still runs.
const LOOK: Duration = Duration::from_millis(500);

/// As a user's Worker is: every setting but the stores' has its default.
const ALONE: InstanceSpec = InstanceSpec {
    name: "worker",
    redis_proxy: "redis-http",
    url_key: "base_url",
    settings: &[],
};

/// Where it listens.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// The port; 8787 unless that is in use.
    #[arg(long)]
    port: Option<u16>,
}

/// `cargo xtask edge`
pub(crate) fn command(options: &Options) -> Verdict {
    let port = match options.port {
        None => ports::usable(PORT).map_or_else(ports::free, Ok)?,
        Some(port) => ports::usable(port).with_context(|| format!("port {port} is in use"))?,
    };
    let processes = Processes::open()?;
    worker::prepare(&processes)?;
    build::servers(&processes, false)?;
    let backends = Backends::start(&processes)?;
    let programs = build::program_directory(false);
    let launcher = Launcher::new(&processes, Host::Edge, &programs, &backends)?;
    let mut worker = launcher.start(ALONE, 1, port)?;
    let signals = Signals::catch()?;
    let log = launcher.logs.join("worker.log");
    let setting = worker.settings.iter().find(|(name, _)| name == DATABASE);
    let database = setting.map_or("", |(_, url)| url);
    let (url, redis) = (worker.base_url(), backends.redis.port());
    print!("{}", welcome(&url, database, redis, &log.to_string_lossy()));
    while !signals.came_within(LOOK) {
        if !worker.server.is_running() {
            bail!("the Worker has ended:\n{}", worker.server.tail(40));
        }
    }
    println!("\nending");
    Ok(true)
}

fn welcome(url: &str, database: &str, redis: u16, log: &str) -> String {
    let socket = url.replace("http://", "ws://");
    format!(
        r#"
the edge listens on {url}, with PostgreSQL and Redis of its own; Ctrl-C ends it with all data

  register  curl {url}/api/users/register/ --json '{{"username": "alice", "email": "alice@mail.example", "password": "Violet Umbrellas Dance 42"}}'
  log in    curl {url}/api/users/login/ --json '{{"username": "alice", "password": "Violet Umbrellas Dance 42"}}'
  health    curl {url}/health/
  socket    {socket}/ws/chat/1/?token=…, as in the README's tour, with this address in place of its own
  rows      psql {database}
  cache     redis-cli -p {redis} monitor
  log       tail -f {log}

"#
    )
}

/// The signals that end the command, received when asked for instead of ending it at once: what it
/// started is then gone before the shell's prompt is back. Without this, as while it starts, the
/// reaper of `processes` sees to the same a moment later.
struct Signals(std::sync::mpsc::Receiver<Signal>);

impl Signals {
    fn catch() -> Result<Self> {
        let mut set = SigSet::empty();
        for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
            set.add(signal);
        }
        // Of this thread and those it starts; children begin with none blocked.
        set.thread_block()?;
        let (sender, receiver) = channel();
        thread::spawn(move || {
            if let Ok(signal) = set.wait() {
                // Nobody listens any more when the command is ending for another reason.
                let _ = sender.send(signal);
            }
        });
        Ok(Self(receiver))
    }

    fn came_within(&self, patience: Duration) -> bool {
        !matches!(
            self.0.recv_timeout(patience),
            Err(RecvTimeoutError::Timeout)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_to_try_names_the_address() {
        let text = welcome(
            "http://127.0.0.1:8787",
            "postgres://it",
            6379,
            "/somewhere/worker.log",
        );
        assert!(text.contains("curl http://127.0.0.1:8787/api/users/login/"));
        assert!(text.contains("ws://127.0.0.1:8787/ws/chat/1/"));
        for wanted in ["/somewhere/worker.log", "psql postgres://it", "-p 6379"] {
            assert!(text.contains(wanted), "{wanted}");
        }
    }
}
