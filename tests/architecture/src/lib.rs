//! Architecture checks: the invariants of the source tree that neither the compiler nor a lint holds.
//!
//! A check reads a `Workspace` and nothing else, so that its tests hand it a few lines of made-up
//! source. It returns where an invariant is violated and what to do. To add a check, write a
//! function, add a row to `CHECKS` and a violation to `tests`.
//!
//! `cargo xtask check` runs them all.

mod adapters;
mod cycles;
mod dependencies;
mod documents;
mod guarantees;
mod imports;
mod names;
mod repeats;
mod routes;
mod rust_source;
mod sql;
mod style;
#[cfg(test)]
mod tests;
mod tree;
mod words;

use std::path::Path;

use anyhow::Result;

use dependencies::Packages;
use tree::Tree;

/// Everything that checks read.
struct Workspace {
    tree: Tree,
    packages: Packages,
}

/// Where an invariant is violated, and what to do.
#[derive(Debug, PartialEq, Eq)]
pub struct Violation {
    /// A path, with `:line` where there is one, or a package.
    pub location: String,
    /// What is wrong, or what to write instead.
    pub message: String,
}

impl Violation {
    fn new(location: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            location: location.into(),
            message: message.into(),
        }
    }

    fn at_line(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self::new(format!("{path}:{line}"), message)
    }
}

struct Check {
    /// The invariant, as a sentence.
    name: &'static str,
    run: fn(&Workspace) -> Vec<Violation>,
}

const CHECKS: &[Check] = &[
    Check {
        name: "core and proto depend on no driver, client or runtime",
        run: dependencies::pure_crates,
    },
    Check {
        name: "dependencies between packages point one way",
        run: dependencies::one_way,
    },
    Check {
        name: "modules and files have no import cycles",
        run: cycles::import_cycles,
    },
    Check {
        name: "core has no code for one target only",
        run: adapters::target_code,
    },
    Check {
        name: "both adapters have the same files",
        run: adapters::same_files,
    },
    Check {
        name: "adapters and simulator repeat no code",
        run: repeats::repeated_runs,
    },
    Check {
        name: "every layer names its files after the same resources",
        run: names::resources,
    },
    Check {
        name: "no two types of a crate have one name",
        run: names::unique_types,
    },
    Check {
        name: "every route is in core/src/http",
        run: routes::one_router,
    },
    Check {
        name: "every plain route is in the authorisation table",
        run: routes::plain_routes,
    },
    Check {
        name: "every statement is in core/sql",
        run: sql::statements_in_rust,
    },
    Check {
        name: "a statement file has a comment, one statement, lower case",
        run: sql::statement_files,
    },
    Check {
        name: "source files have at most 400 lines",
        run: style::length,
    },
    Check {
        name: "modules have a module comment",
        run: style::module_docs,
    },
    Check {
        name: "no work is left unfinished",
        run: style::unfinished,
    },
    Check {
        name: "texts and names use the field's terms",
        run: words::vocabulary,
    },
    Check {
        name: "no package registry is named",
        run: documents::registries,
    },
    Check {
        name: "no path of one machine is named",
        run: documents::machine_paths,
    },
    Check {
        name: "links between documents resolve",
        run: documents::links,
    },
    Check {
        name: "guarantees name existing tests and every mutation",
        run: guarantees::named,
    },
];

/// The result of one check.
pub struct Outcome {
    /// The invariant.
    pub name: &'static str,
    /// Empty when it holds.
    pub violations: Vec<Violation>,
}

/// Runs every check on the repository at `root`.
pub fn run(root: &Path) -> Result<Vec<Outcome>> {
    let workspace = Workspace {
        tree: Tree::read(root)?,
        packages: Packages::read()?,
    };
    let outcome = |check: &Check| Outcome {
        name: check.name,
        violations: (check.run)(&workspace),
    };
    Ok(CHECKS.iter().map(outcome).collect())
}
