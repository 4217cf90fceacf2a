//! A private Redis server without persistence.

use std::fs;

use anyhow::{Context as _, Result};
use nix::sys::signal::Signal;

use crate::processes::Processes;
use crate::service::{Probe, Service, ServiceSpec};
use crate::{debian, ports, tools};

/// Starts a Redis server, and installs Redis first where it is missing.
pub fn start(processes: &Processes) -> Result<Service<'_>> {
    if tools::find("redis-server").is_none() {
        debian::install(processes, &["redis-server"], "the tests")?;
    }
    let program = tools::find("redis-server").context("redis-server is not in PATH")?;
    let directory = processes.directory().join("redis");
    fs::create_dir_all(&directory)?;
    let port = ports::free()?;
    let directory_name = directory.to_string_lossy();
    let number = port.to_string();
    let arguments = [
        ["--port", &number],
        ["--bind", "127.0.0.1"],
        ["--save", ""],
        ["--appendonly", "no"],
        ["--dir", &directory_name],
    ];
    let spec = ServiceSpec {
        name: "redis",
        program,
        arguments: arguments
            .as_flattened()
            .iter()
            .map(ToString::to_string)
            .collect(),
        environment: Vec::new(),
        directory: directory.clone(),
        account: None,
        port,
        probe: Probe::Redis,
        kill: Signal::SIGKILL,
    };
    let mut service = Service::new(processes, spec, &processes.directory().join("logs"))?;
    service.start()?;
    Ok(service)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_redis_starts_again_after_a_kill() {
        // A unit test installs nothing.
        if tools::find("redis-server").is_none() {
            return;
        }
        let processes = Processes::without_reaper("redis").unwrap();
        let mut redis = start(&processes).unwrap();
        redis.kill().unwrap();
        redis.start().unwrap();
        redis.stop().unwrap();
    }
}
