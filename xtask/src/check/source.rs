//! How Rust files are written, wherever they are.

use super::tree::{has_extension, is_test_file};
use super::{Breach, Facts};

const LONGEST: usize = 400;

/// Written in two halves, so that this file does not break its own rules.
const MARKERS: &[&str] = &[
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
];
const MACROS: &[&str] = &[concat!("to", "do!("), concat!("unimpl", "emented!(")];

/// INVARIANT: a file can be read in one sitting. Tests do not count.
pub(super) fn length(facts: &Facts) -> Vec<Breach> {
    facts
        .tree
        .rust()
        .filter(|(path, _)| !is_test_file(path))
        .filter_map(|(path, source)| {
            let lines = source.lines_before_tests();
            let what = || format!("{lines} lines before its tests, more than {LONGEST}");
            (lines > LONGEST).then(|| Breach::new(path, what()))
        })
        .collect()
}

/// INVARIANT: a module opens with what it owns and what it does not do.
pub(super) fn module_docs(facts: &Facts) -> Vec<Breach> {
    facts
        .tree
        .rust()
        .filter(|(path, _)| path.contains("/src/"))
        .filter(|(_, source)| !source.text.trim_start().starts_with("//!"))
        // What a `tests` module holds is told by the module it tests.
        .filter(|(path, _)| !is_test_file(path))
        .map(|(path, _)| Breach::at(path, 1, "opens without `//!`"))
        .collect()
}

/// INVARIANT: whoever silences a lint says why, and learns when the reason is gone.
pub(super) fn allow(facts: &Facts) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for (path, source) in facts.tree.rust() {
        for (line, code) in source.lines() {
            if code.contains("[allow(") {
                let what = "use #[expect(…, reason = \"…\")] instead of allow";
                breaches.push(Breach::at(path, line, what));
            }
        }
    }
    breaches
}

/// INVARIANT: what is in the tree is finished; what is not is not in the tree.
pub(super) fn unfinished(facts: &Facts) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for (path, text) in facts
        .tree
        .texts()
        .filter(|(path, _)| !has_extension(path, "lock"))
    {
        for (index, line) in text.lines().enumerate() {
            let found = MARKERS
                .iter()
                .find(|marker| has_word(line, marker))
                .or_else(|| {
                    MACROS
                        .iter()
                        .find(|name| has_extension(path, "rs") && line.contains(**name))
                });
            if let Some(found) = found {
                breaches.push(Breach::at(
                    path,
                    index + 1,
                    format!("`{found}` is left over"),
                ));
            }
        }
    }
    breaches
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
