//! Import cycles between files and between modules of a crate.
//!
//! An import is resolved through re-exports to the file that defines the name. A module and its own
//! submodules are one unit: imports between a file and its ancestors are no edges. Tests are not
//! read. How paths are found in the source is in `imports`.

use std::collections::{BTreeMap, BTreeSet};

use crate::imports::Crate;
use crate::{Violation, Workspace};

/// For each module, the modules it imports with the names it takes from each.
type Graph = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

/// INVARIANT: neither the files nor the top-level modules of a crate import each other in a cycle.
pub(crate) fn import_cycles(workspace: &Workspace) -> Vec<Violation> {
    let mut violations = Vec::new();
    for directory in crates(workspace) {
        let graph = files(&Crate::read(&workspace.tree, &directory));
        let mut found = cycles(&graph);
        found.extend(cycles(&top_level(&graph)));
        found.sort();
        found.dedup();
        violations.extend(
            found
                .into_iter()
                .map(|cycle| Violation::new(&*directory, cycle)),
        );
    }
    violations
}

/// The source directories of all packages.
fn crates(workspace: &Workspace) -> Vec<String> {
    let texts = workspace.tree.texts();
    let manifests = texts.filter_map(|(path, _)| path.strip_suffix("/Cargo.toml"));
    manifests.map(|package| format!("{package}/src")).collect()
}

fn files(krate: &Crate<'_>) -> Graph {
    let mut graph = Graph::new();
    for (importer, target, name) in krate.imports() {
        let is_related = is_ancestor(&importer, &target) || is_ancestor(&target, &importer);
        let targets = graph.entry(importer).or_default();
        if !is_related {
            targets.entry(target).or_default().insert(name);
        }
    }
    graph
}

fn is_ancestor(module: &str, other: &str) -> bool {
    module.is_empty() || module == other || other.starts_with(&format!("{module}::"))
}

/// The same graph between the top-level modules.
fn top_level(graph: &Graph) -> Graph {
    let top = |module: &str| module.split("::").next().unwrap_or_default().to_owned();
    let mut result = Graph::new();
    for (importer, targets) in graph {
        let own = result.entry(top(importer)).or_default();
        for (target, names) in targets {
            if top(target) != top(importer) {
                own.entry(top(target)).or_default().extend(names.clone());
            }
        }
    }
    result
}

/// Each set of modules that reach each other, as a text with the names that tie them.
fn cycles(graph: &Graph) -> Vec<String> {
    let reachable: BTreeMap<&str, BTreeSet<&str>> = graph
        .keys()
        .map(|module| (module.as_str(), reach(graph, module)))
        .collect();
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for (module, targets) in &reachable {
        let tied = |other: &&&str| {
            reachable
                .get(**other)
                .is_some_and(|back| back.contains(module))
        };
        let cycle: BTreeSet<&str> = targets.iter().filter(tied).copied().collect();
        if !cycle.is_empty() && seen.insert(cycle.clone()) {
            found.push(describe(graph, &cycle));
        }
    }
    found
}

fn reach<'g>(graph: &'g Graph, start: &str) -> BTreeSet<&'g str> {
    let mut reached = BTreeSet::new();
    let mut open = vec![start];
    while let Some(module) = open.pop() {
        for target in graph.get(module).into_iter().flat_map(BTreeMap::keys) {
            if reached.insert(target.as_str()) {
                open.push(target);
            }
        }
    }
    reached
}

fn describe(graph: &Graph, cycle: &BTreeSet<&str>) -> String {
    let mut edges = Vec::new();
    for module in cycle {
        for (target, names) in graph.get(*module).into_iter().flatten() {
            if cycle.contains(target.as_str()) {
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                edges.push(format!("{module} → {target} ({})", names.join(", ")));
            }
        }
    }
    format!("import cycle: {}", edges.join("; "))
}
