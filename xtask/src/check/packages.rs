//! Which package may depend on which. What the packages contain is not looked at here.

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::{Breach, Facts};
use colloquy_harness::tools;

const CORE: &str = "colloquy-core";
const WORKER: &str = "colloquy-worker";

/// Packages core must not reach, however indirectly. A `*` stands for any ending.
const NOT_IN_CORE: &[&str] = &[
    "worker", "worker-*", "sqlx*", "tokio", "tokio-*", "reqwest", "hyper*",
];

/// Hosts of core: each must build and be understood without the other.
const ADAPTERS: &[&str] = &["colloquy-local-server", WORKER];

/// What cargo says about the packages.
#[derive(Default)]
pub(super) struct Packages {
    /// `cargo metadata` without dependencies' own packages.
    pub(super) metadata: Value,
    /// The names in core's dependency tree, for every target, as `cargo tree` indents nothing.
    pub(super) core: String,
}

impl Packages {
    pub(super) fn read() -> Result<Self> {
        let metadata = ["metadata", "--format-version", "1", "--no-deps"];
        let metadata = tools::output(tools::cargo().args(metadata))?;
        let tree = [
            "tree",
            "--package",
            CORE,
            "--edges",
            "normal",
            "--target",
            "all",
        ];
        let flat = ["--prefix", "none", "--format", "{p}"];
        let core = tools::output(tools::cargo().args(tree).args(flat))?;
        let metadata = serde_json::from_str(&metadata).context("cargo metadata")?;
        Ok(Self { metadata, core })
    }

    /// Our packages, each with its dependencies as `(name, kind)`.
    fn ours(&self) -> Vec<(&str, Vec<(&str, &str)>)> {
        let packages = self.metadata["packages"]
            .as_array()
            .map_or(&[][..], Vec::as_slice);
        packages
            .iter()
            .map(|package| {
                let dependencies = package["dependencies"]
                    .as_array()
                    .map_or(&[][..], Vec::as_slice);
                let dependencies = dependencies
                    .iter()
                    .filter_map(|one| {
                        Some((
                            one["name"].as_str()?,
                            one["kind"].as_str().unwrap_or("normal"),
                        ))
                    })
                    .collect();
                (package["name"].as_str().unwrap_or_default(), dependencies)
            })
            .collect()
    }
}

/// INVARIANT: core reaches no driver, no client, no runtime.
pub(super) fn core_is_pure(facts: &Facts) -> Vec<Breach> {
    let mut names: Vec<&str> = facts
        .packages
        .core
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    if !names.contains(&CORE) {
        return vec![Breach::new(CORE, "cargo tree does not show it")];
    }
    names.sort_unstable();
    names.dedup();
    names
        .into_iter()
        .filter(|name| NOT_IN_CORE.iter().any(|pattern| matches(pattern, name)))
        .map(|name| {
            let how = format!("cargo tree -p {CORE} -e normal --target all -i {name}");
            Breach::new(CORE, format!("reaches {name}; see `{how}`"))
        })
        .collect()
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == pattern,
    }
}

/// INVARIANT: `worker → core ← local-server`; only the edge adapter names the crate `worker`.
pub(super) fn one_way(facts: &Facts) -> Vec<Breach> {
    let ours = facts.packages.ours();
    let names: Vec<&str> = ours.iter().map(|(name, _)| *name).collect();
    let mut breaches = Vec::new();
    for (package, dependencies) in &ours {
        for (dependency, kind) in dependencies {
            let between_adapters = ADAPTERS.contains(package)
                && ADAPTERS.contains(dependency)
                && package != dependency;
            let out_of_core = *package == CORE
                && *kind == "normal"
                && names.contains(dependency)
                && *dependency != CORE;
            let foreign_worker = *dependency == "worker" && *package != WORKER;
            if between_adapters || out_of_core || foreign_worker {
                breaches.push(Breach::new(
                    *package,
                    format!("must not depend on {dependency}"),
                ));
            }
        }
    }
    breaches
}
