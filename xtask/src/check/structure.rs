//! What may be written where: the borders between core's modules, and between core and adapters.

use super::tree::{Source, is_under};
use super::{Breach, Facts};

/// Core's innermost modules.
const INNER: &[&str] = &["core/src/domain", "core/src/protocol", "core/src/room"];

/// Modules of core the innermost ones must not name.
const OUTSIDE: &[&str] = &["http", "ports", "store", "service", "cache"];

/// The one home of routes.
const ROUTES: &str = "core/src/http";

/// Where routes would turn into a second router.
const NO_ROUTES: &[&str] = &["core/src", "local-server/src", "worker/src"];

const ROUTING: &[&str] = &[
    ".route(",
    ".route_service(",
    ".nest(",
    ".nest_service(",
    "routes!(",
    "Router::new",
];

/// What makes a route that the description of all routes does not know.
const PLAIN: &[&str] = &[".route(", ".route_service(", ".nest(", ".nest_service("];

/// What answers every path that is no route.
const FALLBACKS: &[&str] = &[".fallback(", ".fallback_service("];

/// The fallbacks there are: the refusal of what is not there, and the router within its layers.
const KNOWN_FALLBACKS: &[&str] = &[".fallback(error::not_found)", ".fallback_service(inner)"];

/// Where each route has a row that says who may call it.
const AUTHORISATION: &str = "tests/blackbox/tests/blackbox/authorisation.rs";

const ADAPTERS: [&str; 2] = ["local-server/src", "worker/src"];

/// Files only one adapter has, each with the reason.
const ONLY_ONE: &[(&str, &str)] = &[
    ("main.rs", "a binary begins in `main`"),
    ("lib.rs", "a Worker is a library the runtime calls"),
    ("room_do.rs", "a Room lives in a Durable Object"),
    (
        "session_do.rs",
        "one object per session records which Rooms it has sockets in",
    ),
    ("rpc.rs", "a Worker and its objects are not one process"),
    (
        "isolate_load.rs",
        "natively Rooms are tasks on several threads",
    ),
    ("faults.rs", "a process that panics is started again"),
    ("hyperdrive.rs", "sockets come from a binding"),
    ("logging.rs", "lines go to the console alone"),
    ("stream.rs", "natively tokio has sockets"),
    ("admin.rs", "a Worker has no command line"),
    ("cli.rs", "a Worker has no command line"),
    ("environment.rs", "a Worker has no environment file"),
    ("healthcheck.rs", "nobody runs a Worker in a container"),
    ("migrate.rs", "a Worker migrates nothing"),
    ("send_queue.rs", "the runtime queues frames for a socket"),
    ("run.rs", "the runtime starts and ends a Worker"),
    (
        "cache_writer.rs",
        "objects share no process to batch cache writes in",
    ),
    ("room_database.rs", "natively one pool serves all Rooms"),
    (
        "room_sockets.rs",
        "natively a send queue represents a socket",
    ),
    ("secret_key.rs", "a Worker has no files"),
    ("serve.rs", "the runtime speaks HTTP"),
    ("signals.rs", "the runtime starts and ends a Worker"),
];

/// INVARIANT: what core does never depends on where it runs.
pub(super) fn no_target_code(facts: &Facts) -> Vec<Breach> {
    let advice = "what differs per target belongs into an adapter or the client of redis-http";
    facts
        .tree
        .rust_under("core/src")
        .flat_map(|(path, source)| find(path, source, &["target_arch", "target_family"], advice))
        .collect()
}

/// INVARIANT: domain, protocol and room import no http, ports, store, axum.
pub(super) fn inner_modules(facts: &Facts) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for (path, source) in INNER.iter().flat_map(|inner| facts.tree.rust_under(inner)) {
        for (line, name) in named(&source.code) {
            if OUTSIDE.contains(&name) || name == "axum" {
                breaches.push(Breach::at(path, line, format!("must not know `{name}`")));
            }
        }
    }
    breaches
}

/// What code names: modules of this crate behind `crate::` or `super::`, and `axum`, each with its
/// line.
fn named(code: &str) -> Vec<(usize, &str)> {
    let mut names = Vec::new();
    for prefix in ["crate::", "super::"] {
        for (at, _) in code.match_indices(prefix) {
            let start = at + prefix.len();
            let rest = &code[start..];
            match rest.strip_prefix('{') {
                None => names.push((start, word(rest))),
                Some(group) => names.extend(
                    top_level(group)
                        .into_iter()
                        .map(|(offset, name)| (start + 1 + offset, name)),
                ),
            }
        }
    }
    for (at, name) in code.match_indices("axum") {
        let whole = !code[..at].ends_with(is_word) && !code[at + name.len()..].starts_with(is_word);
        if whole {
            names.push((at, name));
        }
    }
    let line = |at: usize| code[..at].matches('\n').count() + 1;
    names
        .into_iter()
        .map(|(at, name)| (line(at), name))
        .collect()
}

