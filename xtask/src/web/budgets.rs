//! The size of a page's first load: its HTML and every script and style it names, each compressed
//! with gzip. What a page loads later is not counted.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use colloquy_web_dist::gzipped_size;

/// The limit of each page, in bytes.
const BUDGETS: &[(&str, usize)] = &[
    ("index.html", 90_000),
    ("docs/index.html", 30_000),
    ("guarantees/index.html", 45_000),
    ("admin/index.html", 60_000),
];

/// Fails if a page is larger than its budget, or has none.
pub(super) fn check(dist: &Path) -> Result<()> {
    for page in pages(dist)? {
        let budget = BUDGETS.iter().find(|(name, _)| *name == page);
        let (_, budget) = budget.with_context(|| format!("{page} has no size budget"))?;
        let size = first_load(dist, &page)?;
        println!("    {page}: {size} of {budget} bytes");
        if size > *budget {
            bail!("the first load of {page} has {size} bytes gzipped, its budget is {budget}");
        }
    }
    Ok(())
}

/// The HTML files of the build, at most one directory deep.
fn pages(dist: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dist)? {
        let path = entry?.path();
        let index = if path.is_dir() {
            path.join("index.html")
        } else {
            path
        };
        if index
            .extension()
            .is_some_and(|extension| extension == "html")
            && index.exists()
        {
            found.push(index.strip_prefix(dist)?.display().to_string());
        }
    }
    found.sort_unstable();
    Ok(found)
}

fn first_load(dist: &Path, page: &str) -> Result<usize> {
    let read = |name: &str| fs::read(dist.join(name)).with_context(|| name.to_owned());
    let html = read(page)?;
    let mut size = gzipped_size(&html)?;
    for name in named_files(&String::from_utf8_lossy(&html)) {
        size += gzipped_size(&read(name)?)?;
    }
    Ok(size)
}

/// The scripts, preloaded modules and styles that the HTML names.
fn named_files(html: &str) -> impl Iterator<Item = &str> {
    let attributes = html.split(['"', '\'']);
    attributes.filter_map(|value| {
        value
            .strip_prefix('/')
            .filter(|path| path.starts_with("assets/"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_the_first_load_are_read_from_the_html() {
        let html =
            r#"<script src="/assets/a.js"></script><link href="/assets/b.css"><a href="/x">"#;
        let files: Vec<_> = named_files(html).collect();
        assert_eq!(files, ["assets/a.js", "assets/b.css"]);
    }
}
