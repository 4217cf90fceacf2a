//! The files of the repository that git tracks or would track.
//!
//! Rust files are parsed into code and string literals by `rust_source`; no other file is
//! interpreted.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::rust_source::Source;

/// Every file, by its path from the root with forward slashes.
#[derive(Default)]
pub(crate) struct Tree {
    files: BTreeMap<String, Content>,
}

enum Content {
    Binary,
    Text(String),
    Rust(Source),
}

impl Tree {
    pub(crate) fn read(root: &Path) -> Result<Self> {
        let mut tree = Self::default();
        for path in list(root)? {
            // The target of a symbolic link is read at its own path; a deleted file is skipped.
            let file = root.join(&path);
            if file.symlink_metadata().is_ok_and(|meta| meta.is_file()) {
                tree.add(&path, String::from_utf8(fs::read(&file)?).ok());
            }
        }
        Ok(tree)
    }

    /// A tree of made-up files.
    #[cfg(test)]
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
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
    pub(crate) fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files
            .iter()
            .filter_map(|(path, content)| match content {
                Content::Binary => None,
                Content::Text(text) => Some((path.as_str(), text.as_str())),
                Content::Rust(source) => Some((path.as_str(), source.text.as_str())),
            })
    }

    /// Every Rust file.
    pub(crate) fn rust(&self) -> impl Iterator<Item = (&str, &Source)> {
        self.files
            .iter()
            .filter_map(|(path, content)| match content {
                Content::Rust(source) => Some((path.as_str(), source)),
                _ => None,
            })
    }

    /// The Rust files below a directory.
    pub(crate) fn rust_under<'t>(
        &'t self,
        directory: &str,
    ) -> impl Iterator<Item = (&'t str, &'t Source)> {
        self.rust()
            .filter(move |(path, _)| is_under(path, directory))
    }

    /// The names of the files directly in a directory.
    pub(crate) fn names_in(&self, directory: &str) -> Vec<&str> {
        self.files
            .keys()
            .filter_map(|path| path.strip_prefix(directory)?.strip_prefix('/'))
            .filter(|name| !name.contains('/'))
            .collect()
    }

    /// Whether this file, or a directory with files in it, exists.
    pub(crate) fn has(&self, path: &str) -> bool {
        path.is_empty()
            || self.files.contains_key(path)
            || self.files.keys().any(|file| is_under(file, path))
    }
}

/// Whether a path is below a directory.
pub(crate) fn is_under(path: &str, directory: &str) -> bool {
    path.strip_prefix(directory)
        .is_some_and(|rest| rest.starts_with('/'))
}

/// Whether a path ends in `.extension`.
pub(crate) fn has_extension(path: &str, extension: &str) -> bool {
    Path::new(path)
        .extension()
        .is_some_and(|found| found == extension)
}

/// Whether a Rust file contains tests only. In a package, only the path below `src` counts.
pub(crate) fn is_test_file(path: &str) -> bool {
    let path = path.rsplit_once("/src/").map_or(path, |(_, path)| path);
    let is_tests = |part| part == "tests" || part == "tests.rs";
    path.ends_with("_tests.rs") || path.split('/').any(is_tests)
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
        // An unpacked archive has no git.
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
