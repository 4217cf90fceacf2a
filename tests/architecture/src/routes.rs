//! Where routes are defined: there is one router, in core, and every route of it has a row in the
//! authorisation table of the black-box suite.

use crate::rust_source::Source;
use crate::tree::{is_test_file, is_under};
use crate::{Violation, Workspace};

/// The only directory with routes.
const ROUTES: &str = "core/src/http";

/// Where a route would be a second router.
const NO_ROUTES: &[&str] = &["core/src", "local-server/src", "worker/src"];

const ROUTING: &[&str] = &[
    ".route(",
    ".route_service(",
    ".nest(",
    ".nest_service(",
    "routes!(",
    "Router::new",
];

/// Calls that add a route which the `OpenAPI` description does not contain.
const PLAIN: &[&str] = &[".route(", ".route_service(", ".nest(", ".nest_service("];

const FALLBACKS: &[&str] = &[".fallback(", ".fallback_service("];

/// The only fallbacks: a public file or the 404 response, and the router inside its layers.
const KNOWN_FALLBACKS: &[&str] = &[
    ".fallback(static_files::file_or_not_found)",
    ".fallback_service(inner)",
];

/// The table with a row per route that says who may call it.
const AUTHORISATION: &str = "tests/blackbox/tests/blackbox/authorisation.rs";

/// INVARIANT: there is one router. Tests may build routers of their own.
pub(crate) fn one_router(workspace: &Workspace) -> Vec<Violation> {
    let mut violations = Vec::new();
    let files = NO_ROUTES
        .iter()
        .flat_map(|directory| workspace.tree.rust_under(directory));
    for (path, source) in files.filter(|(path, _)| !is_under(path, ROUTES) && !is_test_file(path)) {
        for (line, code) in source.lines_of_code() {
            if let Some(call) = ROUTING.iter().find(|call| code.contains(**call)) {
                let message = format!("`{call}`: routes are added in {ROUTES} only");
                violations.push(Violation::at_line(path, line, message));
            }
        }
    }
    violations
}

/// INVARIANT: no route is missing in the authorisation table. The suite compares that table with the
/// `OpenAPI` description, which has no plain routes; so a plain route must be named in the table.
pub(crate) fn plain_routes(workspace: &Workspace) -> Vec<Violation> {
    let mut files = workspace.tree.rust();
    let table = files.find(|(path, _)| *path == AUTHORISATION);
    let table = table.map(|(_, source)| source);
    let mut violations = Vec::new();
    for (path, source) in workspace.tree.rust_under(ROUTES) {
        if is_test_file(path) {
            continue;
        }
        for (line, code) in source.lines_of_code() {
            let messages = [unlisted_route(source, table, line, code), fallback(code)];
            let messages = messages.into_iter().flatten();
            violations.extend(messages.map(|message| Violation::at_line(path, line, message)));
        }
    }
    violations
}

fn unlisted_route(
    source: &Source,
    table: Option<&Source>,
    line: usize,
    code: &str,
) -> Option<String> {
    let mut calls = PLAIN.iter().flat_map(|call| code.matches(call));
    let call = calls.next()?;
    // The path is on the next line where the call is broken.
    let mut literals = source.literals.iter();
    let route = literals.find(|literal| (line..=line + 1).contains(&literal.line));
    let is_listed = route.is_some_and(|route| {
        table.is_some_and(|table| table.literals.iter().any(|row| row.text == route.text))
    });
    // Of two routes on a line only the first would be checked.
    if is_listed && calls.next().is_none() {
        return None;
    }
    Some(format!(
        "`{call}`: describe the route with `routes!` or name it in {AUTHORISATION}, one per line"
    ))
}

fn fallback(code: &str) -> Option<String> {
    let call = FALLBACKS.iter().find(|call| code.contains(**call))?;
    let is_known = KNOWN_FALLBACKS.iter().any(|known| code.contains(known));
    (!is_known).then(|| format!("`{call}`: a fallback is in no table"))
}
