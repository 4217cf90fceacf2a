//! The Room under chaos: many seeds, each a world of its own.

use colloquy_core::testing::room_simulator::{Report, run};

/// How many worlds a plain test run tries; `COLLOQUY_WORLDS` asks for more.
const WORLDS: u64 = 400;

/// A number from the environment: which worlds to try is chosen by whoever runs the test.
#[expect(
    clippy::disallowed_methods,
    reason = "a test's own argument, not a setting of core"
)]
fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name} is not a number: {text}")),
    )
}

#[test]
fn no_world_breaks_a_promise() {
    if let Some(seed) = number("COLLOQUY_SEED") {
        println!(
            "{:?}",
            run(seed).unwrap_or_else(|violation| panic!("{violation}"))
        );
        return;
    }
    let worlds = number("COLLOQUY_WORLDS").unwrap_or(WORLDS);
    let mut total = Report::default();
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
