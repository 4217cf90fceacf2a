//! The house's invariants as checks. Each says in one line what holds, and, when it does not, where
//! and what to do.
//!
//! A check reads [`Facts`] and nothing else, so its tests hand it a few lines of made-up source. To
//! add one: write a function, add a row to [`CHECKS`], and a breach of it to the tests below.

mod documents;
mod guarantees;
mod packages;
mod source;
mod sql;
mod structure;
mod tree;

use anyhow::{Result, bail};

use crate::Verdict;
use crate::report::Counts;
use tree::Tree;

/// All that checks look at.
struct Facts {
    tree: Tree,
    packages: packages::Packages,
}

/// A breach: where it is and what it is.
#[derive(Debug, PartialEq, Eq)]
struct Breach {
    place: String,
    what: String,
}

impl Breach {
    fn new(place: impl Into<String>, what: impl Into<String>) -> Self {
        Self {
            place: place.into(),
            what: what.into(),
        }
    }

    /// One at a line of a file.
    fn at(path: &str, line: usize, what: impl Into<String>) -> Self {
        Self::new(format!("{path}:{line}"), what)
    }
}

struct Check {
    name: &'static str,
    run: fn(&Facts) -> Vec<Breach>,
}

const CHECKS: &[Check] = &[
    Check {
        name: "core depends on no driver, client or runtime",
        run: packages::core_is_pure,
    },
    Check {
        name: "dependencies between our packages run one way",
        run: packages::one_way,
    },
    Check {
        name: "core has no code for one target only",
        run: structure::no_target_code,
    },
    Check {
        name: "domain, protocol and room know nothing outside",
        run: structure::inner_modules,
    },
    Check {
        name: "every route is in core/src/http",
        run: structure::routes,
    },
    Check {
        name: "no plain route is missing in the table of who may call it",
        run: structure::plain_routes,
    },
    Check {
        name: "both adapters have the same files",
        run: structure::twins,
    },
    Check {
        name: "every statement is in core/sql",
        run: sql::statements_in_rust,
    },
    Check {
        name: "a statement a file, explained, in lower case",
        run: sql::statement_files,
    },
    Check {
        name: "files are short",
        run: source::length,
    },
    Check {
        name: "modules say what they own",
        run: source::module_docs,
    },
    Check {
        name: "lints are expected with a reason, never allowed",
        run: source::allow,
    },
    Check {
        name: "nothing is left to do",
        run: source::unfinished,
    },
    Check {
        name: "no registry is named",
        run: documents::registries,
    },
    Check {
        name: "no path of one machine",
        run: documents::machine_paths,
    },
    Check {
        name: "links between documents resolve",
        run: documents::links,
    },
    Check {
        name: "every guarantee names tests there are, and every mutation is named",
        run: guarantees::named,
    },
];

/// `cargo xtask check`
pub(crate) fn command() -> Verdict {
    let facts = Facts::gather()?;
    Ok(run(&facts).failed == 0)
}

/// The same as a step of `cargo xtask test`.
pub(crate) fn count(counts: &mut Counts) -> Result<()> {
    *counts = run(&Facts::gather()?);
    match counts.failed {
        0 => Ok(()),
        failed => bail!("{failed} of the house's invariants do not hold"),
    }
}

impl Facts {
    fn gather() -> Result<Self> {
        let root = colloquy_harness::root();
        Ok(Self {
            tree: Tree::read(&root)?,
            packages: packages::Packages::read()?,
        })
    }
}

fn run(facts: &Facts) -> Counts {
    let mut counts = Counts::default();
    for check in CHECKS {
        let breaches = (check.run)(facts);
        if breaches.is_empty() {
            counts.passed += 1;
            println!("ok      {}", check.name);
            continue;
        }
        counts.failed += 1;
        println!("BROKEN  {}", check.name);
        for Breach { place, what } in &breaches {
            println!("        {place}: {what}");
        }
    }
    counts
}

#[cfg(test)]
mod tests;
