//! Drives the real [`Room`](colloquy_proto::room::Room) in virtual time, in worlds that follow from a seed:
//! lossy connections, slow readers, a store that fails, stalls or stores without an answer, Rooms
//! that restart, sleep, crash and overlap, clocks that are set, logins that end. The promises of
//! `docs/protocol.md` are checked while that goes on; `docs/guarantees.md` says which check holds
//! which, and when.
//!
//! `plan.rs` is what happens in a world, `world.rs` time, `network.rs` connections, `host.rs` and
//! `storage.rs` what carries out the Room's effects, `client.rs` and `hearing.rs` what a well-made
//! client does and checks, `heartbeat.rs` who is heard, `leaving.rs` who is a member no more, `rest.rs` sends without a socket, `model_store.rs` what the database
//! promises, `panics.rs` how a panic is told, `shrink.rs` how a failing world is made small. To add a fault: an entry of `plan.rs`
//! and its arm in `deeds.rs`. To add a promise: a check where it can first be seen broken. To see
//! that a check bites: a mutation in `xtask/src/simulator`.

mod chance;
mod client;
mod deeds;
mod hearing;
mod heartbeat;
mod host;
mod leaving;
mod memory;
mod model_store;
mod network;
mod panics;
mod plan;
mod rest;
mod shrink;
mod storage;
mod world;

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

pub use shrink::shrink;
use world::World;

/// A world: its seed, and what of its plan happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    seed: u64,
    /// All of it when none.
    only: Option<BTreeSet<u32>>,
}

impl Case {
    /// Everything that is planned from a seed.
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
    /// `17`, or of a case made small `17:4,9,30`.
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

/// A promise was broken. Its text names the case; the same case breaks it again.
#[derive(Debug, Clone)]
pub struct Violation {
    /// What replays it.
    pub case: Case,
    /// How many steps had been taken.
    pub step: u64,
    /// What was promised and what happened.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} (step {}). Replay: COLLOQUY_SEED={} cargo test -p colloquy-core --test room_simulator",
            self.what, self.step, self.case
        )
    }
}

macro_rules! report {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {
        /// What runs came to, to see that they exercised something.
        #[derive(Debug, Clone, Copy, Default)]
        pub struct Report {
            $($(#[$doc])* pub $name: u64,)+
        }

        impl Report {
            /// Adds what another run came to.
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
    /// Commits that failed or whose answer was lost.
    failed_commits,
    /// Sends refused because a login was over or its user no member.
    denied,
    /// Edits, deletions, and members who came or went.
    changes,
    /// Connections closed because their reader was too slow.
    slow,
    /// Connections closed because nothing was heard of their client.
    silent,
    /// Times a process died.
    restarts,
    /// Times a Room slept.
    sleeps,
    /// Times a Room lost its memory while its sockets stayed.
    crashes,
    /// Times a second Room came up beside the first.
    overlaps,
    /// Times a clock was set.
    clocks,
}

/// Runs one world until every client is served and nothing is left to do.
///
/// # Errors
/// The first promise broken; a panic breaks one.
pub fn run(case: &Case) -> Result<Report, Violation> {
    live(case, World::run).1
}

/// As [`run`], with everything that happened, a line each.
pub fn replay(case: &Case) -> (Vec<String>, Result<Report, Violation>) {
    live(case, |world| {
        world.write_down();
        world.run()
    })
}

/// Lives a world, and answers its diary too.
fn live(
    case: &Case,
    life: impl FnOnce(&mut World) -> Result<Report, String>,
) -> (Vec<String>, Result<Report, Violation>) {
    let mut world = World::new(case);
    let outcome = panics::caught(|| life(&mut world)).flatten();
    let outcome = outcome.map_err(|what| Violation {
        case: case.clone(),
        step: world.step(),
        what,
    });
    (world.diary(), outcome)
}
