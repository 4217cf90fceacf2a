//! A private PostgreSQL cluster in the run's directory, on a port of its own.
//!
//! It never looks for a running server. `fsync` stays on: that an acknowledged message survives a
//! kill is part of what is tested.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};
use nix::sys::signal::Signal;
use nix::unistd::User;

use crate::processes::Processes;
use crate::service::{Plan, Probe, Service};
use crate::{debian, ports, tools};

/// Where Debian keeps what it does not put into PATH.
const DEBIAN: &str = "/usr/lib/postgresql";

const ROLE: &str = "colloquy";

/// A cluster, its server started.
pub(crate) struct Cluster<'run> {
    pub(crate) service: Service<'run>,
    programs: PathBuf,
    password: String,
}

impl<'run> Cluster<'run> {
    /// Installs PostgreSQL where it is missing, makes a cluster and starts its server.
    pub(crate) fn start(processes: &'run Processes) -> Result<Self> {
        if find().is_none() {
            debian::install(processes, &["postgresql"], "the tests")?;
        }
        let programs = find().context("PostgreSQL was installed but initdb is not found")?;
        let directory = processes.directory().join("postgres");
        fs::create_dir_all(&directory)?;
        let account = account()?;
        if let Some((user, group)) = account {
            std::os::unix::fs::chown(&directory, Some(user), Some(group))?;
        }
        let password = crate::hosts::secret()?;
        initialise(processes, &programs, &directory, account, &password)?;
        let plan = plan(&programs, &directory, account)?;
        let mut service = Service::new(processes, plan, &processes.directory().join("logs"))?;
        service.start()?;
        Ok(Self {
            service,
            programs,
            password,
        })
    }

    /// The address of one of its databases, for a role that may do everything.
    pub(crate) fn url(&self, database: &str) -> String {
        format!(
            "postgres://{ROLE}:{}@127.0.0.1:{}/{database}",
            self.password,
            self.service.port()
        )
    }

    /// Makes an empty database.
    pub(crate) fn create_database(&self, name: &str) -> Result<()> {
        let mut command = Command::new(self.programs.join("createdb"));
        let port = self.service.port().to_string();
        command.args([
            "--host",
            "127.0.0.1",
            "--port",
            &port,
            "--username",
            ROLE,
            name,
        ]);
        tools::output(command.env_clear().env("PGPASSWORD", &self.password)).map(drop)
    }
}

/// Whether there is a PostgreSQL to make a cluster with.
#[cfg(test)]
pub(crate) fn is_installed() -> bool {
    find().is_some()
}

/// The directory with `initdb` and its companions: the newest that is installed.
fn find() -> Option<PathBuf> {
    let complete = |directory: &PathBuf| {
        ["initdb", "postgres", "pg_isready", "createdb"]
            .iter()
            .all(|program| tools::is_program(&directory.join(program)))
    };
    let beside = |initdb: PathBuf| Some(initdb.canonicalize().ok()?.parent()?.to_path_buf());
    if let Some(directory) = tools::find("initdb").and_then(beside).filter(complete) {
        return Some(directory);
    }
    let mut versions: Vec<(u32, PathBuf)> = fs::read_dir(DEBIAN)
        .ok()?
        .flatten()
        .filter_map(|entry| {
            let version = entry.file_name().to_string_lossy().parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .filter(|(_, directory)| complete(directory))
        .collect();
    versions.sort();
    versions.pop().map(|(_, directory)| directory)
}

/// The account the server runs under when this run is root's, as PostgreSQL refuses root.
fn account() -> Result<Option<(u32, u32)>> {
    if !nix::unistd::geteuid().is_root() {
        return Ok(None);
    }
    for name in ["postgres", "nobody"] {
        if let Some(user) = User::from_name(name)? {
            return Ok(Some((user.uid.as_raw(), user.gid.as_raw())));
        }
    }
    anyhow::bail!("PostgreSQL refuses to run as root, and there is no user `postgres` or `nobody`")
}

fn initialise(
    processes: &Processes,
    programs: &Path,
    directory: &Path,
    account: Option<(u32, u32)>,
    password: &str,
) -> Result<()> {
    let password_file = directory.join("password");
    fs::write(&password_file, password)?;
    let mut command = Command::new(programs.join("initdb"));
    command
        .arg("--pgdata")
        .arg(directory.join("data"))
        .arg("--pwfile")
        .arg(&password_file)
        .args(["--username", ROLE, "--auth", "scram-sha-256"])
        .args(["--encoding", "UTF8", "--locale", "C.UTF-8"])
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .current_dir(directory)
        .stdout(Stdio::null());
    if let Some((user, group)) = account {
        std::os::unix::fs::chown(&password_file, Some(user), Some(group))?;
        command.uid(user).gid(group);
    }
    processes.succeed(&mut command)
}

fn plan(programs: &Path, directory: &Path, account: Option<(u32, u32)>) -> Result<Plan> {
    let port = ports::free()?;
    let number = port.to_string();
    let place = directory.to_string_lossy();
    let sockets = format!("unix_socket_directories={place}");
    let data = format!("{place}/data");
    let settings = [
        "listen_addresses=127.0.0.1",
        "fsync=on",
        // On the platform Hyperdrive pools; its simulator opens one for every connection it is
        // asked for.
        "max_connections=600",
        &sockets,
    ];
    let mut arguments = vec!["-D".to_owned(), data, "-p".to_owned(), number.clone()];
    for setting in settings {
        arguments.extend(["-c".to_owned(), setting.to_owned()]);
    }
    let asking = [
        "--host",
        "127.0.0.1",
        "--port",
        &number,
        "--dbname",
        "postgres",
    ];
    Ok(Plan {
        name: "postgres",
        program: programs.join("postgres"),
        arguments,
        environment: vec![("PATH".to_owned(), "/usr/bin:/bin".to_owned())],
        directory: directory.to_path_buf(),
        account,
        port,
        probe: Probe::Program(
            programs.join("pg_isready"),
            asking.iter().map(ToString::to_string).collect(),
        ),
        // "Immediate shutdown": no checkpoint, so the next start has to recover; unlike after
        // SIGKILL no process and no shared memory stays behind to refuse that start.
        kill: Signal::SIGQUIT,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_cluster_recovers_what_was_committed() {
        // Installing is the run's business, not a unit test's.
        if find().is_none() {
            return;
        }
        let processes = Processes::without_reaper("postgres").unwrap();
        let mut cluster = Cluster::start(&processes).unwrap();
        cluster.create_database("kept").unwrap();
        cluster.service.kill().unwrap();
        assert!(cluster.create_database("lost").is_err(), "nobody answers");
        cluster.service.start().unwrap();
        let twice = cluster.create_database("kept").unwrap_err().to_string();
        assert!(twice.contains("already exists"), "{twice}");
        assert!(cluster.url("kept").ends_with("/kept"));
        cluster.service.stop().unwrap();
    }
}
