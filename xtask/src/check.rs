//! `cargo xtask check`: the architecture checks. They are the crate `colloquy-architecture`.

use anyhow::{Result, bail};

use crate::Verdict;
use crate::report::Counts;

/// `cargo xtask check`
pub(crate) fn command() -> Verdict {
    Ok(run()?.failed == 0)
}

/// The same as a step of `cargo xtask test`.
pub(crate) fn count(counts: &mut Counts) -> Result<()> {
    *counts = run()?;
    match counts.failed {
        0 => Ok(()),
        failed => bail!("{failed} architecture checks failed"),
    }
}

fn run() -> Result<Counts> {
    let mut counts = Counts::default();
    for outcome in colloquy_architecture::run(&colloquy_harness::root())? {
        if outcome.violations.is_empty() {
            counts.passed += 1;
            println!("ok      {}", outcome.name);
            continue;
        }
        counts.failed += 1;
        println!("FAILED  {}", outcome.name);
        for violation in &outcome.violations {
            println!("        {}: {}", violation.location, violation.message);
        }
    }
    Ok(counts)
}
