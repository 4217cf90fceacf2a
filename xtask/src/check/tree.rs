//! The files of the repository as the checks see them, and Rust source with its strings and
//! comments told from its code.
//!
//! Reads what git tracks or would track. It interprets nothing else.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Result;

/// Every file, by its path from the root with forward slashes.
#[derive(Default)]
pub(super) struct Tree {
    files: BTreeMap<String, Content>,
}

enum Content {
    Binary,
    Text(String),
    Rust(Source),
}

impl Tree {
    pub(super) fn read(root: &Path) -> Result<Self> {
        let mut tree = Self::default();
        for path in list(root)? {
            // A symbolic link's target is looked at where it lies; a deleted file not at all.
            let file = root.join(&path);
            if file.symlink_metadata().is_ok_and(|meta| meta.is_file()) {
                tree.add(&path, String::from_utf8(fs::read(&file)?).ok());
            }
        }
        Ok(tree)
    }

    /// A made-up tree.
    #[cfg(test)]
    pub(super) fn of(files: &[(&str, &str)]) -> Self {
        let mut tree = Self::default();
        for (path, text) in files {
            tree.add(path, Some((*text).to_owned()));
        }
        tree
    }

    fn add(&mut self, path: &str, text: Option<String>) {
        let content = match text {
            None => Content::Binary,
            Some(text) if has_extension(path, "rs") => Content::Rust(Source::of(text)),
            Some(text) => Content::Text(text),
        };
        self.files.insert(path.to_owned(), content);
    }

    /// Every text file.
    pub(super) fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files
            .iter()
            .filter_map(|(path, content)| match content {
                Content::Binary => None,
                Content::Text(text) => Some((path.as_str(), text.as_str())),
                Content::Rust(source) => Some((path.as_str(), source.text.as_str())),
            })
    }

    /// Every Rust file.
    pub(super) fn rust(&self) -> impl Iterator<Item = (&str, &Source)> {
        self.files
            .iter()
            .filter_map(|(path, content)| match content {
                Content::Rust(source) => Some((path.as_str(), source)),
                _ => None,
            })
    }

    /// The Rust files below a directory.
    pub(super) fn rust_under<'t>(
        &'t self,
        directory: &str,
    ) -> impl Iterator<Item = (&'t str, &'t Source)> {
        self.rust()
            .filter(move |(path, _)| is_under(path, directory))
    }

    /// The names of the files right in a directory.
    pub(super) fn names_in(&self, directory: &str) -> Vec<&str> {
        self.files
            .keys()
            .filter_map(|path| path.strip_prefix(directory)?.strip_prefix('/'))
            .filter(|name| !name.contains('/'))
            .collect()
    }

    /// Whether there is such a file, or a directory with files in it.
    pub(super) fn has(&self, path: &str) -> bool {
        path.is_empty()
            || self.files.contains_key(path)
            || self.files.keys().any(|file| is_under(file, path))
    }
}

/// Whether a path lies below a directory.
pub(super) fn is_under(path: &str, directory: &str) -> bool {
    path.strip_prefix(directory)
        .is_some_and(|rest| rest.starts_with('/'))
}

/// Whether a path ends in `.extension`.
pub(super) fn has_extension(path: &str, extension: &str) -> bool {
    Path::new(path)
        .extension()
        .is_some_and(|found| found == extension)
}

/// Whether a Rust file holds nothing but tests.
pub(super) fn is_test_file(path: &str) -> bool {
    path.ends_with("_tests.rs")
        || path
            .split('/')
            .any(|part| part == "tests" || part == "tests.rs")
}

fn list(root: &Path) -> Result<Vec<String>> {
    let mut git = Command::new("git");
    git.args([
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ])
    .current_dir(root);
    let listed = colloquy_harness::tools::output(&mut git).unwrap_or_default();
    let mut paths: Vec<String> = listed
        .split('\0')
        .filter(|path| !path.is_empty())
        .map(str::to_owned)
        .collect();
    if paths.is_empty() {
        // Unpacked from an archive, there is no git to ask.
        walk(root, "", &mut paths)?;
    }
    Ok(paths)
}

fn walk(root: &Path, directory: &str, paths: &mut Vec<String>) -> Result<()> {
    for entry in fs::read_dir(root.join(directory))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if directory.is_empty() {
            name.clone()
        } else {
            format!("{directory}/{name}")
        };
        if !entry.file_type()?.is_dir() {
            paths.push(path);
        } else if !matches!(
            name.as_str(),
            ".git" | "target" | "node_modules" | "data" | "logs"
        ) {
            walk(root, &path, paths)?;
        }
    }
    Ok(())
}

/// A Rust file three ways: whole, its code alone, its string literals alone.
pub(super) struct Source {
    pub(super) text: String,
    /// The code, line by line as in the file, comments and the insides of literals blanked.
    pub(super) code: String,
    pub(super) literals: Vec<Literal>,
}

