//! The `Link` header of a page (RFC 8288).
//!
//! The reference is relative to the request (RFC 3986 §4.2) and has a query only. It so stays valid
//! behind a proxy that serves the API under another host, scheme or path.

use axum::http::header::LINK;
use axum::http::{HeaderMap, HeaderValue};

/// The headers of a page that another one follows, by that page's query.
pub(super) fn to_next_page(query: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if let Ok(link) = HeaderValue::try_from(format!("<?{query}>; rel=\"next\"")) {
        headers.insert(LINK, link);
    }
    headers
}
