//! The sizes of what a browser loads, compressed with gzip.
//!
//! A load is a page's HTML and every script and style its entries need at once, by the manifest that
//! Vite writes. To add a page or a part that is loaded later, add a row to [`BUDGETS`].

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use colloquy_web_dist::gzipped_size;
use serde_json::Value;

struct Budget {
    name: &'static str,
    /// The page, relative to the build; none for a part that is loaded later.
    html: Option<&'static str>,
    /// The modules that are loaded, as the manifest names them.
    entries: &'static [&'static str],
    /// What is on the page already when the entries are loaded.
    after: &'static [&'static str],
    bytes: usize,
}

const LOGIN: &[&str] = &["app/index.html"];

const CHAT: &[&str] = &["app/index.html", "app/shell/Shell.svelte", "app/i18n/en.ts"];

const DOCS: &[&str] = &["docs/index.html"];

const GUARANTEES: &[&str] = &["guarantees/index.html"];

const BUDGETS: &[Budget] = &[
    Budget {
        name: "log in",
        html: Some("index.html"),
        entries: LOGIN,
        after: &[],
        bytes: 40_000,
    },
    Budget {
        name: "registration and errors",
        html: None,
        entries: &[
            "app/signed-out/Register.svelte",
            "app/errors/ErrorBanner.svelte",
        ],
        after: LOGIN,
        bytes: 3_000,
    },
    Budget {
        name: "chat",
        html: Some("index.html"),
        entries: CHAT,
        after: &[],
        bytes: 90_000,
    },
    Budget {
        name: "other pages, dialogs and details of a conversation",
        html: None,
        entries: &[
            "app/shell/later.ts",
            "app/chat/later.ts",
            "app/chat/details/Details.svelte",
        ],
        after: CHAT,
        bytes: 25_000,
    },
    Budget {
        name: "formatter of texts",
        html: None,
        entries: &["app/chat/text/formatted.ts"],
        after: CHAT,
        bytes: 20_000,
    },
    Budget {
        name: "emoji picker and its data",
        html: None,
        entries: &["app/chat/emoji/EmojiPicker.svelte", "virtual:emoji/en"],
        after: CHAT,
        bytes: 80_000,
    },
    Budget {
        name: "docs",
        html: None,
        entries: DOCS,
        after: &[],
        bytes: 30_000,
    },
    // Rendered at build time: it contains the documents it shows, and grows with the API.
    Budget {
        name: "HTML of docs",
        html: Some("docs/index.html"),
        entries: DOCS,
        after: DOCS,
        bytes: 40_000,
    },
    Budget {
        name: "guarantees",
        html: Some("guarantees/index.html"),
        entries: GUARANTEES,
        after: &[],
        bytes: 45_000,
    },
    Budget {
        name: "demonstration of guarantees",
        html: None,
        entries: &["guarantees/view/demo.ts"],
        after: GUARANTEES,
        bytes: 45_000,
    },
    Budget {
        name: "admin",
        html: Some("admin/index.html"),
        entries: &["admin/index.html"],
        after: &[],
        bytes: 60_000,
    },
];

/// Fails if a load exceeds its budget, or a page has none.
pub(super) fn check(dist: &Path, manifest: &Value) -> Result<()> {
    let modules = manifest.as_object().context("the manifest of Vite")?;
    for page in modules.keys().filter(|name| is_page(name)) {
        if !BUDGETS
            .iter()
            .any(|budget| budget.entries.contains(&page.as_str()))
        {
            bail!("{page} has no size budget");
        }
    }
    let mut exceeded = Vec::new();
    for budget in BUDGETS {
        let (name, limit) = (budget.name, budget.bytes);
        match budget.missing(manifest) {
            None => {}
            // A page that does not exist yet.
            Some(entry) if is_page(entry) => continue,
            Some(entry) => bail!("the build has no {entry}, which the budget of {name} names"),
        }
        let size = budget.size(dist, manifest)?;
        println!("    {name}: {size} of {limit} bytes");
        if size > limit {
            exceeded.push(format!(
                "{name} has {size} bytes gzipped, its budget is {limit}"
            ));
        }
    }
    if exceeded.is_empty() {
        return Ok(());
    }
    bail!("{}", exceeded.join("; "))
}

fn is_page(entry: &str) -> bool {
    matches!(entry.rsplit_once('.'), Some((_, "html")))
}

impl Budget {
    /// The first entry that was not built.
    fn missing(&self, manifest: &Value) -> Option<&'static str> {
        let mut entries = self.entries.iter().copied();
        entries.find(|entry| manifest.get(entry).is_none())
    }

    fn size(&self, dist: &Path, manifest: &Value) -> Result<usize> {
        let present = files(manifest, self.after);
        let mut size = 0;
        let loaded = files(manifest, self.entries);
        let loaded = loaded.difference(&present).map(String::as_str);
        for name in loaded.chain(self.html) {
            let content = fs::read(dist.join(name)).with_context(|| name.to_owned())?;
            size += gzipped_size(&content)?;
        }
        Ok(size)
    }
}

/// The scripts and styles of modules and of everything they import statically.
fn files(manifest: &Value, entries: &[&str]) -> BTreeSet<String> {
    let (mut files, mut seen) = (BTreeSet::new(), BTreeSet::new());
    let mut pending: Vec<&str> = entries.to_vec();
    while let Some(name) = pending.pop() {
        if !seen.insert(name) {
            continue;
        }
        let module = &manifest[name];
        files.extend(module["file"].as_str().map(str::to_owned));
        files.extend(texts(&module["css"]).map(str::to_owned));
        pending.extend(texts(&module["imports"]));
    }
    files
}

fn texts(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn load_has_static_imports_and_styles_only() {
        let manifest = serde_json::json!({
            "app/index.html": {
                "file": "assets/app.js", "css": ["assets/app.css"],
                "imports": ["_shared.js"], "dynamicImports": ["app/later.ts"]
            },
            "_shared.js": {"file": "assets/shared.js", "imports": ["app/index.html"]},
            "app/later.ts": {"file": "assets/later.js", "imports": ["_shared.js"]},
        });
        let names = |entries| files(&manifest, entries).into_iter().collect::<Vec<_>>();
        assert_eq!(
            names(&["app/index.html"]),
            ["assets/app.css", "assets/app.js", "assets/shared.js"]
        );
        assert_eq!(names(&["app/later.ts"]).len(), 4);
    }
}
