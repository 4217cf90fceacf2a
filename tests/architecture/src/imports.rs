//! The imports of a crate's modules, found in the source text.
//!
//! Reads `use` declarations and paths that begin with `crate`, `self` or `super`; resolves them to
//! the module that defines the name. Names that macros generate are not resolved.

use std::collections::BTreeMap;

use crate::rust_source::is_word;
use crate::tree::{Tree, is_test_file};

/// How many re-exports a name is followed through.
const MAX_REEXPORTS: usize = 8;

const DEFINITIONS: &[&str] = &[
    "struct",
    "enum",
    "trait",
    "type",
    "fn",
    "const",
    "static",
    "union",
    "mod",
    "macro_rules!",
];

type Path = Vec<String>;

/// A crate's modules by their paths, such as `room::fanout`; the root is the empty path.
pub(crate) struct Crate<'t> {
    modules: BTreeMap<String, Module<'t>>,
}

struct Module<'t> {
    code: &'t str,
    /// The local name and the path of each `use`; a glob has the name `*`.
    uses: Vec<(String, Path)>,
    /// Paths in expressions and types.
    paths: Vec<Path>,
}

impl<'t> Crate<'t> {
    /// The modules below a source directory.
    pub(crate) fn read(tree: &'t Tree, directory: &str) -> Self {
        let mut modules = BTreeMap::new();
        for (path, source) in tree.rust_under(directory) {
            let name = path.strip_prefix(directory).and_then(module_path);
            if let Some(name) = name.filter(|_| !is_test_file(path)) {
                modules
                    .entry(name)
                    .or_insert_with(|| Module::of(source.code_before_tests()));
            }
        }
        Self { modules }
    }

    /// Each import: the importing module, the defining module, the name.
    pub(crate) fn imports(&self) -> Vec<(String, String, String)> {
        let mut imports = Vec::new();
        for (importer, module) in &self.modules {
            let uses = module.uses.iter().map(|(_, path)| path);
            for path in uses.chain(&module.paths) {
                if let Some((target, name)) = self.resolve(importer, path, MAX_REEXPORTS) {
                    imports.push((importer.clone(), target, name));
                }
            }
        }
        imports
    }

    /// The module that defines what `path` names inside `module`, and the name.
    fn resolve(&self, module: &str, path: &[String], limit: usize) -> Option<(String, String)> {
        let (mut start, mut rest) = (module, path);
        if path.first()? == "crate" {
            (start, rest) = ("", &path[1..]);
        }
        while let Some(first) = rest
            .first()
            .filter(|word| *word == "super" || *word == "self")
        {
            if first == "super" {
                start = parent(start);
            }
            rest = &rest[1..];
        }
        let is_relative = rest.len() == path.len();
        let mut current = start.to_owned();
        for (index, name) in rest.iter().enumerate() {
            let child = join(&current, name);
            if self.modules.contains_key(&child) {
                current = child;
                continue;
            }
            if index == 0 && is_relative {
                // The name of another crate, or one that is imported: seen at that import.
                return None;
            }
            let found = self.definition(&current, name, limit);
            return Some((found.unwrap_or(current), name.clone()));
        }
        let name = rest.last().cloned().unwrap_or_default();
        Some((current, name))
    }

    /// The module from which `module` re-exports `name`, if it does not define it itself.
    fn definition(&self, module: &str, name: &str, limit: usize) -> Option<String> {
        let source = self.modules.get(module)?;
        if limit == 0 || source.defines(name) {
            return None;
        }
        let reexport = source.uses.iter().find(|(local, _)| local == name);
        if let Some((_, path)) = reexport {
            return self
                .resolve(module, path, limit - 1)
                .map(|(target, _)| target);
        }
        let globs = source.uses.iter().filter(|(local, _)| local == "*");
        globs
            .filter_map(|(_, path)| self.resolve(module, path, limit - 1))
            .map(|(target, _)| target)
            .find(|target| {
                self.modules
                    .get(target)
                    .is_some_and(|module| module.defines(name))
            })
    }
}

impl<'t> Module<'t> {
    fn of(code: &'t str) -> Self {
        let inner = inline_modules(code);
        let depth = |at: usize| inner.iter().filter(|range| range.contains(&at)).count();
        let mut module = Self {
            code,
            uses: Vec::new(),
            paths: Vec::new(),
        };
        for at in words(code, "use") {
            let declaration = &code[at + 3..];
            let Some(end) = declaration
                .find(';')
                .filter(|_| declaration.starts_with(' '))
            else {
                continue;
            };
            let mut uses = Vec::new();
            expand(&declaration[..end], &[], &mut uses);
            let uses = uses
                .into_iter()
                .filter_map(|(name, path)| Some((name, without_inline(path, depth(at))?)));
            module.uses.extend(uses);
        }
        for start in ["crate", "super", "self"] {
            for at in words(code, start).filter(|at| code[at + start.len()..].starts_with("::")) {
                let text: String = code[at..]
                    .chars()
                    .take_while(|char| is_word(*char) || *char == ':')
                    .collect();
                let path = text.split("::").map(str::to_owned);
                let path = path.filter(|word| !word.is_empty()).collect();
                module.paths.extend(without_inline(path, depth(at)));
            }
        }
        module
    }

