//! What is to go wrong and when: drawn from a seed before the run, so that a run can be had again.
//! The clients' answers take the time they take, so a replay meets the same faults at the same
//! moments, not the same bytes in flight.
//!
//! To add a fault: a row in [`Kind::ALL`] with what it needs, and its deed in `faults`.

use std::fmt;
use std::time::Duration;

use fastrand::Rng;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    ServerKilled,
    ServerRestarted,
    ServerFrozen,
    PostgresKilled,
    DatabaseCut,
    DatabaseStalled,
    RedisKilled,
    RedisFrozen,
    RedisHttpKilled,
    RedisHttpFrozen,
    LinesCut,
    LinesSilent,
    LinesSlow,
    SlowReaders,
    Storm,
}

/// Faults of one lane wait for each other; the two lanes go on side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    Servers,
    Lines,
}

impl Kind {
    /// All, with the lane of each, what the host must have for it, and its name in the table.
    const ALL: [(Self, Lane, Option<&'static str>, &'static str); 15] = [
        (
            Self::ServerKilled,
            Lane::Servers,
            Some("server"),
            "server killed",
        ),
        (
            Self::ServerRestarted,
            Lane::Servers,
            Some("server"),
            "server restarted",
        ),
        (
            Self::ServerFrozen,
            Lane::Servers,
            Some("server"),
            "server frozen",
        ),
        (
            Self::PostgresKilled,
            Lane::Servers,
            Some("postgres"),
            "PostgreSQL killed",
        ),
        (
            Self::DatabaseCut,
            Lane::Servers,
            Some("postgres"),
            "database connections cut",
        ),
        (
            Self::DatabaseStalled,
            Lane::Servers,
            None,
            "database stalled",
        ),
        (
            Self::RedisKilled,
            Lane::Servers,
            Some("redis"),
            "Redis killed",
        ),
        (
            Self::RedisFrozen,
            Lane::Servers,
            Some("redis"),
            "Redis frozen",
        ),
        (
            Self::RedisHttpKilled,
            Lane::Servers,
            Some("redis-http"),
            "redis-http killed",
        ),
        (
            Self::RedisHttpFrozen,
            Lane::Servers,
            Some("redis-http"),
            "redis-http frozen",
        ),
        (Self::LinesCut, Lane::Lines, None, "connections cut"),
        (Self::LinesSilent, Lane::Lines, None, "connections silenced"),
        (Self::LinesSlow, Lane::Lines, None, "connections slowed"),
        (Self::SlowReaders, Lane::Lines, None, "readers stalled"),
        (Self::Storm, Lane::Lines, None, "all connections cut"),
    ];

    /// Those of a lane that a host can have.
    fn of(lane: Lane, capabilities: &[String]) -> Vec<Self> {
        let has = |needed: Option<&str>| {
            needed.is_none_or(|needed| capabilities.iter().any(|name| name == needed))
        };
        let rows = Self::ALL.iter();
        rows.filter(|(_, of, needed, _)| *of == lane && has(*needed))
            .map(|(kind, ..)| *kind)
            .collect()
    }

    /// For how long, in milliseconds, it may last.
    fn lasts(self) -> std::ops::Range<u64> {
        match self {
            Self::ServerKilled
            | Self::ServerRestarted
            | Self::DatabaseCut
            | Self::LinesCut
            | Self::Storm => 0..1,
            Self::ServerFrozen | Self::RedisFrozen | Self::RedisHttpFrozen => 200..2_500,
            Self::PostgresKilled | Self::RedisKilled | Self::RedisHttpKilled => 100..2_000,
            Self::DatabaseStalled => 200..3_000,
            Self::LinesSilent | Self::LinesSlow => 500..3_000,
            // Not for long: who reads again soon hears how the socket was closed.
            Self::SlowReaders => 1_500..4_000,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = Self::ALL.iter().find(|(kind, ..)| kind == self);
        f.write_str(row.map_or("", |(.., name)| name))
    }
}

/// One thing that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// When, from the beginning of the run; later when the one before takes longer.
    pub(crate) at: Duration,
    pub(crate) kind: Kind,
    pub(crate) lasts: Duration,
    /// To how many connections in a hundred.
    pub(crate) percent: u32,
    /// On which server, where a fault is one server's.
    pub(crate) server: usize,
}

/// All faults of one lane within `time`. Kinds come in shuffled decks: each once before any comes
/// again.
pub(crate) fn plan(seed: u64, lane: Lane, time: Duration, capabilities: &[String]) -> Vec<Fault> {
    let kinds = Kind::of(lane, capabilities);
    let mut rng = Rng::with_seed(seed ^ lane as u64);
    let mut deck = Vec::new();
    let mut faults = Vec::new();
    let mut at = Duration::from_millis(rng.u64(300..1_000));
    while at < time && !kinds.is_empty() {
        if deck.is_empty() {
            deck.clone_from(&kinds);
            rng.shuffle(&mut deck);
        }
        let Some(kind) = deck.pop() else { break };
        let fault = Fault {
            at,
            kind,
            lasts: Duration::from_millis(rng.u64(kind.lasts())),
            percent: rng.u32(5..60),
            // The second server has a quarter of the clients, and of the faults.
            server: usize::from(rng.u32(0..4) == 0),
        };
        let rest = match lane {
            Lane::Servers => 600..1_800,
            Lane::Lines => 200..1_000,
        };
        at += fault.lasts + Duration::from_millis(rng.u64(rest));
        faults.push(fault);
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    fn everything() -> Vec<String> {
        let names = ["server", "postgres", "redis", "redis-http"];
        names.map(str::to_owned).to_vec()
    }

    #[test]
    fn a_seed_tells_the_whole_plan() {
        let plan = |seed| plan(seed, Lane::Servers, MINUTE, &everything());
        assert_eq!(plan(7), plan(7));
        assert_ne!(plan(7), plan(8));
    }

    #[test]
    fn a_minute_has_every_fault_the_host_can_have() {
        for seed in 0..50 {
            for lane in [Lane::Servers, Lane::Lines] {
                let planned = plan(seed, lane, MINUTE, &everything());
                for kind in Kind::of(lane, &everything()) {
                    assert!(
                        planned.iter().any(|fault| fault.kind == kind),
                        "{seed} {kind}"
                    );
                }
            }
            let alone = plan(seed, Lane::Servers, MINUTE, &["server".to_owned()]);
            assert!(alone.iter().all(|fault| fault.kind != Kind::PostgresKilled));
        }
    }
}
