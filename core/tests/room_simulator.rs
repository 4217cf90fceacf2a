//! The Room under chaos: many seeds, each a world of its own.

use colloquy_core::testing::room_simulator::{Report, run};

/// How many worlds a plain test run tries; `COLLOQUY_WORLDS` asks for more.
const WORLDS: u64 = 400;

#[test]
fn no_world_breaks_a_promise() {
    if let Ok(seed) = std::env::var("COLLOQUY_SEED") {
        let seed = seed.parse().expect("COLLOQUY_SEED is a number");
        println!(
            "{:?}",
            run(seed).unwrap_or_else(|violation| panic!("{violation}"))
        );
        return;
    }
    let mut total = Report::default();
    let worlds = std::env::var("COLLOQUY_WORLDS")
        .ok()
        .and_then(|count| count.parse().ok());
    let worlds = worlds.unwrap_or(WORLDS);
    for seed in 0..worlds {
        let report = run(seed).unwrap_or_else(|violation| panic!("{violation}"));
        total.stored += report.stored;
        total.acked += report.acked;
        total.delivered += report.delivered;
        total.synced += report.synced;
        total.failed_commits += report.failed_commits;
        total.restarts += report.restarts;
    }
    println!("{total:?}");
    // A world in which nothing happens proves nothing.
    assert!(total.acked > worlds * 10, "{total:?}");
    assert!(total.synced > worlds && total.failed_commits > worlds && total.restarts > worlds);
}
