//! Names: of types inside a crate, and of files across the layers.

use std::collections::BTreeMap;

use crate::tree::{Tree, is_test_file};
use crate::{Violation, Workspace};

/// What introduces a type at the beginning of a line.
const TYPES: &[&str] = &["struct ", "enum ", "trait ", "union ", "type "];

/// The resources of the API.
const RESOURCES: &[&str] = &[
    "accounts",
    "conversations",
    "members",
    "messages",
    "sessions",
    "sockets",
];

/// A layer: where its files or folders are, and which it has besides the resources.
struct Layer {
    directory: &'static str,
    /// Names that are no resources, with what they are; empty where any name is allowed.
    others: &'static [&'static str],
}

const LAYERS: &[Layer] = &[
    Layer {
        directory: "core/src/http",
        others: &[],
    },
    Layer {
        directory: "core/src/service",
        others: &[],
    },
    Layer {
        directory: "core/sql/postgres",
        others: &["instance", "shared"],
    },
    Layer {
        directory: "core/sql/sqlite",
        others: &["instance", "shared"],
    },
    Layer {
        directory: "tests/contract/src",
        others: &[],
    },
    Layer {
        directory: "tests/blackbox/tests/blackbox",
        others: &[],
    },
];

/// INVARIANT: a type's name is unique in its crate.
pub(crate) fn unique_types(workspace: &Workspace) -> Vec<Violation> {
    let mut seen: BTreeMap<(&str, &str), (&str, usize)> = BTreeMap::new();
    let mut violations = Vec::new();
    for (path, source) in workspace
        .tree
        .rust()
        .filter(|(path, _)| !is_test_file(path))
    {
        let Some((package, _)) = path.split_once("/src/") else {
            continue;
        };
        for (line, code) in source.lines_of_code() {
            let Some(name) = defined_type(code) else {
                continue;
            };
            let (first, first_line) = *seen.entry((package, name)).or_insert((path, line));
            // In one file they are alternatives for different targets.
            if first != path {
                let message = format!("the type `{name}` is also defined at {first}:{first_line}");
                violations.push(Violation::at_line(path, line, message));
            }
        }
    }
    violations
}

/// The name of the type that a line without indentation defines.
fn defined_type(code: &str) -> Option<&str> {
    let mut code = code;
    for visibility in ["pub ", "pub(crate) ", "pub(super) ", "unsafe "] {
        code = code.strip_prefix(visibility).unwrap_or(code);
    }
    let name = TYPES
        .iter()
        .find_map(|keyword| code.strip_prefix(keyword))?;
    let end = name
        .find(|char: char| !char.is_alphanumeric())
        .unwrap_or(name.len());
    Some(&name[..end])
}

/// INVARIANT: a resource has the same name on every layer, and every layer has it.
pub(crate) fn resources(workspace: &Workspace) -> Vec<Violation> {
    let mut violations = Vec::new();
    for layer in LAYERS {
        let names = entries(&workspace.tree, layer.directory);
        if names.is_empty() {
            continue;
        }
        let missing = RESOURCES.iter().filter(|name| !names.contains(*name));
        violations.extend(missing.map(|name| {
            let location = format!("{}/{name}", layer.directory);
            Violation::new(location, "other layers have this resource")
        }));
        let is_known = |name: &str| RESOURCES.contains(&name) || layer.others.contains(&name);
        let unknown = names
            .iter()
            .filter(|name| !layer.others.is_empty() && !is_known(name));
        violations.extend(unknown.map(|name| {
            let location = format!("{}/{name}", layer.directory);
            Violation::new(location, "is the name of no resource")
        }));
    }
    violations
}

/// The names of a directory's Rust files without extension, and of its folders.
fn entries<'t>(tree: &'t Tree, directory: &str) -> Vec<&'t str> {
    let paths = tree.texts().map(|(path, _)| path);
    let below = paths.filter_map(|path| path.strip_prefix(directory)?.strip_prefix('/'));
    let mut names: Vec<&str> = below
        .filter_map(|path| match path.split_once('/') {
            Some((folder, _)) => Some(folder),
            None => path.strip_suffix(".rs"),
        })
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}
