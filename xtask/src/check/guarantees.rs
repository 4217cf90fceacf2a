//! Whether the table of guarantees names tests and mutations that exist.

use super::{Breach, Facts};

const DOCUMENT: &str = "docs/guarantees.md";
const MUTATIONS: &[&str] = &[
    "xtask/src/simulator/mutations.rs",
    "xtask/src/simulator/mutations_of_connections.rs",
];

/// INVARIANT: what is said to notice a broken promise is there to notice it.
pub(super) fn named(facts: &Facts) -> Vec<Breach> {
    let text = |wanted: &str| {
        let mut texts = facts.tree.texts();
        texts.find_map(|(path, text)| (path == wanted).then_some(text))
    };
    let document = text(DOCUMENT).unwrap_or_default();
    let lists = MUTATIONS.iter().filter_map(|path| text(path));
    let mutations: Vec<&str> = lists
        .flat_map(|list| quoted(list, "name: \"", "\""))
        .collect();
    let mut breaches = Vec::new();
    let mut seen = Vec::new();
    for (index, line) in document.lines().enumerate() {
        let Some(tests) = last_cell(line) else {
            continue;
        };
        for name in quoted(tests, "`", "`") {
            let start = format!("fn {name}(");
            if !facts
                .tree
                .rust()
                .any(|(_, source)| source.code.contains(&start))
            {
                let what = format!("there is no test {name}");
                breaches.push(Breach::at(DOCUMENT, index + 1, what));
            }
        }
        for name in quoted(tests, "\"", "\"") {
            seen.push(name);
            if !mutations.contains(&name) {
                let what = format!("there is no mutation \"{name}\"");
                breaches.push(Breach::at(DOCUMENT, index + 1, what));
            }
        }
    }
    let unnamed = mutations.iter().filter(|name| !seen.contains(name));
    breaches.extend(unnamed.map(|name| Breach::new(DOCUMENT, format!("does not name \"{name}\""))));
    breaches
}

/// What stands in a table row's last cell.
fn last_cell(line: &str) -> Option<&str> {
    let row = line.strip_prefix("| ")?.strip_suffix(" |")?;
    Some(row.rsplit_once(" | ")?.1)
}

/// Every text between an opening and the closing after it.
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
