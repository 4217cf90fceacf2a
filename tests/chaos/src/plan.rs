//! The plan of faults, drawn from a seed before the run, so that it can be replayed. Response times
//! vary, so a replay has the same faults at the same times, not the same bytes in flight.
//!
//! To add a fault: a row in [`FaultKind::ALL`] with what it needs, and its action in `faults`.

use std::fmt;
use std::time::Duration;

use fastrand::Rng;

/// The kinds of faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum FaultKind {
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
    ConnectionsReset,
    ConnectionsBlackholed,
    ConnectionsSlowed,
    ReadersStalled,
    AllConnectionsReset,
}

/// The faults of one lane run one after the other; the two lanes run concurrently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    Servers,
    Network,
}

impl FaultKind {
    /// All kinds, each with its lane, the capability it needs, and its name in the report.
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
        (
            Self::ConnectionsReset,
            Lane::Network,
            None,
            "connections reset",
        ),
        (
            Self::ConnectionsBlackholed,
            Lane::Network,
            None,
            "connections black-holed",
        ),
        (
            Self::ConnectionsSlowed,
            Lane::Network,
            None,
            "connections slowed",
        ),
        (Self::ReadersStalled, Lane::Network, None, "readers stalled"),
        (
            Self::AllConnectionsReset,
            Lane::Network,
            None,
            "all connections reset",
        ),
    ];

    /// The kinds that a host supports, by lane.
    pub(crate) fn all(capabilities: &[String]) -> Vec<Self> {
        let lanes = [Lane::Servers, Lane::Network].into_iter();
        lanes
            .flat_map(|lane| Self::of(lane, capabilities))
            .collect()
    }

    /// The kinds of a lane that a host supports.
    fn of(lane: Lane, capabilities: &[String]) -> Vec<Self> {
        let has = |needed: Option<&str>| {
            needed.is_none_or(|needed| capabilities.iter().any(|name| name == needed))
        };
        let rows = Self::ALL.iter();
        rows.filter(|(_, of, needed, _)| *of == lane && has(*needed))
            .map(|(kind, ..)| *kind)
            .collect()
    }

    /// The range of its duration, in milliseconds.
    fn lasts(self) -> std::ops::Range<u64> {
        match self {
            Self::ServerKilled
            | Self::ServerRestarted
            | Self::DatabaseCut
            | Self::ConnectionsReset
            | Self::AllConnectionsReset => 0..1,
            Self::ServerFrozen | Self::RedisFrozen | Self::RedisHttpFrozen => 200..2_500,
            Self::PostgresKilled | Self::RedisKilled | Self::RedisHttpKilled => 100..2_000,
            Self::DatabaseStalled => 200..3_000,
            Self::ConnectionsBlackholed | Self::ConnectionsSlowed => 500..3_000,
            // Short: a client that reads again soon reads the close of its socket.
            Self::ReadersStalled => 1_500..4_000,
        }
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = Self::ALL.iter().find(|(kind, ..)| kind == self);
        f.write_str(row.map_or("", |(.., name)| name))
    }
}

/// One planned fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// When, from the start of the run; later if the previous fault takes longer.
    pub(crate) at: Duration,
    pub(crate) kind: FaultKind,
    pub(crate) lasts: Duration,
    /// The percentage of connections affected.
    pub(crate) percent: u32,
    /// The server affected, for faults of one server.
    pub(crate) server: usize,
}

/// The faults of one lane within `time`. Kinds come in shuffled decks: each once before any repeats.
/// The first deck is always complete and takes at most half of the time, sped up if needed (down to
/// [`MIN_PACE`]), so that a short run has each kind as well.
pub(crate) fn plan(seed: u64, lane: Lane, time: Duration, capabilities: &[String]) -> Vec<Fault> {
    let kinds = FaultKind::of(lane, capabilities);
    let mut rng = Rng::with_seed(seed ^ lane as u64);
    let mut at = Duration::from_millis(rng.u64(300..1_000));
    let mut faults = deck(lane, &kinds, &mut at, &mut rng);
    let pace = (time.as_secs_f64() / 2.0 / at.as_secs_f64()).clamp(MIN_PACE, 1.0);
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

/// The smallest factor on durations: a fault that ends at once has no effect.
const MIN_PACE: f64 = 0.25;

/// One fault of each kind, starting at `at`, which is advanced past them.
fn deck(lane: Lane, kinds: &[FaultKind], at: &mut Duration, rng: &mut Rng) -> Vec<Fault> {
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
            Lane::Network => 200..1_000,
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
    fn plan_depends_on_the_seed_alone() {
        let plan = |seed| plan(seed, Lane::Servers, MINUTE, &everything());
        assert_eq!(plan(7), plan(7));
        assert_ne!(plan(7), plan(8));
    }

    #[test]
    fn half_of_a_short_run_has_every_supported_fault() {
        // The length of the run in every `cargo xtask test`, the shortest there is.
        let short = Duration::from_secs(27);
        for seed in 0..500 {
            for lane in [Lane::Servers, Lane::Network] {
                let planned = plan(seed, lane, short, &everything());
                let is_over = |fault: &&Fault| fault.at + fault.lasts <= short / 2;
                let mut early: Vec<FaultKind> = planned.iter().filter(is_over).map(kind).collect();
                early.sort_unstable();
                early.dedup();
                assert_eq!(early, FaultKind::of(lane, &everything()), "{seed}");
                assert!(planned.iter().all(|fault| fault.at < short));
            }
        }
    }

    #[test]
    fn run_of_one_second_has_every_fault_once() {
        for lane in [Lane::Servers, Lane::Network] {
            let mut planned = plan(7, lane, Duration::from_secs(1), &everything());
            planned.sort_unstable_by_key(kind);
            let kinds: Vec<FaultKind> = planned.iter().map(kind).collect();
            assert_eq!(kinds, FaultKind::of(lane, &everything()));
        }
    }

    fn kind(fault: &Fault) -> FaultKind {
        fault.kind
    }

    #[test]
    fn plan_has_supported_faults_only() {
        for seed in 0..50 {
            let alone = plan(seed, Lane::Servers, MINUTE, &["server".to_owned()]);
            assert!(
                alone
                    .iter()
                    .all(|fault| fault.kind != FaultKind::PostgresKilled)
            );
        }
    }
}
