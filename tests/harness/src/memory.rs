//! The memory of a server: what `/proc` reports of each process of its group (proc(5)).

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context as _, Result};

/// The resident memory in bytes by the name of the process, for the group that this process leads.
pub fn resident(leader: u32) -> Result<BTreeMap<String, u64>> {
    let mut resident = BTreeMap::new();
    for entry in fs::read_dir("/proc")? {
        let path = entry?.path();
        // A process may end at any moment.
        let Ok(stat) = fs::read_to_string(path.join("stat")) else {
            continue;
        };
        if group_of(&stat) != Some(leader) {
            continue;
        }
        let Ok(status) = fs::read_to_string(path.join("status")) else {
            continue;
        };
        let name = field(&status, "Name:").context("a process without a name")?;
        if let Some(kilobytes) = field(&status, "VmRSS:") {
            let kilobytes = kilobytes.trim_end_matches("kB").trim();
            *resident.entry(name.to_owned()).or_default() += kilobytes.parse::<u64>()? * 1_024;
        }
    }
    Ok(resident)
}

/// The process group, the third field after the name, which may contain anything.
fn group_of(stat: &str) -> Option<u32> {
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_whitespace().nth(2)?.parse().ok()
}

fn field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = status.lines();
    lines
        .find_map(|line| line.strip_prefix(name))
        .map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_group_has_memory() {
        let group = nix::unistd::getpgrp().as_raw().unsigned_abs();
        let resident = resident(group).unwrap();
        assert!(resident.values().sum::<u64>() > 1_000_000, "{resident:?}");
        assert_eq!(group_of("7 (a) b) S 1 42 42 0"), Some(42));
    }
}
