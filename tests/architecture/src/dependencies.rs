//! Which package may depend on which.
//!
//! `deny.toml` holds the same bans for the external crates; this check runs without cargo-deny.

use anyhow::{Context as _, Result};
use colloquy_harness::tools;
use serde_json::Value;

use crate::{Violation, Workspace};

const CORE: &str = "colloquy-core";
const PROTO: &str = "colloquy-proto";
const WORKER: &str = "colloquy-worker";

/// Crates core must not depend on, directly or transitively. A `*` matches any suffix.
const BANNED_IN_CORE: &[&str] = &[
    "worker", "worker-*", "sqlx*", "tokio", "tokio-*", "reqwest", "hyper*",
];

/// The only direct dependencies of proto.
const ALLOWED_IN_PROTO: &[&str] = &["serde", "serde_json", "thiserror", "time", "utoipa"];

/// The adapters never depend on each other.
const ADAPTERS: &[&str] = &["colloquy-local-server", WORKER];

/// What cargo reports about the packages.
#[derive(Default)]
pub(crate) struct Packages {
    /// `cargo metadata --no-deps`.
    pub(crate) metadata: Value,
    /// The packages in core's dependency tree for every target, one per line.
    pub(crate) core_tree: String,
}

impl Packages {
    pub(crate) fn read() -> Result<Self> {
        let metadata = ["metadata", "--format-version", "1", "--no-deps"];
        let metadata = tools::output(tools::cargo().args(metadata))?;
        let tree = "tree --edges normal --target all --prefix none --format {p} --package";
        let mut cargo = tools::cargo();
        let core_tree = tools::output(cargo.args(tree.split(' ')).arg(CORE))?;
        let metadata = serde_json::from_str(&metadata).context("cargo metadata")?;
        Ok(Self {
            metadata,
            core_tree,
        })
    }

    /// The normal and development dependencies of our packages: package, dependency, kind.
    fn edges(&self) -> Vec<(&str, &str, &str)> {
        let packages = self.metadata["packages"].as_array().into_iter().flatten();
        let edges = packages.flat_map(|package| {
            let name = package["name"].as_str().unwrap_or_default();
            let dependencies = package["dependencies"].as_array().into_iter().flatten();
            dependencies.filter_map(move |dependency| {
                let kind = dependency["kind"].as_str().unwrap_or("normal");
                Some((name, dependency["name"].as_str()?, kind))
            })
        });
        edges.collect()
    }
}

/// INVARIANT: core and proto depend on no driver, client or runtime.
pub(crate) fn pure_crates(workspace: &Workspace) -> Vec<Violation> {
    let tree = workspace.packages.core_tree.lines();
    let mut names: Vec<&str> = tree
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    if !names.contains(&CORE) {
        return vec![Violation::new(CORE, "cargo tree does not contain it")];
    }
    names.sort_unstable();
    names.dedup();
    let banned = |name: &&str| BANNED_IN_CORE.iter().any(|ban| matches(ban, name));
    let mut violations: Vec<Violation> = names
        .into_iter()
        .filter(banned)
        .map(|name| {
            let how = format!("cargo tree -p {CORE} -e normal --target all -i {name}");
            Violation::new(CORE, format!("depends on {name}; see `{how}`"))
        })
        .collect();
    for (package, dependency, kind) in workspace.packages.edges() {
        if package == PROTO && kind == "normal" && !ALLOWED_IN_PROTO.contains(&dependency) {
            violations.push(Violation::new(PROTO, format!("depends on {dependency}")));
        }
    }
    violations
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == pattern,
    }
}

/// INVARIANT: adapters → core → proto; only the edge adapter depends on the crate `worker`.
pub(crate) fn one_way(workspace: &Workspace) -> Vec<Violation> {
    let edges = workspace.packages.edges();
    let is_ours = |name: &str| name.starts_with("colloquy-");
    let forbidden = |(package, dependency, kind): &(&str, &str, &str)| {
        let between_adapters =
            ADAPTERS.contains(package) && ADAPTERS.contains(dependency) && package != dependency;
        let upwards = *package == CORE
            && *kind == "normal"
            && is_ours(dependency)
            && ![CORE, PROTO].contains(dependency);
        let foreign_worker = *dependency == "worker" && *package != WORKER;
        between_adapters || upwards || foreign_worker
    };
    let violation = |(package, dependency, _): (&str, &str, &str)| {
        Violation::new(package, format!("must not depend on {dependency}"))
    };
    edges.into_iter().filter(forbidden).map(violation).collect()
}