/// A string literal and the line it begins on.
pub(super) struct Literal {
    pub(super) line: usize,
    pub(super) text: String,
}

impl Source {
    pub(super) fn of(text: String) -> Self {
        let mut scan = Scan {
            rest: &text,
            code: String::new(),
            literals: Vec::new(),
            line: 1,
        };
        while scan.next() {}
        let (code, literals) = (scan.code, scan.literals);
        Self {
            text,
            code,
            literals,
        }
    }

    /// The code's lines with their numbers.
    pub(super) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.code
            .lines()
            .enumerate()
            .map(|(index, line)| (index + 1, line))
    }

    /// How many lines come before the tests at the file's end.
    pub(super) fn lines_before_tests(&self) -> usize {
        let lines: Vec<&str> = self.code.lines().map(str::trim).collect();
        lines
            .windows(2)
            .position(|pair| {
                pair[0] == "#[cfg(test)]" && pair[1].starts_with("mod ") && pair[1].ends_with('{')
            })
            .unwrap_or(lines.len())
    }
}

/// Goes over Rust source piece by piece. Enough of a lexer for files that compile.
struct Scan<'t> {
    rest: &'t str,
    code: String,
    literals: Vec<Literal>,
    line: usize,
}

impl Scan<'_> {
    /// Takes one piece; answers whether there was one.
    fn next(&mut self) -> bool {
        let Some(first) = self.rest.chars().next() else {
            return false;
        };
        let in_word = self
            .code
            .ends_with(|last: char| last.is_alphanumeric() || last == '_');
        if self.rest.starts_with("//") {
            self.blank(self.rest.find('\n').unwrap_or(self.rest.len()));
        } else if self.rest.starts_with("/*") {
            self.blank(block_comment(self.rest));
        } else if let Some(hashes) = raw_string(self.rest).filter(|_| !in_word) {
            let open = self.rest.find('"').map_or(0, |quote| quote + 1);
            let end = format!("\"{}", "#".repeat(hashes));
            let length = self.rest[open..]
                .find(&end)
                .unwrap_or(self.rest.len() - open);
            self.literal(open, length, end.len());
        } else if first == '"' {
            self.literal(1, string(&self.rest[1..]), 1);
        } else if let Some(length) = character(self.rest) {
            self.blank(length);
        } else {
            self.keep(first.len_utf8());
        }
        true
    }

    fn keep(&mut self, length: usize) {
        let (piece, rest) = self.rest.split_at(length.min(self.rest.len()));
        self.line += piece.matches('\n').count();
        self.code.push_str(piece);
        self.rest = rest;
    }

    fn blank(&mut self, length: usize) {
        let (piece, rest) = self.rest.split_at(length.min(self.rest.len()));
        self.line += piece.matches('\n').count();
        self.code.extend(
            piece
                .chars()
                .map(|char| if char == '\n' { '\n' } else { ' ' }),
        );
        self.rest = rest;
    }

    fn literal(&mut self, open: usize, length: usize, close: usize) {
        self.keep(open);
        let text = self.rest[..length].to_owned();
        self.literals.push(Literal {
            line: self.line,
            text,
        });
        self.blank(length);
        self.keep(close);
    }
}

fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        let rest = &text.as_bytes()[at..];
        if rest.starts_with(b"/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if rest.starts_with(b"*/") {
            (depth, at) = (depth - 1, at + 2);
        } else {
            at += 1;
        }
        if depth == 0 {
            break;
        }
    }
    at
}

/// The number of hashes when a raw string begins here.
fn raw_string(text: &str) -> Option<usize> {
    let after = ["r", "br", "cr"].iter().find_map(|prefix| {
        text.strip_prefix(prefix)
            .filter(|rest| rest.starts_with(['#', '"']))
    })?;
    let hashes = after.len() - after.trim_start_matches('#').len();
    after[hashes..].starts_with('"').then_some(hashes)
}

/// The length of a string's inside, up to its closing quote.
fn string(text: &str) -> usize {
    let mut escaped = false;
    text.find(|char| {
        let ends = char == '"' && !escaped;
        escaped = char == '\\' && !escaped;
        ends
    })
    .unwrap_or(text.len())
}

/// The length of a character literal, when one begins here and not a lifetime.
fn character(text: &str) -> Option<usize> {
    let inside = text.strip_prefix('\'')?;
    if let Some(escape) = inside.strip_prefix('\\') {
        // The first character after the backslash belongs to it, also if it is a quote.
        let first = escape.chars().next()?.len_utf8();
        return Some(2 + first + escape[first..].find('\'')? + 1);
    }
    let first = inside.chars().next()?.len_utf8();
    inside[first..].starts_with('\'').then_some(first + 2)
}
