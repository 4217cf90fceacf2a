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

    /// Those that a host can have, by their lanes.
    pub(crate) fn all(capabilities: &[String]) -> Vec<Self> {
        let lanes = [Lane::Servers, Lane::Lines].into_iter();
        lanes
            .flat_map(|lane| Self::of(lane, capabilities))
            .collect()
    }

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
/// again. The first deck is whole and takes half of the time at most, at a quicker pace if need be
/// (but [`PACE`]): with the time that killing and starting takes, each kind comes in a short run too.
pub(crate) fn plan(seed: u64, lane: Lane, time: Duration, capabilities: &[String]) -> Vec<Fault> {
    let kinds = Kind::of(lane, capabilities);
    let mut rng = Rng::with_seed(seed ^ lane as u64);
    let mut at = Duration::from_millis(rng.u64(300..1_000));
    let mut faults = deck(lane, &kinds, &mut at, &mut rng);
    let pace = (time.as_secs_f64() / 2.0 / at.as_secs_f64()).clamp(PACE, 1.0);
    for fault in &mut faults {
        (fault.at, fault.lasts) = (fault.at.mul_f64(pace), fault.lasts.mul_f64(pace));
    }
    at = at.mul_f64(pace);
    while at < time && !kinds.is_empty() {
        let more = deck(lane, &kinds, &mut at, &mut rng).into_iter();
        faults.extend(more.take_while(|fault| fault.at < time));
    }
    faults
}

/// The quickest pace of faults: a fault that is over at once is none.
const PACE: f64 = 0.25;

/// One fault of each kind, from `at` on, which becomes the end of them.
fn deck(lane: Lane, kinds: &[Kind], at: &mut Duration, rng: &mut Rng) -> Vec<Fault> {
    let mut kinds = kinds.to_vec();
    rng.shuffle(&mut kinds);
    let faults = kinds.into_iter().map(|kind| {
        let fault = Fault {
            at: *at,
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
        *at += fault.lasts + Duration::from_millis(rng.u64(rest));
        fault
    });
    faults.collect()
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
    fn half_of_a_short_run_has_every_fault_the_host_can_have() {
        // As long as the one of every test run, which is the shortest there is.
        let short = Duration::from_secs(27);
        for seed in 0..500 {
            for lane in [Lane::Servers, Lane::Lines] {
                let planned = plan(seed, lane, short, &everything());
                let is_over = |fault: &&Fault| fault.at + fault.lasts <= short / 2;
                let mut early: Vec<Kind> = planned.iter().filter(is_over).map(kind).collect();
                early.sort_unstable();
                early.dedup();
                assert_eq!(early, Kind::of(lane, &everything()), "{seed}");
                assert!(planned.iter().all(|fault| fault.at < short));
            }
        }
    }

    #[test]
    fn a_run_of_no_time_at_all_has_every_fault_once() {
        for lane in [Lane::Servers, Lane::Lines] {
            let mut planned = plan(7, lane, Duration::from_secs(1), &everything());
            planned.sort_unstable_by_key(kind);
            let kinds: Vec<Kind> = planned.iter().map(kind).collect();
            assert_eq!(kinds, Kind::of(lane, &everything()));
        }
    }

    fn kind(fault: &Fault) -> Kind {
        fault.kind
    }

    #[test]
    fn a_host_has_what_it_can_have() {
        for seed in 0..50 {
            let alone = plan(seed, Lane::Servers, MINUTE, &["server".to_owned()]);
            assert!(alone.iter().all(|fault| fault.kind != Kind::PostgresKilled));
        }
    }
}
