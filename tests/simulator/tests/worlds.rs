//! Runs many worlds, each from a seed of its own.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, mpsc};
use std::time::Duration;

use colloquy_simulator::{Case, Report, Violation, replay, run, shrink};

/// The worlds of a plain, unoptimised test run; `cargo xtask simulate` runs more.
const WORLDS: u64 = 200;

/// An argument of this test, from the environment.
#[expect(
    clippy::disallowed_methods,
    reason = "a test's own argument, not a setting of core"
)]
fn argument<T: std::str::FromStr>(name: &str) -> Option<T> {
    let text = std::env::var(name).ok()?;
    let value = text.parse().ok();
    Some(value.unwrap_or_else(|| panic!("{name} cannot be {text}")))
}

/// Runs worlds on every core until one fails, or until it takes too long.
#[expect(clippy::disallowed_methods, reason = "a test may use all cores")]
fn explore(worlds: std::ops::Range<u64>, within: Option<Duration>) -> Result<Report, Violation> {
    let next = AtomicU64::new(worlds.start);
    let running = Mutex::new(BTreeSet::new());
    let seeds = || running.lock().unwrap_or_else(PoisonError::into_inner);
    let work = || {
        let mut total = Report::default();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= worlds.end {
                return Ok(total);
            }
            seeds().insert(seed);
            let report = run(&Case::all(seed)).inspect_err(|_| {
                next.store(worlds.end, Ordering::Relaxed);
            })?;
            seeds().remove(&seed);
            total.add(&report);
        }
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let (ended, end) = mpsc::channel::<()>();
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        if let Some(within) = within {
            scope.spawn(move || {
                if end.recv_timeout(within) == Err(mpsc::RecvTimeoutError::Timeout) {
                    give_up(within, &seeds());
                }
            });
        }
        let mut total = Report::default();
        for worker in workers {
            let report = worker
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
            total.add(&report);
        }
        drop(ended);
        Ok(total)
    })
}

/// Returns a result and the seconds it took.
#[expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the report has the real time; the worlds have virtual time"
)]
fn timed<T>(work: impl FnOnce() -> T) -> (T, f64) {
    let started = std::time::Instant::now();
    let done = work();
    (done, started.elapsed().as_secs_f64())
}

/// A world that does not end cannot be cancelled, so the process exits; it names the candidates.
#[expect(
    clippy::disallowed_methods,
    reason = "nothing else stops the other threads"
)]
fn give_up(within: Duration, running: &BTreeSet<u64>) {
    eprintln!(
        "not done within {} s; each of these worlds was running:",
        within.as_secs()
    );
    for seed in running {
        eprintln!("COLLOQUY_SEED={seed} cargo test -p colloquy-simulator --test worlds");
    }
    std::process::exit(1);
}

#[test]
fn no_world_violates_a_guarantee() {
    if let Some(case) = argument::<Case>("COLLOQUY_SEED") {
        let (trace, outcome) = replay(&case);
        println!("{}", trace.join("\n"));
        println!(
            "{:?}",
            outcome.unwrap_or_else(|violation| panic!("{violation}"))
        );
        return;
    }
    let worlds = argument("COLLOQUY_WORLDS").unwrap_or(WORLDS);
    let first: u64 = argument("COLLOQUY_FIRST").unwrap_or(0);
    let within = argument("COLLOQUY_WITHIN_SECONDS").map(Duration::from_secs);
    let (total, took) = timed(|| explore(first..first.saturating_add(worlds), within));
    let total = total.unwrap_or_else(|violation| panic!("{}", shrink(violation)));
    println!("{worlds} worlds from {first} on in {took:.1} s: {total:?}");
    // Worlds in which nothing happens prove nothing.
    for (name, count) in total.counts() {
        assert!(worlds < 100 || count > worlds / 50, "{name}: {count}");
    }
}

#[test]
fn case_is_parsed_from_its_display_form() {
    for text in ["17", "17:4,9,30", "17:"] {
        let case: Case = text.parse().expect(text);
        assert_eq!(case.to_string(), text);
        // Without planned events nothing fails, and the last message is stored.
        let (trace, outcome) = replay(&case);
        assert!(outcome.is_ok_and(|report| report.stored > 0) && !trace.is_empty());
    }
    for invalid in ["", "x", "1:a", "1;2"] {
        assert!(invalid.parse::<Case>().is_err(), "{invalid}");
    }
}
