//! Runs of equal lines between the crates that host a Room. What two of them do alike belongs in
//! proto or core.

use std::collections::HashMap;

use crate::tree::is_test_file;
use crate::{Violation, Workspace};

const CRATES: [&str; 3] = ["local-server/src", "tests/simulator/src", "worker/src"];

/// The longest run of equal lines that is no violation.
const MAX_EQUAL_LINES: usize = 20;

/// A line of code and where it is.
struct Line<'t> {
    location: (&'t str, usize),
    text: &'t str,
}

/// INVARIANT: no two of these crates have more than [`MAX_EQUAL_LINES`] consecutive equal lines.
/// Blank lines, comments and tests are skipped.
pub(crate) fn repeated_runs(workspace: &Workspace) -> Vec<Violation> {
    let mut windows: HashMap<Vec<&str>, (&str, &str, usize)> = HashMap::new();
    let mut violations = Vec::new();
    for directory in CRATES {
        for file in files(workspace, directory) {
            let mut reported = false;
            for window in file.windows(MAX_EQUAL_LINES + 1) {
                let (path, line) = window[0].location;
                let text = window.iter().map(|line| line.text).collect();
                let (owner, other, other_line) =
                    *windows.entry(text).or_insert((directory, path, line));
                // A run is reported once, at its first window.
                let is_repeated = owner != directory;
                if is_repeated && !reported {
                    let message = format!("repeats the lines of {other}:{other_line}");
                    violations.push(Violation::at_line(path, line, message));
                }
                reported = is_repeated;
            }
        }
    }
    violations
}

fn files<'t>(workspace: &'t Workspace, directory: &str) -> Vec<Vec<Line<'t>>> {
    let files = workspace.tree.rust_under(directory);
    let files = files.filter(|(path, _)| !is_test_file(path));
    let lines = files.map(|(path, source)| {
        let texts = source.text.lines().map(str::trim);
        let numbered = texts.enumerate().take(source.lines_before_tests());
        let code = numbered.filter(|(_, text)| !text.is_empty() && !text.starts_with("//"));
        code.map(|(index, text)| Line {
            location: (path, index + 1),
            text,
        })
        .collect()
    });
    lines.collect()
}