/// The first names of a braced import, such as `a` and `b` in `a::{x, y}, b}`.
fn top_level(group: &str) -> Vec<(usize, &str)> {
    let mut names = Vec::new();
    let mut depth = 0_u32;
    let mut expected = true;
    for (at, char) in group.char_indices() {
        match char {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => expected = true,
            _ if expected && is_word(char) => {
                names.push((at, word(&group[at..])));
                expected = false;
            }
            _ => {}
        }
    }
    names
}

fn word(text: &str) -> &str {
    &text[..text.find(|char| !is_word(char)).unwrap_or(text.len())]
}

fn is_word(char: char) -> bool {
    char.is_alphanumeric() || char == '_'
}

/// INVARIANT: there is one router. Tests may build routers of their own.
pub(super) fn routes(facts: &Facts) -> Vec<Breach> {
    let advice = "routes are added in core/src/http only";
    let mut breaches = Vec::new();
    for (path, source) in NO_ROUTES
        .iter()
        .flat_map(|place| facts.tree.rust_under(place))
    {
        if !is_under(path, ROUTES) && !super::tree::is_test_file(path) {
            let limit = source.lines_before_tests();
            let found = find_before(path, source, limit, ROUTING, advice);
            breaches.extend(found);
        }
    }
    breaches
}

/// INVARIANT: no route escapes the table of who may call it. That table is held against the
/// server's description, which a plain route is not in; so a plain route must be named there.
pub(super) fn plain_routes(facts: &Facts) -> Vec<Breach> {
    let mut files = facts.tree.rust();
    let table = files.find(|(path, _)| *path == AUTHORISATION);
    let named = |route: &str| {
        table.is_some_and(|(_, table)| table.literals.iter().any(|one| one.text == route))
    };
    let mut breaches = Vec::new();
    for (path, source) in facts.tree.rust_under(ROUTES) {
        if super::tree::is_test_file(path) {
            continue;
        }
        let limit = source.lines_before_tests();
        for (line, code) in source.lines().take_while(|(line, _)| *line <= limit) {
            // A path may stand on the line below, where a call is broken up.
            let mut literals = source.literals.iter();
            let literal = literals.find(|one| (line..=line + 1).contains(&one.line));
            let mut plain = PLAIN.iter().flat_map(|pattern| code.matches(pattern));
            // Of two on a line only the first's path would be looked at.
            if let Some(pattern) = plain.next()
                && (plain.next().is_some() || !literal.is_some_and(|one| named(&one.text)))
            {
                let what = format!(
                    "`{pattern}`: describe it by `routes!`, or name its path in {AUTHORISATION}, one a line"
                );
                breaches.push(Breach::at(path, line, what));
            }
            let fallback = FALLBACKS.iter().find(|pattern| code.contains(**pattern));
            if let Some(pattern) = fallback
                && !KNOWN_FALLBACKS.iter().any(|known| code.contains(known))
            {
                let what = format!("`{pattern}`: what answers every path is in no table");
                breaches.push(Breach::at(path, line, what));
            }
        }
    }
    breaches
}

/// INVARIANT: the adapters read side by side.
pub(super) fn twins(facts: &Facts) -> Vec<Breach> {
    let [one, other] = ADAPTERS.map(|adapter| facts.tree.names_in(adapter));
    if one.is_empty() || other.is_empty() {
        return Vec::new();
    }
    let excepted = |name: &&str| ONLY_ONE.iter().any(|(file, _)| file == name);
    let missing = |from: &[&str], to: &[&str], place: &str| -> Vec<Breach> {
        from.iter()
            .filter(|name| !to.contains(name) && !excepted(name))
            .map(|name| Breach::new(format!("{place}/{name}"), "only the other adapter has it"))
            .collect()
    };
    let mut breaches = missing(&one, &other, ADAPTERS[1]);
    breaches.extend(missing(&other, &one, ADAPTERS[0]));
    breaches
}

fn find(path: &str, source: &Source, patterns: &[&str], advice: &str) -> Vec<Breach> {
    find_before(path, source, usize::MAX, patterns, advice)
}

fn find_before(
    path: &str,
    source: &Source,
    limit: usize,
    patterns: &[&str],
    advice: &str,
) -> Vec<Breach> {
    source
        .lines()
        .take_while(|(line, _)| *line <= limit)
        .filter_map(|(line, code)| {
            let pattern = patterns.iter().find(|pattern| code.contains(**pattern))?;
            Some(Breach::at(path, line, format!("`{pattern}`: {advice}")))
        })
        .collect()
}
