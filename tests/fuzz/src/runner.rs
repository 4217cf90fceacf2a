//! Runs a property on inputs or seeds, aborts on hangs, and shrinks failing inputs.

use std::cell::Cell;
use std::fmt::Write as _;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, Once};
use std::time::{Duration, Instant};

use fastrand::Rng;

use crate::corpus::{escape, inputs};
use crate::mutate::mutated;
use crate::selection::Selection;

/// A case that takes this long hangs. Generous, since the host may be busy.
const HANG_TIMEOUT: Duration = Duration::from_mins(1);

/// The most attempts to shrink a failing input.
const MAX_SHRINK_STEPS: u32 = 3_000;

/// The longest failing input that is printed, in escaped characters.
const MAX_PRINTED_CHARS: usize = 2_000;

/// A fuzz target: code that parses untrusted input.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// Its name in `cargo xtask fuzz`.
    pub name: &'a str,
    /// The text of its corpus: one escaped input per line.
    pub corpus: &'a str,
    /// A dictionary: tokens of the format that the corpus may lack.
    pub words: &'a [&'a str],
    /// The number of cases in a test run, a few seconds' worth.
    pub cases: u64,
}

impl Target<'_> {
    /// Runs `property`, which panics on a failure, on the corpus and on mutations of it.
    ///
    /// # Panics
    /// With the smallest failing input found, and the command that replays it.
    pub fn run(&self, property: impl Fn(&[u8])) {
        let corpus = inputs(self.corpus);
        let generated = |case| mutated(&mut self.random(case), &corpus, self.words);
        let selection = Selection::from_env(self.cases);
        let watchdog = Watchdog::default();
        let attempt = |case: Option<u64>, input: &[u8]| {
            watchdog.start(case);
            let outcome = caught(|| property(input));
            watchdog.end();
            if let Err(reason) = outcome {
                let (input, reason) = shrink(input.to_vec(), reason, &property);
                panic!("{}", self.failure(case, &input, &reason));
            }
        };
        watchdog.watch(self.name, || match &selection {
            Selection::Input(input) => attempt(None, input),
            Selection::Case(case) => attempt(Some(*case), &generated(*case)),
            Selection::Cases(_) | Selection::For(..) => {
                for input in &corpus {
                    attempt(None, input);
                }
                let count = selection.run(|case| attempt(Some(case), &generated(case)));
                println!("{}: {} inputs and {count} cases", self.name, corpus.len());
            }
        });
    }

    fn random(&self, case: u64) -> Rng {
        Rng::with_seed(seed(self.name, case))
    }

    fn failure(&self, case: Option<u64>, input: &[u8], reason: &str) -> String {
        let name = self.name;
        let line = escape(input);
        let mut text = format!("{name}: {reason}\n");
        // Writing to a String does not fail.
        let _ = match case {
            Some(case) => writeln!(text, "Replay: cargo xtask fuzz {name} --case {case}"),
            None => writeln!(
                text,
                "Replay: cargo xtask fuzz {name} --input '{}'",
                line.replace('\'', "\\x27")
            ),
        };
        let _ = if line.len() > MAX_PRINTED_CHARS {
            write!(text, "The smallest input found has {} bytes.", input.len())
        } else {
            write!(
                text,
                "The smallest input found, as a line for its corpus:\n{line}"
            )
        };
        text
    }
}

/// Runs `property` with `cases` seeded random generators, for properties of values instead of bytes.
///
/// # Panics
/// With the command that replays the failing case.
pub fn for_all(name: &str, cases: u64, property: impl Fn(&mut Rng)) {
    let selection = match Selection::from_env(cases) {
        // A single input is for another test of the same program.
        Selection::Input(_) => Selection::Cases(cases),
        selection => selection,
    };
    let watchdog = Watchdog::default();
    let attempt = |case: u64| {
        watchdog.start(Some(case));
        let outcome = caught(|| property(&mut Rng::with_seed(seed(name, case))));
        watchdog.end();
        if let Err(reason) = outcome {
            panic!("{name}: {reason}\nReplay: cargo xtask fuzz {name} --case {case}");
        }
    };
    watchdog.watch(name, || {
        let count = selection.run(attempt);
        println!("{name}: {count} cases");
    });
}

