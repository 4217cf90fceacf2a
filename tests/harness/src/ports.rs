//! Hands out free loopback ports for private servers.
//!
//! The ports are below the kernel's ephemeral range. A port inside that range could be taken by an
//! outgoing connection while its server is down between kill and restart, and a client that keeps
//! reconnecting could even connect to itself.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Result, bail};

const FIRST: u16 = 20_000;
const COUNT: u16 = 10_000;

/// A free port, different at each call in one run.
pub fn free() -> Result<u16> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = seed();
    for _ in 0..COUNT {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = FIRST + (start.wrapping_add(step)) % COUNT;
        if let Some(port) = usable(port) {
            return Ok(port);
        }
    }
    bail!("no free port between {FIRST} and {}", FIRST + COUNT)
}

/// The port, if it is free.
pub fn usable(port: u16) -> Option<u16> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .ok()
        .map(|_| port)
}

/// The offset at which this run starts, so that parallel runs probe different ports.
fn seed() -> u16 {
    static SEED: std::sync::OnceLock<u16> = std::sync::OnceLock::new();
    *SEED.get_or_init(|| {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let mixed = u64::from(now.subsec_nanos()) ^ (u64::from(std::process::id()) << 7);
        u16::try_from(mixed % u64::from(COUNT)).unwrap_or_default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_differ_and_stay_below_the_ephemeral_range() {
        let ports: Vec<u16> = (0..20).map(|_| free().unwrap()).collect();
        let mut distinct = ports.clone();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(distinct.len(), ports.len());
        assert!(
            ports
                .iter()
                .all(|port| (FIRST..FIRST + COUNT).contains(port))
        );
    }
}