    fn defines(&self, name: &str) -> bool {
        DEFINITIONS.iter().any(|keyword| {
            let definition = format!("{keyword} {name}");
            words(self.code, &definition).next().is_some()
        })
    }
}

/// The path of the module in a file below `src`; `None` for programs in `src/bin`.
fn module_path(file: &str) -> Option<String> {
    let path = file.strip_prefix('/')?.strip_suffix(".rs")?;
    let path = path.strip_suffix("/mod").unwrap_or(path);
    match path {
        "lib" | "main" => Some(String::new()),
        _ if path.starts_with("bin/") => None,
        _ => Some(path.replace('/', "::")),
    }
}

fn parent(module: &str) -> &str {
    module.rsplit_once("::").map_or("", |(parent, _)| parent)
}

fn join(module: &str, name: &str) -> String {
    if module.is_empty() {
        name.to_owned()
    } else {
        format!("{module}::{name}")
    }
}

/// Where `word` occurs as a whole word.
fn words<'c>(code: &'c str, word: &'c str) -> impl Iterator<Item = usize> + 'c {
    let is_whole = move |at: &usize| {
        let (before, after) = (&code[..*at], &code[at + word.len()..]);
        !before.ends_with(|char| is_word(char) || char == '\'') && !after.starts_with(is_word)
    };
    code.match_indices(word).map(|(at, _)| at).filter(is_whole)
}

/// The byte ranges of modules written inside the file.
fn inline_modules(code: &str) -> Vec<std::ops::Range<usize>> {
    let body = |at: usize| {
        let open = at + code[at..].find(['{', ';'])?;
        let mut depth = 0_usize;
        for (offset, char) in code[open..].char_indices() {
            match char {
                '{' => depth += 1,
                '}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth == 0 {
                return Some(open..open + offset);
            }
        }
        None
    };
    words(code, "mod").filter_map(body).collect()
}

/// A path inside `depth` inline modules, as seen from the file; `None` when it stays inside them.
fn without_inline(path: Path, depth: usize) -> Option<Path> {
    if depth == 0 || path.first().is_none_or(|first| first == "crate") {
        return Some(path);
    }
    let supers = path.iter().take_while(|word| *word == "super").count();
    let mut rest = path.into_iter().skip(depth);
    (supers >= depth).then(|| {
        std::iter::once("self".to_owned())
            .chain(&mut rest)
            .collect()
    })
}

/// Adds each name of a `use` tree with its path.
fn expand(tree: &str, prefix: &[String], uses: &mut Vec<(String, Path)>) {
    let tree = tree.trim();
    if let Some((start, group)) = tree.split_once('{') {
        let mut path = prefix.to_vec();
        path.extend(segments(start));
        for part in top_level_parts(group.strip_suffix('}').unwrap_or(group)) {
            expand(part, &path, uses);
        }
        return;
    }
    let (path_text, alias) = match tree.split_once(" as ") {
        Some((path, alias)) => (path, Some(alias.trim().to_owned())),
        None => (tree, None),
    };
    let mut path = prefix.to_vec();
    path.extend(segments(path_text));
    if path.len() > 1
        && path
            .last()
            .is_some_and(|word| word == "self" || word == "*")
    {
        let last = path.pop().unwrap_or_default();
        let name = if last == "*" {
            last
        } else {
            path.last().cloned().unwrap_or_default()
        };
        uses.push((alias.unwrap_or(name), path));
    } else if let Some(name) = path.last().cloned() {
        uses.push((alias.unwrap_or(name), path));
    }
}

fn segments(text: &str) -> impl Iterator<Item = String> {
    let words = text.trim().split("::").map(str::trim);
    words.filter(|word| !word.is_empty()).map(str::to_owned)
}

/// The parts of a `use` group, split at its own commas.
fn top_level_parts(group: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut start) = (Vec::new(), 0_usize, 0);
    for (at, char) in group.char_indices() {
        match char {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(&group[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&group[start..]);
    parts
        .into_iter()
        .filter(|part| !part.trim().is_empty())
        .collect()
}
