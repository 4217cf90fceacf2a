//! How many connections are open, in total and from each address.
//!
//! A [`ConnectionSlot`] belongs to a connection from its acceptance until it is closed, also as a
//! WebSocket. The maximum is below the limit of open files, so that the database, log files and
//! probes still find a descriptor.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use colloquy_core::service::client_network;
use ipnet::IpNet;

/// The maximum derived from a high limit of open files. It bounds the memory of connections that send
/// nothing, about 12 kB each.
const MAX_DERIVED: usize = 100_000;

/// Descriptors for listener, log files, runtime, Redis and commands.
const RESERVED_FILES: usize = 64;

/// Descriptors for each connection to the database; SQLite opens its file, WAL and shared memory.
const FILES_PER_DATABASE_CONNECTION: usize = 3;

/// The limits of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// Open connections.
    pub total: usize,
    /// Open connections from one address: an IPv4 address or an IPv6 /64.
    pub per_address: usize,
    /// Their clients are behind them, so they may open more.
    pub trusted_proxies: Vec<IpNet>,
}

impl ConnectionLimits {
    /// The limits for these settings, where 0 derives a limit from the number of files the process may
    /// open (`None` when it is unknown or unlimited).
    pub fn derive(
        (total, per_address): (usize, usize),
        trusted_proxies: &[IpNet],
        open_files: Option<u64>,
        database_pool_size: u32,
    ) -> Self {
        let pool = usize::try_from(database_pool_size).unwrap_or(usize::MAX);
        let possible = open_files.map_or(usize::MAX, |files| {
            let files = usize::try_from(files).unwrap_or(usize::MAX);
            let reserved = pool
                .saturating_mul(FILES_PER_DATABASE_CONNECTION)
                .saturating_add(RESERVED_FILES);
            files - reserved.min(files / 2)
        });
        let total = if total == 0 { MAX_DERIVED } else { total };
        let total = total.min(possible).max(1);
        let per_address = if per_address == 0 {
            total.div_ceil(2)
        } else {
            per_address.min(total)
        };
        Self {
            total,
            per_address,
            trusted_proxies: trusted_proxies.to_vec(),
        }
    }
}

/// Why a connection is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The server has its maximum.
    Total,
    /// The address has its maximum.
    Address,
}

/// The open connections of a server.
#[derive(Debug)]
pub(super) struct OpenConnections {
    limits: ConnectionLimits,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    total: usize,
    by_network: HashMap<IpAddr, usize>,
}

/// The place of one open connection; dropped when it is closed.
#[derive(Debug)]
pub(crate) struct ConnectionSlot {
    open: Arc<OpenConnections>,
    /// `None` for a trusted proxy.
    network: Option<IpAddr>,
}

impl OpenConnections {
    pub(super) fn new(limits: ConnectionLimits) -> Self {
        Self {
            limits,
            counts: Mutex::default(),
        }
    }

    /// A slot for a connection from this address, or why there is none.
    pub(super) fn admit(self: &Arc<Self>, address: IpAddr) -> Result<ConnectionSlot, Refusal> {
        let proxies = &self.limits.trusted_proxies;
        let is_proxy = proxies.iter().any(|network| network.contains(&address));
        let network = (!is_proxy).then(|| client_network(address));
        let mut counts = self.counts();
        if counts.total >= self.limits.total {
            return Err(Refusal::Total);
        }
        if let Some(network) = network {
            let count = counts.by_network.entry(network).or_default();
            if *count >= self.limits.per_address {
                return Err(Refusal::Address);
            }
            *count += 1;
        }
        counts.total += 1;
        drop(counts);
        Ok(ConnectionSlot {
            open: Arc::clone(self),
            network,
        })
    }

    /// Whether more than three quarters of the maximum are open.
    pub(super) fn is_scarce(&self) -> bool {
        let total = self.counts().total;
        total > self.limits.total - self.limits.total / 4
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        let mut counts = self.open.counts();
        counts.total -= 1;
        if let Some(Entry::Occupied(mut entry)) =
            self.network.map(|network| counts.by_network.entry(network))
        {
            *entry.get_mut() -= 1;
            if *entry.get() == 0 {
                entry.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(total: usize, per_address: usize) -> Arc<OpenConnections> {
        Arc::new(OpenConnections::new(ConnectionLimits {
            total,
            per_address,
            trusted_proxies: vec!["10.0.0.0/8".parse().unwrap()],
        }))
    }

    fn admit(open: &Arc<OpenConnections>, address: &str) -> Result<ConnectionSlot, Refusal> {
        open.admit(address.parse().unwrap())
    }

    #[test]
    fn one_address_has_a_part_of_all_connections() {
        let open = open(5, 2);
        let first = admit(&open, "192.0.2.1").unwrap();
        let _second = admit(&open, "192.0.2.1").unwrap();
        assert_eq!(admit(&open, "192.0.2.1").unwrap_err(), Refusal::Address);
        drop(first);
        let _third = admit(&open, "192.0.2.1").unwrap();
        // An IPv6 subscriber has a /64.
        let _fourth = admit(&open, "2001:db8::1").unwrap();
        let _fifth = admit(&open, "2001:db8::2").unwrap();
        assert_eq!(admit(&open, "2001:db8::3").unwrap_err(), Refusal::Address);
        assert!(!open.is_scarce());
        let _other = admit(&open, "2001:db8:0:1::1").unwrap();
        assert!(open.is_scarce());
        assert_eq!(admit(&open, "198.51.100.7").unwrap_err(), Refusal::Total);
    }

    #[test]
    fn trusted_proxy_is_limited_by_the_total_only() {
        let open = open(3, 1);
        let slots: Vec<_> = (0..3).map(|_| admit(&open, "10.0.0.1").unwrap()).collect();
        assert_eq!(admit(&open, "10.0.0.1").unwrap_err(), Refusal::Total);
        drop(slots);
        assert!(!open.is_scarce());
        assert!(open.counts().by_network.is_empty());
    }

    #[test]
    fn closed_connections_leave_no_counters() {
        let open = open(2, 2);
        drop(admit(&open, "192.0.2.1"));
        let counts = open.counts();
        assert_eq!((counts.total, counts.by_network.len()), (0, 0));
    }

    #[test]
    fn limits_are_below_the_limit_of_open_files() {
        let derive = |settings, files| {
            let limits = ConnectionLimits::derive(settings, &[], files, 10);
            (limits.total, limits.per_address)
        };
        assert_eq!(derive((0, 0), Some(20_000)), (19_906, 9_953));
        assert_eq!(derive((0, 0), Some(1_024)), (930, 465));
        // A small limit keeps half for the server itself.
        assert_eq!(derive((0, 0), Some(48)), (24, 12));
        assert_eq!(derive((0, 0), None), (100_000, 50_000));
        assert_eq!(derive((500, 20), Some(1_024)), (500, 20));
        assert_eq!(derive((5_000, 2_000), Some(1_024)), (930, 930));
        assert_eq!(derive((500_000, 0), None), (500_000, 250_000));
    }
}
