//! Makes a failing case small: leaves out what is planned in it, ever less at a time, as long as
//! the same promise is broken (delta debugging).

use super::plan::Plan;
use super::{Case, Report, Violation, run};

/// Worlds tried at most.
const MAX_TRIALS: usize = 3_000;

/// The smallest case found that breaks the same promise, and how it is broken there.
pub fn shrink(violation: Violation) -> Violation {
    shrink_by(violation, run)
}

/// The same where worlds are lived in another way.
pub(super) fn shrink_by(
    violation: Violation,
    live: impl Fn(&Case) -> Result<Report, Violation>,
) -> Violation {
    let seed = violation.case.seed;
    let promise = promise(&violation.what);
    let all = 0..u32::try_from(Plan::of(seed).items.len()).unwrap_or(u32::MAX);
    let mut kept: Vec<u32> = all.filter(|number| violation.case.has(*number)).collect();
    let mut best = violation;
    let mut size = kept.len().div_ceil(2);
    let mut trials = 0;
    while size > 0 {
        let mut at = 0;
        let mut smaller = false;
        while at < kept.len() && trials < MAX_TRIALS {
            let mut fewer = kept.clone();
            fewer.drain(at..(at + size).min(kept.len()));
            trials += 1;
            match live(&Case::only(seed, fewer.clone())) {
                Err(broken) if self::promise(&broken.what) == promise => {
                    (kept, best, smaller) = (fewer, broken, true);
                }
                _ => at += size,
            }
        }
        if !(smaller && size == 1) {
            size /= 2;
        }
    }
    best
}

/// What a violation is about, without the names and numbers of this one.
fn promise(what: &str) -> String {
    what.chars()
        .filter(|c| c.is_ascii_lowercase() || *c == ' ')
        .collect()
}
