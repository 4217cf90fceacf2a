//! Compares two builds byte by byte.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

/// How many differences a failure names.
const MAX_NAMED: usize = 10;

/// Fails unless both directories have the same files with the same content.
pub(super) fn same(built: &Path, committed: &Path) -> Result<()> {
    let (built, committed) = (contents(built)?, contents(committed)?);
    let mut differences = Vec::new();
    for (path, content) in &built {
        match committed.get(path) {
            None => differences.push(format!("{} is missing", path.display())),
            Some(other) if other != content => {
                differences.push(format!("{} differs", path.display()));
            }
            Some(_) => {}
        }
    }
    let extra = committed.keys().filter(|path| !built.contains_key(*path));
    differences.extend(extra.map(|path| format!("{} is not built any more", path.display())));
    if differences.is_empty() {
        return Ok(());
    }
    differences.truncate(MAX_NAMED);
    bail!("run `cargo xtask web`: {}", differences.join(", "))
}

/// The content of every file, by its relative path.
fn contents(root: &Path) -> Result<BTreeMap<PathBuf, Vec<u8>>> {
    let mut found = BTreeMap::new();
    let mut directories = vec![root.to_owned()];
    while let Some(directory) = directories.pop() {
        let entries = fs::read_dir(&directory).with_context(|| directory.display().to_string())?;
        for entry in entries {
            let path = entry?.path();
            if path.is_dir() {
                directories.push(path);
            } else {
                let content = fs::read(&path).with_context(|| path.display().to_string())?;
                found.insert(path.strip_prefix(root)?.to_owned(), content);
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_difference_is_found() {
        let base = std::env::temp_dir().join(format!("colloquy-compare-{}", std::process::id()));
        let (one, other) = (base.join("one"), base.join("other"));
        for directory in [&one, &other] {
            fs::create_dir_all(directory.join("assets")).unwrap();
            fs::write(directory.join("assets/a.js"), "1").unwrap();
        }
        same(&one, &other).unwrap();
        fs::write(one.join("assets/a.js"), "2").unwrap();
        fs::write(one.join("new.txt"), "").unwrap();
        fs::write(other.join("old.txt"), "").unwrap();
        let error = same(&one, &other).unwrap_err().to_string();
        for difference in [
            "assets/a.js differs",
            "new.txt is missing",
            "old.txt is not built any more",
        ] {
            assert!(error.contains(difference), "{error}");
        }
        fs::remove_dir_all(base).unwrap();
    }
}
