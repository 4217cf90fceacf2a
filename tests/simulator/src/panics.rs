//! A panic in a world breaks a promise like any other fault: it is told with the case that brings
//! it about, and made small.
//!
//! The default hook would print the backtrace of each of the many panics met while a case is made
//! small. Where a world is being lived, what was said and where is kept instead, for the violation
//! to tell; any other panic is printed as always.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    /// Whether this thread lives a world, and what the panic said that ended it.
    static LIVING: RefCell<Option<String>> = const { RefCell::new(None) };
}

static HOOK: Once = Once::new();

/// Does what may panic; answers what the panic said, and where.
pub(super) fn caught<T>(life: impl FnOnce() -> T) -> Result<T, String> {
    HOOK.call_once(|| {
        let printing = take_hook();
        set_hook(Box::new(move |panic| {
            if !keep(panic) {
                printing(panic);
            }
        }));
    });
    LIVING.set(Some(String::new()));
    let outcome = catch_unwind(AssertUnwindSafe(life));
    let said = LIVING.take().unwrap_or_default();
    outcome.map_err(|_| format!("it panicked: {said}"))
}

/// Keeps what a panic says if its thread lives a world.
fn keep(panic: &PanicHookInfo<'_>) -> bool {
    let place = panic.location().map(ToString::to_string);
    let said = panic.payload_as_str().unwrap_or("no text");
    LIVING.with_borrow_mut(|living| {
        let kept = living.as_mut();
        kept.map(|kept| *kept = format!("{said} ({})", place.unwrap_or_default()))
            .is_some()
    })
}

#[cfg(test)]
mod tests {
    use super::super::shrink::shrink_by;
    use super::super::{Case, Report, Violation, live};
    use super::*;

    /// A world that cannot bear its second restart.
    fn frail(case: &Case) -> Result<Report, Violation> {
        live(case, |world| {
            let report = world.run()?;
            assert!(report.restarts < 2, "restarted {} times", report.restarts);
            Ok(report)
        })
        .1
    }

    #[test]
    fn a_panic_is_told_with_its_case_and_made_small() {
        let mut worlds = (0..100).map(Case::all);
        let violation = worlds
            .find_map(|case| frail(&case).err())
            .expect("some world restarts twice");
        let small = shrink_by(violation, frail);
        let only = small.case.only.as_ref().expect("it was made small");
        assert_eq!(only.len(), 2, "{small}");
        let told = small.to_string();
        assert!(told.starts_with("it panicked: restarted 2 times ("));
        assert!(told.contains("room_simulator/panics.rs:"), "{told}");
        let replays = format!("Replay: COLLOQUY_SEED={} cargo", small.case);
        assert!(told.contains(&replays), "{told}");
        // What it says is true.
        assert!(frail(&small.case).is_err());
    }

    #[test]
    fn what_does_not_panic_is_handed_on() {
        assert_eq!(caught(|| 1), Ok(1));
    }
}
