//! Where SQL is written, and in which form.

use crate::tree::{has_extension, is_test_file, is_under};
use crate::{Violation, Workspace};

/// The directory of statement files.
const STATEMENTS: &str = "core/sql";

/// Rust files that may contain statements, with the reason.
const ELSEWHERE: &[(&str, &str)] = &[
    (
        "bench/src/seed.rs",
        "registering thousands of members over the API takes a password hash each",
    ),
    (
        "tests/contract",
        "contract tests prepare the database and read behind the store",
    ),
    (
        "tests/chaos/src/database.rs",
        "the checker reads the database directly and locks rows the server writes",
    ),
    (
        "local-server/src/driver/coalesced_lookups.rs",
        "it wraps a statement of core to serve several callers at once",
    ),
    (
        "worker/src/limits_do.rs",
        "a Durable Object has a small database of its own",
    ),
    (
        "local-server/src/single_server.rs",
        "it reads the list of sessions of the server, not a table of the schema",
    ),
    (
        "local-server/src/migrate.rs",
        "it reads the table of the migrations library",
    ),
];

/// SQL keywords, written in lower case in statement files.
const KEYWORDS: &str = "all and as asc between by case coalesce conflict count cross delete desc \
    distinct do else end excluded exists false for from full group having in inner insert into is \
    join lateral left like limit materialized not nothing null of offset on or order outer over \
    partition recursive returning right select set share then true union update using values when \
    where with";

/// INVARIANT: every SQL statement is a file, not a string in Rust.
pub(crate) fn statements_in_rust(workspace: &Workspace) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (path, source) in workspace.tree.rust() {
        let excepted = ELSEWHERE
            .iter()
            .any(|(file, _)| path == *file || is_under(path, file));
        if excepted || is_test_file(path) || path.starts_with("migrations/") {
            continue;
        }
        let limit = source.lines_before_tests();
        violations.extend(
            source
                .literals
                .iter()
                .filter(|literal| literal.line <= limit && is_statement(&literal.text))
                .map(|literal| {
                    Violation::at_line(path, literal.line, "move the statement to core/sql")
                }),
        );
    }
    violations
}

/// Whether a string is SQL. The first word may also be English, so a second condition is needed.
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

/// INVARIANT: a statement file has a head comment and one statement in lower case.
pub(crate) fn statement_files(workspace: &Workspace) -> Vec<Violation> {
    let mut violations = Vec::new();
    let files = workspace
        .tree
        .texts()
        .filter(|(path, _)| is_under(path, STATEMENTS) && has_extension(path, "sql"));
    for (path, text) in files {
        if !text.trim_start().starts_with("--") {
            violations.push(Violation::at_line(
                path,
                1,
                "add a head comment: the caller, and the index that serves the statement",
            ));
        }
        let code = bare(text);
        let statements = code
            .split(';')
            .filter(|part| !part.trim().is_empty())
            .count();
        if statements != 1 {
            violations.push(Violation::new(
                path,
                format!("has {statements} statements instead of one"),
            ));
        }
        for (index, line) in code.lines().enumerate() {
            if path.contains("/sqlite/") && has_bare_limit(line) {
                violations.push(Violation::at_line(
                    path,
                    index + 1,
                    "SQLite prepares a statement again for each value of a bare LIMIT: write `limit ?n + 0`",
                ));
            }
            let words = line.split(|char: char| !char.is_alphanumeric() && char != '_');
            let upper_case = words
                .filter(|word| word.chars().any(char::is_uppercase))
                .find(|word| {
                    KEYWORDS
                        .split(' ')
                        .any(|keyword| keyword == word.to_lowercase())
                });
            if let Some(word) = upper_case {
                violations.push(Violation::at_line(
                    path,
                    index + 1,
                    format!("write {word} in lower case"),
                ));
            }
        }
    }
    violations
}

/// Whether the limit is a bare parameter.
fn has_bare_limit(line: &str) -> bool {
    let words: Vec<&str> = line.split_whitespace().collect();
    words.iter().enumerate().any(|(index, word)| {
        let next = |distance| words.get(index + distance).copied().unwrap_or_default();
        *word == "limit" && next(1).starts_with('?') && next(2) != "+"
    })
}

/// A statement with comments and quoted text blanked; line ends remain.
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
