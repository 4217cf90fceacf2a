//! Where SQL is written and how.

use super::tree::{has_extension, is_test_file, is_under};
use super::{Breach, Facts};

/// Where statements live.
const HOME: &str = "core/sql";

/// Rust files that may hold statements, each with the reason.
const ELSEWHERE: &[(&str, &str)] = &[
    (
        "bench/src/seed.rs",
        "thousands of members cannot be registered at the speed of a password hash",
    ),
    (
        "tests/contract",
        "contract tests look behind the store and prepare its databases",
    ),
    (
        "tests/chaos/src/database.rs",
        "the checker looks past the server, and locks what the server writes to",
    ),
    (
        "local-server/src/driver/lookups.rs",
        "it wraps whichever of core's statements is asked for by several at once",
    ),
    (
        "local-server/src/migrate.rs",
        "it reads the table that the migrations library keeps for itself",
    ),
];

/// Words of SQL that a statement file writes in lower case.
const KEYWORDS: &[&str] = &[
    "all",
    "and",
    "as",
    "asc",
    "between",
    "by",
    "case",
    "coalesce",
    "conflict",
    "count",
    "cross",
    "delete",
    "desc",
    "distinct",
    "do",
    "else",
    "end",
    "excluded",
    "exists",
    "false",
    "for",
    "from",
    "full",
    "group",
    "having",
    "in",
    "inner",
    "insert",
    "into",
    "is",
    "join",
    "lateral",
    "left",
    "like",
    "limit",
    "materialized",
    "not",
    "nothing",
    "null",
    "of",
    "offset",
    "on",
    "or",
    "order",
    "outer",
    "over",
    "partition",
    "recursive",
    "returning",
    "right",
    "select",
    "set",
    "share",
    "then",
    "true",
    "union",
    "update",
    "using",
    "values",
    "when",
    "where",
    "with",
];

/// INVARIANT: no statement is a string in Rust, where no one would look for it.
pub(super) fn statements_in_rust(facts: &Facts) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for (path, source) in facts.tree.rust() {
        let excepted = ELSEWHERE
            .iter()
            .any(|(place, _)| path == *place || is_under(path, place));
        if excepted || is_test_file(path) || path.starts_with("migrations/") {
            continue;
        }
        let limit = source.lines_before_tests();
        breaches.extend(
            source
                .literals
                .iter()
                .filter(|literal| literal.line <= limit && is_statement(&literal.text))
                .map(|literal| Breach::at(path, literal.line, "a statement belongs into core/sql")),
        );
    }
    breaches
}

/// Whether a string is SQL. A first word alone does not tell it from English, so each needs a
/// second sign.
fn is_statement(text: &str) -> bool {
    let text = text.to_lowercase();
    let words: Vec<&str> = text.split_whitespace().collect();
    let [first, second, rest @ ..] = words.as_slice() else {
        return false;
    };
    let later = |word: &str| rest.contains(&word);
    match *first {
        "select" => {
            second.starts_with(|char: char| char.is_ascii_digit() || char == '*')
                || second.contains('(')
                || later("from")
        }
        "insert" | "replace" => matches!(*second, "into" | "or"),
        "update" => later("set"),
        "delete" => *second == "from",
        "with" => *second == "recursive" || later("as") && text.contains('('),
        "create" | "alter" | "drop" => {
            matches!(
                *second,
                "table" | "index" | "unique" | "view" | "trigger" | "database"
            )
        }
        "pragma" => true,
        _ => false,
    }
}

/// INVARIANT: a statement file says who calls it, holds one statement, and is in lower case.
pub(super) fn statement_files(facts: &Facts) -> Vec<Breach> {
    let mut breaches = Vec::new();
    let files = facts
        .tree
        .texts()
        .filter(|(path, _)| is_under(path, HOME) && has_extension(path, "sql"));
    for (path, text) in files {
        if !text.trim_start().starts_with("--") {
            breaches.push(Breach::at(
                path,
                1,
                "begins without a comment: who calls it, which index serves it",
            ));
        }
        let code = bare(text);
        let statements = code
            .split(';')
            .filter(|part| !part.trim().is_empty())
            .count();
        if statements != 1 {
            breaches.push(Breach::new(
                path,
                format!("holds {statements} statements, not one"),
            ));
        }
        for (index, line) in code.lines().enumerate() {
            if path.contains("/sqlite/") && has_bare_limit(line) {
                breaches.push(Breach::at(
                    path,
                    index + 1,
                    "SQLite prepares a statement anew for each value of a bare LIMIT: add 0 to it",
                ));
            }
            let words = line.split(|char: char| !char.is_alphanumeric() && char != '_');
            let loud = words
                .filter(|word| word.chars().any(char::is_uppercase))
                .find(|word| KEYWORDS.contains(&word.to_lowercase().as_str()));
            if let Some(word) = loud {
                breaches.push(Breach::at(
                    path,
                    index + 1,
                    format!("write {word} in lower case"),
                ));
            }
        }
    }
    breaches
}

/// Whether a parameter alone is how many rows there may be.
fn has_bare_limit(line: &str) -> bool {
    let words: Vec<&str> = line.split_whitespace().collect();
    words.iter().enumerate().any(|(index, word)| {
        let next = |distance| words.get(index + distance).copied().unwrap_or_default();
        *word == "limit" && next(1).starts_with('?') && next(2) != "+"
    })
}

/// A statement without its comments and without what is inside quotes; line ends stay.
fn bare(text: &str) -> String {
    let mut code = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = if rest.starts_with("--") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if first == '\'' || first == '"' {
            rest[1..].find(first).map_or(rest.len(), |end| end + 2)
        } else {
            code.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        };
        code.extend(
            rest[..length]
                .chars()
                .map(|char| if char == '\n' { '\n' } else { ' ' }),
        );
        rest = &rest[length..];
    }
    code
}
