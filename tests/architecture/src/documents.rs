//! What no tracked text may contain, and links between documents.

use serde_json::Value;

use crate::tree::has_extension;
use crate::{Violation, Workspace};

/// Hosts of package registries. Clients' own settings select a mirror.
/// Written in two halves, so that this file passes its own check.
const REGISTRIES: &[&str] = &[
    concat!("index.", "crates.io"),
    concat!("static.", "crates.io"),
    concat!("registry.", "npmjs.org"),
    concat!("registry.", "yarnpkg.com"),
    concat!("deb.", "debian.org"),
    concat!("pypi", ".org"),
    concat!("files.", "pythonhosted.org"),
    concat!("static.", "rust-lang.org"),
];

/// Directories that exist on one machine only.
const MACHINE_DIRECTORIES: &[&str] = &[
    concat!("/wo", "rk/"),
    concat!("/ro", "ot/"),
    concat!("/ho", "me/"),
];

/// INVARIANT: the package registry is configured outside this repository.
pub(crate) fn registries(workspace: &Workspace) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (path, text) in workspace.tree.texts() {
        for (index, line) in text.lines().enumerate() {
            if let Some(host) = REGISTRIES.iter().find(|host| line.contains(**host)) {
                violations.push(Violation::at_line(path, index + 1, format!("names {host}")));
            }
        }
        if path.ends_with("package-lock.json") && resolves_to_hosts(text) {
            let message =
                "has \"resolved\" addresses: npm install --omit-lockfile-registry-resolved";
            violations.push(Violation::new(path, message));
        }
    }
    violations
}

fn resolves_to_hosts(lock: &str) -> bool {
    let lock: Value = serde_json::from_str(lock).unwrap_or_default();
    let packages = lock["packages"].as_object();
    packages.is_some_and(|packages| {
        packages.values().any(|package| {
            package["resolved"]
                .as_str()
                .is_some_and(|address| address.starts_with("http"))
        })
    })
}

/// INVARIANT: nothing depends on the location of the repository.
pub(crate) fn machine_paths(workspace: &Workspace) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (path, text) in workspace.tree.texts() {
        for (index, line) in text.lines().enumerate() {
            if let Some(found) = MACHINE_DIRECTORIES
                .iter()
                .find(|start| begins_path(line, start))
            {
                let message = format!("names a path below {found}");
                violations.push(Violation::at_line(path, index + 1, message));
            }
        }
    }
    violations
}

/// Whether a path in the line begins with `start`; not inside another path.
fn begins_path(line: &str, start: &str) -> bool {
    line.match_indices(start).any(|(at, _)| {
        !line[..at].ends_with(|char: char| char.is_alphanumeric() || "_-.~)}]*>/".contains(char))
    })
}

/// INVARIANT: links of documents to files of the repository resolve.
pub(crate) fn links(workspace: &Workspace) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (path, text) in workspace
        .tree
        .texts()
        .filter(|(path, _)| has_extension(path, "md"))
    {
        for (line, target) in targets(text) {
            let file = target.split('#').next().unwrap_or_default();
            let is_external = target.contains("://") || target.starts_with("mailto:");
            if is_external || file.is_empty() {
                continue;
            }
            if resolve(path, file).is_none_or(|file| !workspace.tree.has(&file)) {
                violations.push(Violation::at_line(
                    path,
                    line,
                    format!("{target} does not exist"),
                ));
            }
        }
    }
    violations
}

/// The targets of `[text](target)` and `[label]: target`, outside code.
fn targets(text: &str) -> Vec<(usize, String)> {
    let mut targets = Vec::new();
    let mut fenced = false;
    for (index, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        if fenced {
            continue;
        }
        // Every second part between backquotes is code.
        let prose: String = line.split('`').step_by(2).collect::<Vec<_>>().join("`");
        for (at, opening) in prose.match_indices("](") {
            let rest = &prose[at + opening.len()..];
            let end = rest.find([')', ' ']).unwrap_or(rest.len());
            targets.push((index + 1, rest[..end].trim_matches(['<', '>']).to_owned()));
        }
        if let Some((_, target)) = prose
            .strip_prefix('[')
            .and_then(|definition| definition.split_once("]: "))
        {
            targets.push((
                index + 1,
                target.split(' ').next().unwrap_or_default().to_owned(),
            ));
        }
    }
    targets
}

/// A link as a path from the root; `None` when it leaves the repository.
fn resolve(document: &str, link: &str) -> Option<String> {
    let mut parts: Vec<&str> = match link.strip_prefix('/') {
        Some(_) => Vec::new(),
        None => document.split('/').collect(),
    };
    if !link.starts_with('/') {
        parts.pop();
    }
    for part in link.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}