/// FNV-1a over the name, combined with the case. The generator scrambles the seed, so similar names and
/// cases give unrelated sequences.
fn seed(name: &str, case: u64) -> u64 {
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    hash ^ case.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

impl Selection {
    /// Runs the selected cases; returns their number.
    fn run(&self, attempt: impl Fn(u64)) -> u64 {
        match *self {
            Self::Input(_) => 0,
            Self::Case(case) => {
                attempt(case);
                1
            }
            Self::Cases(cases) => {
                (0..cases).for_each(attempt);
                cases
            }
            Self::For(length, from) => {
                let started = Instant::now();
                let cases = (from..).take_while(|_| started.elapsed() < length);
                cases.map(attempt).count() as u64
            }
        }
    }
}

/// Runs `work`; the error is the message of its panic.
fn caught(work: impl FnOnce()) -> Result<(), String> {
    thread_local!(static QUIET: Cell<bool> = const { Cell::new(false) });
    static HOOK: Once = Once::new();
    // Only the final, shrunken failure is printed.
    HOOK.call_once(|| {
        let default_hook = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !QUIET.get() {
                default_hook(info);
            }
        }));
    });
    QUIET.set(true);
    let outcome = panic::catch_unwind(AssertUnwindSafe(work));
    QUIET.set(false);
    outcome.map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        text.unwrap_or("a panic without a message").to_owned()
    })
}

/// Removes parts of a failing input while it still fails.
fn shrink(mut input: Vec<u8>, mut reason: String, property: impl Fn(&[u8])) -> (Vec<u8>, String) {
    let started = Instant::now();
    let mut steps = MAX_SHRINK_STEPS;
    let mut chunk = input.len().div_ceil(2).max(1);
    while chunk > 0 {
        let mut at = 0;
        while at < input.len() && steps > 0 && started.elapsed() < HANG_TIMEOUT / 2 {
            steps -= 1;
            let mut smaller = input.clone();
            smaller.drain(at..input.len().min(at + chunk));
            match caught(|| property(&smaller)) {
                Ok(()) => at += chunk,
                Err(other) => (input, reason) = (smaller, other),
            }
        }
        chunk /= 2;
    }
    (input, reason)
}

/// Aborts the process when a case hangs, and prints the command that replays it.
#[derive(Default)]
struct Watchdog {
    /// The running case and its start.
    current: Mutex<Option<(Option<u64>, Instant)>>,
    done: AtomicBool,
    woken: Condvar,
}

impl Watchdog {
    fn start(&self, case: Option<u64>) {
        *self.lock() = Some((case, Instant::now()));
    }

    fn end(&self) {
        *self.lock() = None;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<(Option<u64>, Instant)>> {
        self.current
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Runs `work` with a thread that watches it.
    fn watch(&self, name: &str, work: impl FnOnce()) {
        std::thread::scope(|scope| {
            scope.spawn(|| self.monitor(name));
            let outcome = panic::catch_unwind(AssertUnwindSafe(work));
            self.done.store(true, Ordering::Relaxed);
            self.woken.notify_all();
            outcome.unwrap_or_else(|panic| panic::resume_unwind(panic));
        });
    }

    fn monitor(&self, name: &str) {
        let mut current = self.lock();
        while !self.done.load(Ordering::Relaxed) {
            if let Some((case, since)) = *current
                && since.elapsed() > HANG_TIMEOUT
            {
                let which = case.map_or_else(
                    || "an input of its corpus".to_owned(),
                    |case| format!("case {case}\nReplay: cargo xtask fuzz {name} --case {case}"),
                );
                eprintln!(
                    "{name}: no result within {} s: {which}",
                    HANG_TIMEOUT.as_secs()
                );
                std::process::abort();
            }
            let waited = self.woken.wait_timeout(current, Duration::from_millis(200));
            current = waited.unwrap_or_else(std::sync::PoisonError::into_inner).0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TARGET: Target<'_> = Target {
        name: "example",
        corpus: "valid\nlonger valid words\n",
        words: &["bad"],
        cases: 5_000,
    };

    fn no_bad(input: &[u8]) {
        let text = String::from_utf8_lossy(input);
        assert!(!text.contains("ba"), "found it");
    }

    #[test]
    fn failing_input_is_shrunk_and_can_be_replayed() {
        let failure = caught(|| TARGET.run(no_bad)).expect_err("nothing was found");
        assert!(failure.starts_with("example: found it"), "{failure}");
        assert!(failure.ends_with("\nba"), "{failure}");
        let (_, case) = failure
            .split_once("fuzz example --case ")
            .expect("a replay command");
        let case: u64 = case
            .lines()
            .next()
            .unwrap_or_default()
            .parse()
            .expect("a case");
        let corpus = inputs(TARGET.corpus);
        let input = mutated(&mut TARGET.random(case), &corpus, TARGET.words);
        assert!(caught(|| no_bad(&input)).is_err());
    }

    #[test]
    fn property_that_holds_passes_all_cases() {
        TARGET.run(|_| {});
        for_all("numbers", 100, |random| assert!(random.u8(..10) < 10));
        let failure = caught(|| for_all("numbers", 100, |random| assert!(random.u8(..) < 200)));
        assert!(
            failure
                .expect_err("the property held")
                .contains("cargo xtask fuzz numbers --case ")
        );
    }
}
