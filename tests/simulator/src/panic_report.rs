//! A panic in a world is a violation like any other: it is reported with its case, and shrunk.
//!
//! The default hook would print a backtrace for each of the many panics met while a case is shrunk. On
//! a thread that runs a world, the panic's message and location are kept for the violation instead;
//! any other panic is printed as usual.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    /// Some on a thread that runs a world: the message of its panic.
    static MESSAGE: RefCell<Option<String>> = const { RefCell::new(None) };
}

static HOOK: Once = Once::new();

/// Runs code that may panic; returns the panic's message and location.
pub(super) fn catch<T>(run: impl FnOnce() -> T) -> Result<T, String> {
    HOOK.call_once(|| {
        let default_hook = take_hook();
        set_hook(Box::new(move |panic| {
            if !keep(panic) {
                default_hook(panic);
            }
        }));
    });
    MESSAGE.set(Some(String::new()));
    let outcome = catch_unwind(AssertUnwindSafe(run));
    let message = MESSAGE.take().unwrap_or_default();
    outcome.map_err(|_| format!("it panicked: {message}"))
}

/// Keeps a panic's message if its thread runs a world.
fn keep(panic: &PanicHookInfo<'_>) -> bool {
    let location = panic.location().map(ToString::to_string);
    let text = panic.payload_as_str().unwrap_or("no text");
    MESSAGE.with_borrow_mut(|message| {
        let message = message.as_mut();
        message
            .map(|message| *message = format!("{text} ({})", location.unwrap_or_default()))
            .is_some()
    })
}

#[cfg(test)]
mod tests {
    use super::super::shrink::shrink_by;
    use super::super::{Case, Report, Violation, run_with};
    use super::*;

    /// A run that panics at its second restart.
    fn run_until_restarted_twice(case: &Case) -> Result<Report, Violation> {
        run_with(case, |world| {
            let report = world.run()?;
            assert!(report.restarts < 2, "restarted {} times", report.restarts);
            Ok(report)
        })
        .1
    }

    #[test]
    fn panic_is_reported_with_its_case_and_shrunk() {
        let mut worlds = (0..100).map(Case::all);
        let violation = worlds
            .find_map(|case| run_until_restarted_twice(&case).err())
            .expect("some world restarts twice");
        let small = shrink_by(violation, run_until_restarted_twice);
        let only = small.case.only.as_ref().expect("it was shrunk");
        assert_eq!(only.len(), 2, "{small}");
        let report = small.to_string();
        assert!(report.starts_with("it panicked: restarted 2 times ("));
        assert!(report.contains("src/panic_report.rs:"), "{report}");
        let replays = format!("Replay: COLLOQUY_SEED={} cargo", small.case);
        assert!(report.contains(&replays), "{report}");
        // The reported case panics as well.
        assert!(run_until_restarted_twice(&small.case).is_err());
    }

    #[test]
    fn result_without_a_panic_is_returned() {
        assert_eq!(catch(|| 1), Ok(1));
    }
}
