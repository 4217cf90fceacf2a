//! A deterministic simulator of the Room and its host.
//!
//! It runs the product's own [`Host`](colloquy_proto::room::Host) and
//! [`Room`](colloquy_proto::room::Room) in virtual time, in *worlds* that follow from a seed: clients
//! of both protocol versions on connections that are slow, half-open or lost; a store that fails,
//! stalls, or stores without a response; Rooms that restart, hibernate, crash and overlap; clocks that
//! jump; sessions that are revoked. The guarantees of `docs/protocol.md` are checked at every step, and
//! once more when the world is idle; `docs/guarantees.md` lists which check holds which guarantee.
//!
//! A world has no threads, sockets or real clock, so a seed gives the same run every time. A failing
//! world is shrunk (delta debugging), and the report ends in the line that replays it. The mutants in
//! `mutants/` prove that the checks find faults: each plants one in a copy of the Room.
//!
//! | module | owns |
//! | --- | --- |
//! | `plan` | what happens in a world: clients, actions, faults |
//! | `world`, `events` | virtual time, the queue of events, the checks when idle |
//! | `actions` | carrying out the plan |
//! | `client`, `client_checks` | a correct client, and what it checks in every frame |
//! | `link`, `network`, `closing`, `heartbeats` | connections, latency, slow readers, close codes, dead connections |
//! | `sim_host`, `host_calls`, `host_sink`, `lifecycle` | a process with the Room: its inputs, its effects, how it loses its memory |
//! | `storage`, `model_store` | commits and loads with faults; the reference model of the database |
//! | `rest_requests`, `membership_check` | sends over REST; removed members |
//! | `rng`, `panic_report`, `shrink` | random streams, panics as violations, smaller cases |
//!
//! To add a fault: an entry of `plan.rs` and its arm in `actions.rs`. To add a guarantee: a check where
//! a violation is first visible, and a mutation that it catches.

mod actions;
mod client;
mod client_checks;
mod closing;
mod events;
mod heartbeats;
mod host_calls;
mod host_sink;
mod lifecycle;
mod link;
mod membership_check;
mod model_store;
mod network;
mod panic_report;
mod plan;
mod rest_requests;
mod rng;
mod shrink;
mod sim_host;
mod storage;
mod world;

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

pub use shrink::shrink;
use world::World;

/// A world: its seed, and which entries of its plan happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    seed: u64,
    /// All entries if `None`.
    only: Option<BTreeSet<u32>>,
}

impl Case {
    /// All that is planned from a seed.
    pub const fn all(seed: u64) -> Self {
        Self { seed, only: None }
    }

    fn only(seed: u64, numbers: impl IntoIterator<Item = u32>) -> Self {
        let only = Some(numbers.into_iter().collect());
        Self { seed, only }
    }

    fn has(&self, number: u32) -> bool {
        self.only.as_ref().is_none_or(|only| only.contains(&number))
    }
}

impl fmt::Display for Case {
    /// `17`, or for a shrunk case `17:4,9,30`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.seed)?;
        let Some(only) = &self.only else {
            return Ok(());
        };
        let numbers: Vec<String> = only.iter().map(u32::to_string).collect();
        write!(f, ":{}", numbers.join(","))
    }
}

impl FromStr for Case {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let Some((seed, numbers)) = text.split_once(':') else {
            return Ok(Self::all(text.parse()?));
        };
        let numbers = numbers.split(',').filter(|number| !number.is_empty());
        let numbers: Result<Vec<u32>, _> = numbers.map(str::parse).collect();
        Ok(Self::only(seed.parse()?, numbers?))
    }
}

/// A guarantee was violated. The text names the case; the same case violates it again.
#[derive(Debug, Clone)]
pub struct Violation {
    /// What replays it.
    pub case: Case,
    /// The step in which it was found.
    pub step: u64,
    /// What happened.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} (step {}). Replay: COLLOQUY_SEED={} cargo test -p colloquy-simulator --test worlds",
            self.what, self.step, self.case
        )
    }
}

macro_rules! report {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {
        /// Counts of what happened in runs, to see that they exercised something.
        #[derive(Debug, Clone, Copy, Default)]
        pub struct Report {
            $($(#[$doc])* pub $name: u64,)+
        }

        impl Report {
            /// Adds the counts of another run.
            pub const fn add(&mut self, other: &Self) {
                $(self.$name += other.$name;)+
            }

            /// Each count with its name.
            pub const fn counts(&self) -> impl IntoIterator<Item = (&'static str, u64)> {
                [$((stringify!($name), self.$name)),+]
            }
        }
    };
}

report! {
    /// Messages in the store at the end.
    stored,
    /// Acknowledgements seen by clients.
    acked,
    /// Events delivered to clients.
    delivered,
    /// Resumes answered by `sync`.
    synced,
    /// Resumes answered by `reset`.
    resets,
    /// Sends over REST that were answered.
    answers,
    /// Commits that failed or whose response was lost.
    failed_commits,
    /// Sends denied because of a revoked session or a removed member.
    denied,
    /// Edits, deletions, and members added or removed.
    changes,
    /// Connections closed because their reader was too slow.
    slow,
    /// Connections closed because their client was silent.
    silent,
    /// Restarts of a process.
    restarts,
    /// Hibernations of a Room.
    sleeps,
    /// Crashes of a Room whose sockets stayed.
    crashes,
    /// Second Rooms started beside the first.
    overlaps,
    /// Clock jumps.
    clocks,
}

/// Runs one world until it is idle.
///
/// # Errors
/// The first violation; a panic is one.
pub fn run(case: &Case) -> Result<Report, Violation> {
    run_with(case, World::run).1
}

/// As [`run`], with a trace of everything that happened, a line each.
pub fn replay(case: &Case) -> (Vec<String>, Result<Report, Violation>) {
    run_with(case, |world| {
        world.enable_trace();
        world.run()
    })
}

/// Runs a world; returns its trace too.
fn run_with(
    case: &Case,
    run: impl FnOnce(&mut World) -> Result<Report, String>,
) -> (Vec<String>, Result<Report, Violation>) {
    let mut world = World::new(case);
    let outcome = panic_report::catch(|| run(&mut world)).flatten();
    let outcome = outcome.map_err(|what| Violation {
        case: case.clone(),
        step: world.step(),
        what,
    });
    (world.trace(), outcome)
}
