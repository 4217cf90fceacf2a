//! Shrinks a failing case: leaves out planned events, fewer and fewer at a time, as long as the same
//! guarantee is violated (delta debugging).

use super::plan::Plan;
use super::{Case, Report, Violation};

/// The most worlds tried.
const MAX_TRIALS: usize = 3_000;

/// The smallest case found that violates the same guarantee, and its violation.
pub fn shrink(violation: Violation) -> Violation {
    shrink_by(violation, super::run)
}

/// The same with another way to run worlds.
pub(super) fn shrink_by(
    violation: Violation,
    run: impl Fn(&Case) -> Result<Report, Violation>,
) -> Violation {
    let seed = violation.case.seed;
    let guarantee = guarantee(&violation.what);
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
            match run(&Case::only(seed, fewer.clone())) {
                Err(smaller_one) if self::guarantee(&smaller_one.what) == guarantee => {
                    (kept, best, smaller) = (fewer, smaller_one, true);
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

/// The text of a violation without names and numbers.
fn guarantee(what: &str) -> String {
    what.chars()
        .filter(|c| c.is_ascii_lowercase() || *c == ' ')
        .collect()
}
