//! A private PostgreSQL cluster in the run's directory, on a port of its own.
//!
//! It never connects to another server. `fsync` stays on because suites test that an acknowledged
//! message survives a kill.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};
use nix::sys::signal::Signal;
use nix::unistd::User;

use crate::processes::Processes;
use crate::service::{Probe, Service, ServiceSpec};
use crate::{debian, ports, tools};

/// Debian installs the server programs here, outside PATH.
const DEBIAN_DIRECTORY: &str = "/usr/lib/postgresql";

const ROLE: &str = "colloquy";

/// A running cluster.
pub struct Cluster<'run> {
    /// The server process.
    pub service: Service<'run>,
    programs: PathBuf,
    password: String,
}

impl<'run> Cluster<'run> {
    /// Creates a cluster and starts its server; installs PostgreSQL first where it is missing.
    pub fn start(processes: &'run Processes) -> Result<Self> {
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
        let spec = spec(&programs, &directory, account)?;
        let mut service = Service::new(processes, spec, &processes.directory().join("logs"))?;
        service.start()?;
        Ok(Self {
            service,
            programs,
            password,
        })
    }

    /// The URL of a database, for a superuser.
    pub fn url(&self, database: &str) -> String {
        format!(
            "postgres://{ROLE}:{}@127.0.0.1:{}/{database}",
            self.password,
            self.service.port()
        )
    }

    /// Creates an empty database.
    pub fn create_database(&self, name: &str) -> Result<()> {
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

/// Whether PostgreSQL is installed.
pub fn is_installed() -> bool {
    find().is_some()
}

/// The directory of the newest installed server programs.
fn find() -> Option<PathBuf> {
    let complete = |directory: &PathBuf| {
        ["initdb", "postgres", "pg_isready", "createdb"]
            .iter()
            .all(|program| tools::is_program(&directory.join(program)))
    };
    let directory_of = |initdb: PathBuf| Some(initdb.canonicalize().ok()?.parent()?.to_path_buf());
    if let Some(directory) = tools::find("initdb")
        .and_then(directory_of)
        .filter(complete)
    {
        return Some(directory);
    }
    let mut versions: Vec<(u32, PathBuf)> = fs::read_dir(DEBIAN_DIRECTORY)
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

/// The user and group the server runs under when this run is root: PostgreSQL refuses to run as root.
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

fn spec(programs: &Path, directory: &Path, account: Option<(u32, u32)>) -> Result<ServiceSpec> {
    let port = ports::free()?;
    let number = port.to_string();
    let directory_name = directory.to_string_lossy();
    let sockets = format!("unix_socket_directories={directory_name}");
    let data = format!("{directory_name}/data");
    let settings = [
        "listen_addresses=127.0.0.1",
        "fsync=on",
        // On the platform Hyperdrive pools connections; the local simulator opens one for every
        // connection of the Worker.
        "max_connections=600",
        &sockets,
    ];
    let mut arguments = vec!["-D".to_owned(), data, "-p".to_owned(), number.clone()];
    for setting in settings {
        arguments.extend(["-c".to_owned(), setting.to_owned()]);
    }
    let probe_arguments = [
        "--host",
        "127.0.0.1",
        "--port",
        &number,
        "--dbname",
        "postgres",
    ];
    Ok(ServiceSpec {
        name: "postgres",
        program: programs.join("postgres"),
        arguments,
        environment: vec![("PATH".to_owned(), "/usr/bin:/bin".to_owned())],
        directory: directory.to_path_buf(),
        account,
        port,
        probe: Probe::Program(
            programs.join("pg_isready"),
            probe_arguments.iter().map(ToString::to_string).collect(),
        ),
        // "Immediate shutdown": no checkpoint, so that the next start has to recover. Unlike SIGKILL
        // it leaves no process and no shared memory that would prevent that start.
        kill: Signal::SIGQUIT,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_cluster_recovers_committed_data_after_a_kill() {
        // A unit test installs nothing.
        if find().is_none() {
            return;
        }
        let processes = Processes::without_reaper("postgres").unwrap();
        let mut cluster = Cluster::start(&processes).unwrap();
        cluster.create_database("committed").unwrap();
        cluster.service.kill().unwrap();
        assert!(
            cluster.create_database("rejected").is_err(),
            "the server is down"
        );
        cluster.service.start().unwrap();
        let error = cluster
            .create_database("committed")
            .unwrap_err()
            .to_string();
        assert!(error.contains("already exists"), "{error}");
        assert!(cluster.url("committed").ends_with("/committed"));
        cluster.service.stop().unwrap();
    }
}
