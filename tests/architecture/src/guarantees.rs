//! Whether the table of guarantees names existing tests and every mutation of the simulator.

use crate::{Violation, Workspace};

const DOCUMENT: &str = "docs/guarantees.md";

/// Files whose names begin with this define mutations.
const MUTATIONS: &str = "mutations";

/// INVARIANT: every test and mutation named in the table exists, and every mutation is named.
pub(crate) fn named(workspace: &Workspace) -> Vec<Violation> {
    let mut texts = workspace.tree.texts();
    let document = texts.find(|(path, _)| *path == DOCUMENT);
    let document = document.map(|(_, text)| text).unwrap_or_default();
    let rust: Vec<_> = workspace.tree.rust().collect();
    let has_test = |name: &str| {
        let start = format!("fn {name}(");
        rust.iter().any(|(_, source)| source.code.contains(&start))
    };
    let mutations: Vec<&str> = rust
        .iter()
        .filter(|(path, _)| is_mutation_file(path))
        .flat_map(|(_, source)| quoted(&source.text, "name: \"", "\""))
        .collect();
    let mut violations = Vec::new();
    let mut seen = Vec::new();
    for (index, line) in document.lines().enumerate() {
        let cell = last_cell(line).unwrap_or_default();
        let missing = quoted(cell, "`", "`")
            .into_iter()
            .filter(|name| !has_test(name));
        violations.extend(missing.map(|name| {
            Violation::at_line(DOCUMENT, index + 1, format!("there is no test {name}"))
        }));
        for name in quoted(cell, "\"", "\"") {
            seen.push(name);
            if !mutations.contains(&name) {
                let message = format!("there is no mutation \"{name}\"");
                violations.push(Violation::at_line(DOCUMENT, index + 1, message));
            }
        }
    }
    let unnamed = mutations.iter().filter(|name| !seen.contains(name));
    violations
        .extend(unnamed.map(|name| Violation::new(DOCUMENT, format!("does not name \"{name}\""))));
    violations
}

fn is_mutation_file(path: &str) -> bool {
    let mut parts = path.rsplit('/');
    parts.any(|part| part.starts_with(MUTATIONS))
}

/// The last cell of a table row.
fn last_cell(line: &str) -> Option<&str> {
    let row = line.strip_prefix("| ")?.strip_suffix(" |")?;
    Some(row.rsplit_once(" | ")?.1)
}

/// Every text between an opening and the next closing.
fn quoted<'a>(text: &'a str, open: &str, close: &str) -> Vec<&'a str> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once(open)
        && let Some((inside, behind)) = after.split_once(close)
    {
        found.push(inside);
        rest = behind;
    }
    found
}
