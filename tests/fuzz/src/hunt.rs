//! Tries a property with input after input, watches the time, and makes what fails small.

use std::cell::Cell;
use std::fmt::Write as _;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, Once};
use std::time::{Duration, Instant};

use fastrand::Rng;

use crate::corpus::{escape, inputs};
use crate::mutate::mutated;
use crate::plan::Plan;

/// Nothing takes this long unless it does not end. No measure of speed: machines may be busy.
const PATIENCE: Duration = Duration::from_mins(1);

/// How often a failing input is tried in other, smaller forms.
const SHRINKING_STEPS: u32 = 3_000;

/// How much of a failing input is printed, in characters of its escapes.
const SHOWN_CHARS: usize = 2_000;

/// Something that reads bytes of strangers.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// As `cargo xtask fuzz` calls it.
    pub name: &'a str,
    /// The text of its corpus: an input a line, in the escapes of a byte string.
    pub corpus: &'a str,
    /// Words of its language that its corpus may lack.
    pub words: &'a [&'a str],
    /// How many cases a plain test run tries: a few seconds' worth.
    pub cases: u64,
}

impl Target<'_> {
    /// Tries `property` with the corpus and with mutations of it. `property` panics where a
    /// promise is broken.
    ///
    /// # Panics
    /// With the smallest input found that breaks the property, and the line that replays it.
    pub fn run(&self, property: impl Fn(&[u8])) {
        let corpus = inputs(self.corpus);
        let made = |case| mutated(&mut self.random(case), &corpus, self.words);
        let plan = Plan::read(self.cases);
        let watch = Watch::default();
        let attempt = |case: Option<u64>, input: &[u8]| {
            watch.begin(case);
            let outcome = caught(|| property(input));
            watch.end();
            if let Err(reason) = outcome {
                let (input, reason) = shrink(input.to_vec(), reason, &property);
                panic!("{}", self.failure(case, &input, &reason));
            }
        };
        watch.over(self.name, || match &plan {
            Plan::Input(input) => attempt(None, input),
            Plan::Case(case) => attempt(Some(*case), &made(*case)),
            Plan::Cases(_) | Plan::For(..) => {
                for input in &corpus {
                    attempt(None, input);
                }
                let tried = plan.cases(|case| attempt(Some(case), &made(case)));
                println!("{}: {} inputs and {tried} cases", self.name, corpus.len());
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
        // Writing to a String cannot fail.
        let _ = match case {
            Some(case) => writeln!(text, "Replay: cargo xtask fuzz {name} --case {case}"),
            None => writeln!(
                text,
                "Replay: cargo xtask fuzz {name} --input '{}'",
                line.replace('\'', "\\x27")
            ),
        };
        let _ = if line.len() > SHOWN_CHARS {
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

/// Tries `property` with `cases` sources of randomness, for properties of values instead of bytes.
///
/// # Panics
/// With the line that replays the case that broke the property.
pub fn for_all(name: &str, cases: u64, property: impl Fn(&mut Rng)) {
    let plan = match Plan::read(cases) {
        // An input is meant for another test of the same program.
        Plan::Input(_) => Plan::Cases(cases),
        plan => plan,
    };
    let watch = Watch::default();
    let attempt = |case: u64| {
        watch.begin(Some(case));
        let outcome = caught(|| property(&mut Rng::with_seed(seed(name, case))));
        watch.end();
        if let Err(reason) = outcome {
            panic!("{name}: {reason}\nReplay: cargo xtask fuzz {name} --case {case}");
        }
    };
    watch.over(name, || {
        let tried = plan.cases(attempt);
        println!("{name}: {tried} cases");
    });
}

/// FNV-1a over the name, then the case: near cases of near names are far from each other, since
/// the generator scrambles its seed.
fn seed(name: &str, case: u64) -> u64 {
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    hash ^ case.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

impl Plan {
    /// Goes through the cases; how many there were.
    fn cases(&self, attempt: impl Fn(u64)) -> u64 {
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

/// The words of a panic, or nothing when there was none.
fn caught(work: impl FnOnce()) -> Result<(), String> {
    thread_local!(static QUIET: Cell<bool> = const { Cell::new(false) });
    static HOOK: Once = Once::new();
    // A panic is told once, small; not for every form it was tried in.
    HOOK.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !QUIET.get() {
                usual(info);
            }
        }));
    });
    QUIET.set(true);
    let outcome = panic::catch_unwind(AssertUnwindSafe(work));
    QUIET.set(false);
    outcome.map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        text.unwrap_or("a panic without words").to_owned()
    })
}

/// Leaves out parts of a failing input, and simplifies bytes, as long as it still fails.
fn shrink(mut input: Vec<u8>, mut reason: String, property: impl Fn(&[u8])) -> (Vec<u8>, String) {
    let started = Instant::now();
    let mut steps = SHRINKING_STEPS;
    let mut chunk = input.len().div_ceil(2).max(1);
    while chunk > 0 {
        let mut at = 0;
        while at < input.len() && steps > 0 && started.elapsed() < PATIENCE / 2 {
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

/// Ends the program when a case does not end: a test that hangs tells nothing.
#[derive(Default)]
struct Watch {
    /// The case under way, and since when.
    current: Mutex<Option<(Option<u64>, Instant)>>,
    done: AtomicBool,
    woken: Condvar,
}

impl Watch {
    fn begin(&self, case: Option<u64>) {
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

    /// Does the work under watch.
    fn over(&self, name: &str, work: impl FnOnce()) {
        std::thread::scope(|scope| {
            scope.spawn(|| self.keep(name));
            let outcome = panic::catch_unwind(AssertUnwindSafe(work));
            self.done.store(true, Ordering::Relaxed);
            self.woken.notify_all();
            outcome.unwrap_or_else(|panic| panic::resume_unwind(panic));
        });
    }

    fn keep(&self, name: &str) {
        let mut current = self.lock();
        while !self.done.load(Ordering::Relaxed) {
            if let Some((case, since)) = *current
                && since.elapsed() > PATIENCE
            {
                let which = case.map_or_else(
                    || "an input of its corpus".to_owned(),
                    |case| format!("case {case}\nReplay: cargo xtask fuzz {name} --case {case}"),
                );
                eprintln!("{name}: no end within {} s: {which}", PATIENCE.as_secs());
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
        corpus: "harmless\nlonger words without harm\n",
        words: &["bad"],
        cases: 5_000,
    };

    fn no_bad(input: &[u8]) {
        let text = String::from_utf8_lossy(input);
        assert!(!text.contains("ba"), "found it");
    }

    #[test]
    fn what_fails_is_made_small_and_can_be_replayed() {
        let told = caught(|| TARGET.run(no_bad)).expect_err("nothing was found");
        assert!(told.starts_with("example: found it"), "{told}");
        assert!(told.ends_with("\nba"), "{told}");
        let (_, case) = told
            .split_once("fuzz example --case ")
            .expect("a line to replay");
        let case: u64 = case
            .lines()
            .next()
            .unwrap_or_default()
            .parse()
            .expect("a case");
        let corpus = inputs(TARGET.corpus);
        let made = mutated(&mut TARGET.random(case), &corpus, TARGET.words);
        assert!(caught(|| no_bad(&made)).is_err());
    }

    #[test]
    fn a_harmless_property_holds_for_all() {
        TARGET.run(|_| {});
        for_all("numbers", 100, |random| assert!(random.u8(..10) < 10));
        let told = caught(|| for_all("numbers", 100, |random| assert!(random.u8(..) < 200)));
        assert!(
            told.expect_err("it held")
                .contains("cargo xtask fuzz numbers --case ")
        );
    }
}
