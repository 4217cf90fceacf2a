//! The Room under chaos: many seeds, each a world of its own.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, mpsc};
use std::time::Duration;

use colloquy_simulator::{Case, Report, Violation, replay, run, shrink};

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

/// Runs worlds on every core until one breaks a promise, or until it takes too long.
#[expect(clippy::disallowed_methods, reason = "a test may use all cores")]
fn explore(worlds: std::ops::Range<u64>, within: Option<Duration>) -> Result<Report, Violation> {
    let next = AtomicU64::new(worlds.start);
    let under_way = Mutex::new(BTreeSet::new());
    let seeds = || under_way.lock().unwrap_or_else(PoisonError::into_inner);
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

/// Does something, and says how many seconds it took.
#[expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "whoever explores wants to know how long it takes; the worlds have a time of their own"
)]
fn timed<T>(work: impl FnOnce() -> T) -> (T, f64) {
    let started = std::time::Instant::now();
    let done = work();
    (done, started.elapsed().as_secs_f64())
}

/// A world that does not end cannot be left, so the process ends; it names those it may be.
#[expect(clippy::disallowed_methods, reason = "nothing else stops the others")]
fn give_up(within: Duration, under_way: &BTreeSet<u64>) {
    eprintln!(
        "not done within {} s; each of these worlds was under way:",
        within.as_secs()
    );
    for seed in under_way {
        eprintln!("COLLOQUY_SEED={seed} cargo test -p colloquy-core --test room_simulator");
    }
    std::process::exit(1);
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
