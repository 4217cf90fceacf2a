//! The check of session and membership is written once per dialect, in `sql/<dialect>/shared`.

#![expect(
    clippy::disallowed_methods,
    reason = "the test reads the sources of the statements"
)]

use std::fs;
use std::path::{Path, PathBuf};

const INCLUDE: &str = "-- include: ";

/// The files of a dialect below `sql/`.
fn files(dialect: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("sql")
        .join(dialect);
    let folders = fs::read_dir(root).expect("a folder");
    let mut files = Vec::new();
    for folder in folders {
        let entries = fs::read_dir(folder.expect("an entry").path()).expect("a folder");
        files.extend(entries.map(|entry| entry.expect("an entry").path()));
    }
    assert!(files.len() > 20, "{files:?}");
    files
}

/// The name of the folder a file is in.
fn folder(file: &Path) -> &str {
    let folder = file.parent().and_then(Path::file_name);
    folder.and_then(|name| name.to_str()).expect("a folder")
}

/// The lines of a statement without comments, and the names of its fragments.
fn parts(file: &Path) -> (String, Vec<String>) {
    let text = fs::read_to_string(file).expect("a file");
    let lines = || text.lines().map(str::trim_start);
    let code = lines().filter(|line| !line.starts_with("--"));
    let fragments = lines().filter_map(|line| line.strip_prefix(INCLUDE));
    (
        code.collect::<Vec<_>>().join("\n"),
        fragments.map(str::to_owned).collect(),
    )
}

/// Whether a fragment, or one it includes, reads the table `sessions`.
fn checks_session(dialect: &str, fragment: &str) -> bool {
    let name = format!("sql/{dialect}/shared/{fragment}.sql");
    let (code, fragments) = parts(&Path::new(env!("CARGO_MANIFEST_DIR")).join(name));
    code.contains("from sessions") || fragments.iter().any(|inner| checks_session(dialect, inner))
}

/// INVARIANT: no statement checks a session by a text of its own.
#[test]
fn only_fragments_and_session_statements_read_sessions() {
    for dialect in ["postgres", "sqlite"] {
        for file in files(dialect) {
            if ["shared", "sessions"].contains(&folder(&file)) {
                continue;
            }
            let (code, _) = parts(&file);
            let reads = ["from sessions", "join sessions"].map(|clause| code.contains(clause));
            assert_eq!(reads, [false, false], "{}", file.display());
        }
    }
}

/// INVARIANT: a statement that can deny its caller includes the fragment that checks the session.
#[test]
fn every_statement_that_denies_includes_the_session_check() {
    for dialect in ["postgres", "sqlite"] {
        let mut count = 0;
        for file in files(dialect) {
            let (code, fragments) = parts(&file);
            let denies =
                code.contains("denied") || fragments.iter().any(|name| name.starts_with("denied"));
            if folder(&file) == "shared" || !denies {
                continue;
            }
            count += 1;
            let checked = fragments.iter().any(|name| checks_session(dialect, name));
            assert!(checked, "{} does not check the session", file.display());
        }
        assert!(count >= 9, "{count} statements of {dialect} deny a caller");
    }
}
