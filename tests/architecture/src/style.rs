//! The form of Rust files. Lints of clippy are not repeated here.

use crate::tree::{has_extension, is_test_file};
use crate::{Violation, Workspace};

/// The most lines of a file before its tests.
const MAX_LINES: usize = 400;

/// Written in two halves, so that this file passes its own check.
const MARKERS: &[&str] = &[
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
];

/// INVARIANT: files are short. Tests do not count.
pub(crate) fn length(workspace: &Workspace) -> Vec<Violation> {
    workspace
        .tree
        .rust()
        .filter(|(path, _)| !is_test_file(path))
        .filter_map(|(path, source)| {
            let lines = source.lines_before_tests();
            let message = || {
                format!(
                    "{lines} lines before its tests; split it into files of at most {MAX_LINES}"
                )
            };
            (lines > MAX_LINES).then(|| Violation::new(path, message()))
        })
        .collect()
}

/// INVARIANT: a module comment says what the module owns and what it does not do.
pub(crate) fn module_docs(workspace: &Workspace) -> Vec<Violation> {
    workspace
        .tree
        .rust()
        .filter(|(path, _)| path.contains("/src/"))
        .filter(|(_, source)| !source.text.trim_start().starts_with("//!"))
        .filter(|(path, _)| !is_test_file(path))
        .map(|(path, _)| Violation::at_line(path, 1, "add a `//!` comment: what the module owns"))
        .collect()
}

/// INVARIANT: no unfinished work is committed.
pub(crate) fn unfinished(workspace: &Workspace) -> Vec<Violation> {
    let mut violations = Vec::new();
    let texts = workspace.tree.texts();
    for (path, text) in texts.filter(|(path, _)| !has_extension(path, "lock")) {
        for (index, line) in text.lines().enumerate() {
            if let Some(marker) = MARKERS.iter().find(|marker| has_word(line, marker)) {
                let message = format!("`{marker}` is left over");
                violations.push(Violation::at_line(path, index + 1, message));
            }
        }
    }
    violations
}

fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        [before, after]
            .into_iter()
            .flatten()
            .all(|char| !char.is_alphanumeric() && char != '_')
    })
}
