//! The licences of the packages that are part of the pages, as the build lists them.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

/// The list, relative to the build.
const LIST: &str = "licenses.txt";

/// Licences whose terms allow distribution under MIT or Apache-2.0.
const ALLOWED: &[&str] = &[
    "MIT",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "0BSD",
];

/// Fails if a bundled package has another licence.
pub(super) fn check(dist: &Path) -> Result<()> {
    let list = fs::read_to_string(dist.join(LIST)).context(LIST)?;
    let packages: Vec<_> = list.lines().filter_map(package).collect();
    if packages.is_empty() {
        bail!("{LIST} names no package");
    }
    for (name, licence) in packages {
        if !is_allowed(licence) {
            bail!("{name} has the licence {licence}");
        }
    }
    Ok(())
}

/// Name with version, and licence, of a heading `## svelte - 5.57.3 (MIT)`.
fn package(line: &str) -> Option<(&str, &str)> {
    let (name, licence) = line.strip_prefix("## ")?.rsplit_once(" (")?;
    Some((name, licence.strip_suffix(')')?))
}

/// Of alternatives one must be allowed.
fn is_allowed(licence: &str) -> bool {
    let alternatives = licence.trim_matches(['(', ')']).split(" OR ");
    alternatives.into_iter().any(|one| ALLOWED.contains(&one))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_name_package_and_licence() {
        assert_eq!(
            package("## svelte - 5.57.3 (MIT)"),
            Some(("svelte - 5.57.3", "MIT"))
        );
        assert_eq!(package("# Licenses"), None);
        assert!(is_allowed("MIT OR GPL-3.0"));
        assert!(!is_allowed("GPL-3.0") && !is_allowed("MPL-2.0"));
    }
}
