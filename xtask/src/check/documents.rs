//! What every tracked text must not contain, and whether documents point at something.

use serde_json::Value;

use super::tree::has_extension;
use super::{Breach, Facts};

/// Hosts that packages come from. A mirror has other names, so the clients' own settings decide.
/// Written in two halves, so that this file does not break its own rule.
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

/// Directories of one machine.
const MACHINE: &[&str] = &[
    concat!("/wo", "rk/"),
    concat!("/ro", "ot/"),
    concat!("/ho", "me/"),
];

/// INVARIANT: where packages come from is decided outside this repository.
pub(super) fn registries(facts: &Facts) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for (path, text) in facts.tree.texts() {
        for (index, line) in text.lines().enumerate() {
            if let Some(host) = REGISTRIES.iter().find(|host| line.contains(**host)) {
                breaches.push(Breach::at(path, index + 1, format!("names {host}")));
            }
        }
        if path.ends_with("package-lock.json") && resolves_to_hosts(text) {
            let what = "has \"resolved\" addresses: npm install --omit-lockfile-registry-resolved";
            breaches.push(Breach::new(path, what));
        }
    }
    breaches
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

/// INVARIANT: nothing depends on where somebody keeps the repository.
pub(super) fn machine_paths(facts: &Facts) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for (path, text) in facts.tree.texts() {
        for (index, line) in text.lines().enumerate() {
            if let Some(found) = MACHINE.iter().find(|start| begins_path(line, start)) {
                let what = format!("names a path below {found}");
                breaches.push(Breach::at(path, index + 1, what));
            }
        }
    }
    breaches
}

/// Whether a path begins with `start`, other than in the midst of another one.
fn begins_path(line: &str, start: &str) -> bool {
    line.match_indices(start).any(|(at, _)| {
        !line[..at].ends_with(|char: char| char.is_alphanumeric() || "_-.~)}]*>/".contains(char))
    })
}

/// INVARIANT: a document's links to other files of the repository lead somewhere.
pub(super) fn links(facts: &Facts) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for (path, text) in facts
        .tree
        .texts()
        .filter(|(path, _)| has_extension(path, "md"))
    {
        for (line, target) in targets(text) {
            let file = target.split('#').next().unwrap_or_default();
            let elsewhere = target.contains("://") || target.starts_with("mailto:");
            if elsewhere || file.is_empty() {
                continue;
            }
            if resolve(path, file).is_none_or(|file| !facts.tree.has(&file)) {
                breaches.push(Breach::at(path, line, format!("there is no {target}")));
            }
        }
    }
    breaches
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
        // Every other piece between backquotes is code.
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

/// A link's file as a path from the root; nothing when it leads out of the repository.
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
