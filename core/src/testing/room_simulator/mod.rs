//! Drives the real [`Room`](crate::room::Room) in virtual time, with lossy clients, a failing and
//! stalling store, restarts and other writers, all from one seed; the promises of
//! `docs/protocol.md` are checked at every step.
//!
//! `model_store.rs` is what the database promises, `client.rs` what a well-made client does and
//! checks, `world.rs` time, network and faults, `hands.rs` what carries out the Room's effects. To add a fault: a happening in `world.rs`. To add
//! a promise: a check where it can first be seen broken, naming the rule.

mod client;
mod hands;
mod model_store;
mod world;

use std::fmt;

/// A promise was broken. Its text names the seed; the same seed breaks it again.
#[derive(Debug, Clone)]
pub struct Violation {
    /// What replays it.
    pub seed: u64,
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
            self.what, self.step, self.seed
        )
    }
}

/// What a run came to, to see that it exercised something.
#[derive(Debug, Clone, Copy, Default)]
pub struct Report {
    /// Messages in the store at the end.
    pub stored: u64,
    /// Acknowledgements seen by clients.
    pub acked: u64,
    /// Events delivered to clients.
    pub delivered: u64,
    /// Resumes answered by `sync`.
    pub synced: u64,
    /// Commits that failed or whose answer was lost.
    pub failed_commits: u64,
    /// Times the Room was lost and made anew.
    pub restarts: u64,
}

/// Runs one world from a seed until every client is served and nothing is left to do.
///
/// # Errors
/// The first promise broken.
pub fn run(seed: u64) -> Result<Report, Violation> {
    world::World::new(seed).run()
}
