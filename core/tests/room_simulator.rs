//! The Room under chaos: many seeds, each a world of its own.

use std::sync::atomic::{AtomicU64, Ordering};

use colloquy_core::testing::room_simulator::{Case, Report, Violation, replay, run, shrink};

/// How many worlds a plain test run tries, unoptimised as it is; `cargo xtask simulate` tries more.
const WORLDS: u64 = 200;

/// A value from the environment: which worlds to try is chosen by whoever runs the test.
#[expect(
    clippy::disallowed_methods,
    reason = "a test's own argument, not a setting of core"
)]
fn argument<T: std::str::FromStr>(name: &str) -> Option<T> {
    let text = std::env::var(name).ok()?;
    let value = text.parse().ok();
    Some(value.unwrap_or_else(|| panic!("{name} cannot be {text}")))
}

/// Runs worlds on every core until one breaks a promise.
#[expect(clippy::disallowed_methods, reason = "a test may use all cores")]
fn explore(worlds: u64) -> Result<Report, Violation> {
    let next = AtomicU64::new(0);
    let work = || {
        let mut total = Report::default();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= worlds {
                return Ok(total);
            }
            let report = run(&Case::all(seed)).inspect_err(|_| {
                next.store(worlds, Ordering::Relaxed);
            })?;
            total.add(&report);
        }
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        let mut total = Report::default();
        for worker in workers {
            let report = worker
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
            total.add(&report);
        }
        Ok(total)
    })
}

#[test]
fn no_world_breaks_a_promise() {
    if let Some(case) = argument::<Case>("COLLOQUY_SEED") {
        let (diary, outcome) = replay(&case);
        println!("{}", diary.join("\n"));
        println!(
            "{:?}",
            outcome.unwrap_or_else(|violation| panic!("{violation}"))
        );
        return;
    }
    let worlds = argument("COLLOQUY_WORLDS").unwrap_or(WORLDS);
    let total = explore(worlds).unwrap_or_else(|violation| panic!("{}", shrink(violation)));
    println!("{worlds} worlds: {total:?}");
    // Worlds in which nothing happens prove nothing.
    for (name, count) in total.counts() {
        assert!(worlds < 100 || count > worlds / 50, "{name}: {count}");
    }
}

#[test]
fn a_case_reads_as_it_is_written() {
    for text in ["17", "17:4,9,30", "17:"] {
        let case: Case = text.parse().expect(text);
        assert_eq!(case.to_string(), text);
        // With nothing planned nothing goes wrong, and the last word is stored.
        let (diary, outcome) = replay(&case);
        assert!(outcome.is_ok_and(|report| report.stored > 0) && !diary.is_empty());
    }
    for wrong in ["", "x", "1:a", "1;2"] {
        assert!(wrong.parse::<Case>().is_err(), "{wrong}");
    }
}
