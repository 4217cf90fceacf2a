//! The headers of every page and file of the browser client, in one table for every host: natively
//! `static_files` sends them, at the edge the platform does, which reads them from the file
//! `_headers` ([`platform_file`]).
//!
//! A black-box test asks for every file on every host and compares.

use axum::http::header::{HeaderMap, HeaderName, HeaderValue};

/// The policy of the pages: scripts, styles and connections of this origin only, no inline code, no
/// string that becomes HTML (Trusted Types), no frames. `svelte-trusted-html` is the policy under
/// which Svelte creates its compiled templates.
const CONTENT_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self' blob: data:; media-src 'self' blob:; font-src 'self'; connect-src 'self'; \
    worker-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; \
    frame-ancestors 'none'; require-trusted-types-for 'script'; \
    trusted-types svelte-trusted-html";

/// The headers of every file; names in lower case.
const EVERY_FILE: &[(&str, &str)] = &[
    ("content-security-policy", CONTENT_POLICY),
    ("cross-origin-opener-policy", "same-origin"),
    (
        "permissions-policy",
        "camera=(), microphone=(), geolocation=()",
    ),
    ("referrer-policy", "no-referrer"),
    ("x-content-type-options", "nosniff"),
];

/// The directory of files with a digest of their content in the name: they never change.
const HASHED: &str = "/assets/";

/// `Cache-Control` of files below [`HASHED`].
const IMMUTABLE: &str = "public, max-age=31536000, immutable";

/// `Cache-Control` of every other file: kept, and revalidated by its entity tag at every use.
const REVALIDATED: &str = "no-cache";

/// `Cache-Control` of the file at this path.
pub(super) fn cache_control(path: &str) -> &'static str {
    if path.starts_with(HASHED) {
        IMMUTABLE
    } else {
        REVALIDATED
    }
}

/// Adds the headers of every file to a response.
pub(super) fn add(headers: &mut HeaderMap) {
    for (name, value) in EVERY_FILE {
        headers.insert(
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
    }
}

/// The same table in the form of Workers static assets: rules by path, of which all that match apply
/// in order; `!` removes a header of an earlier rule.
pub fn platform_file() -> String {
    use std::fmt::Write as _;
    let mut text =
        String::from("# Written by `cargo xtask web` from core/src/http/page_headers.rs.\n");
    // Writing to a string cannot fail.
    let _ = writeln!(text, "/*");
    for (name, value) in EVERY_FILE {
        let _ = writeln!(text, "  {name}: {value}");
    }
    let _ = writeln!(text, "  cache-control: {REVALIDATED}");
    let _ = writeln!(
        text,
        "{HASHED}*\n  ! cache-control\n  cache-control: {IMMUTABLE}"
    );
    text
}
