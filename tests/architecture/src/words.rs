//! The vocabulary: words that the project does not use, with the term to use instead.
//!
//! Covers code, comments, strings and test names of every source file, SQL, scripts, configuration
//! and documents. Identifiers are split at `_` and at capital letters. Generated files, lock files
//! and recorded inputs are not read. An exception is a row of [`ALLOWED`] with its reason.

use crate::{Violation, Workspace};

/// Words and phrases in lower case, with the replacement.
const BANNED: &[(&str, &str)] = &[
    ("told", "returned, reported, sent, received"),
    ("tells", "returns, reports, sends, describes"),
    ("nobody", "no client, no caller"),
    ("somebody", "a client, another user"),
    ("whoever", "a client that, any caller"),
    ("whomever", "any client"),
    ("stands", "is, is valid, is at"),
    ("stood", "was, was at"),
    ("hears", "receives"),
    ("heard", "received"),
    ("under way", "in flight, in progress"),
    ("by heart", "cached, memoized"),
    ("lone", "single"),
    ("lively", "active"),
    ("company", "batch, batching window"),
    ("patience", "linger, timeout"),
    ("strangers", "untrusted input, other users"),
    ("stranger", "another user, a non-member"),
    ("hostile", "untrusted"),
    ("fault of ours", "internal error, bug"),
    ("faults of ours", "internal errors, bugs"),
    ("let in", "admitted"),
    ("lets in", "admits"),
    ("let go", "closed, released"),
    ("lets go", "closes, releases"),
    ("comes back", "recovers, reconnects, returns"),
    ("came back", "recovered, reconnected, returned"),
    ("goes away", "disconnects, becomes unavailable"),
    ("crowd", "clients"),
    ("deed", "action"),
    ("deeds", "actions"),
    ("meanwhile", "in the meantime, at the same time"),
    ("anew", "again"),
    ("for ever", "permanently"),
    ("slow hour", "a number for the host's noise"),
    ("quick hour", "a number for the host's noise"),
];

/// Where a banned word is right: a path or its beginning, the word, the reason.
const ALLOWED: &[(&str, &str, &str)] = &[
    (
        "migrations/",
        "",
        "applied migrations are checksummed and never edited",
    ),
    (
        "tests/architecture/src/",
        "",
        "the list and the tests of this check",
    ),
    (
        "tests/harness/src/postgres.rs",
        "nobody",
        "the name of an operating system account",
    ),
];

/// Files whose text is not ours or is generated.
const NOT_READ: &[&str] = &[
    "LICENSE",
    "Cargo.lock",
    "package-lock.json",
    "common_passwords.txt",
    "/corpus/",
    "bench/results/",
    "web/dist/",
    ".svg",
];

/// INVARIANT: the project uses the field's terms.
pub(crate) fn vocabulary(workspace: &Workspace) -> Vec<Violation> {
    let is_read = |path: &str| !NOT_READ.iter().any(|part| path.contains(part));
    let mut violations = Vec::new();
    for (path, text) in workspace.tree.texts().filter(|(path, _)| is_read(path)) {
        for (index, line) in text.lines().enumerate() {
            // `let` is a keyword at the beginning of a line of code.
            let line = line.trim_start();
            let words = plain_words(line.strip_prefix("let ").unwrap_or(line));
            let found = BANNED.iter().filter(|(word, _)| has_phrase(&words, word));
            let found = found.filter(|(word, _)| !is_allowed(path, word));
            violations.extend(found.map(|(word, instead)| {
                let message = format!("`{word}`: write {instead}");
                Violation::at_line(path, index + 1, message)
            }));
        }
    }
    violations
}

fn is_allowed(path: &str, word: &str) -> bool {
    ALLOWED.iter().any(|(start, allowed, _)| {
        path.starts_with(start) && (allowed.is_empty() || *allowed == word)
    })
}

/// The words of a line in lower case, separated and surrounded by single spaces.
fn plain_words(line: &str) -> String {
    let mut words = String::from(" ");
    let mut previous = ' ';
    for char in line.chars() {
        let begins_word = char.is_uppercase() && previous.is_lowercase();
        if (begins_word || !char.is_alphanumeric()) && !words.ends_with(' ') {
            words.push(' ');
        }
        if char.is_alphanumeric() {
            words.extend(char.to_lowercase());
        }
        previous = char;
    }
    words.push(' ');
    words
}

fn has_phrase(words: &str, phrase: &str) -> bool {
    words
        .match_indices(phrase)
        .any(|(at, _)| words[..at].ends_with(' ') && words[at + phrase.len()..].starts_with(' '))
}

/// Whether every row of [`ALLOWED`] still applies to a file.
#[cfg(test)]
pub(crate) fn unused_exceptions(workspace: &Workspace) -> Vec<&'static str> {
    let is_used = |start: &str, word: &str| {
        let mut texts = workspace.tree.texts();
        texts.any(|(path, text)| {
            let mut lines = text.lines();
            path.starts_with(start)
                && (word.is_empty() || lines.any(|line| has_phrase(&plain_words(line), word)))
        })
    };
    let unused = ALLOWED
        .iter()
        .filter(|(start, word, _)| !is_used(start, word));
    unused.map(|(start, ..)| *start).collect()
}
