//! The pages of the browser and their files, from the port `Assets`.
//!
//! At the edge the platform answers these paths before a request reaches the Worker. The paths and
//! redirects here are the platform's: a page has a trailing slash, and other spellings of its path
//! are redirected to it with 307. Every path that is no route and no file is answered with 404.

use axum::extract::{Request, State};
use axum::http::header::{ALLOW, CACHE_CONTROL, LOCATION};
use axum::http::{HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};

use super::App;
use super::error::{method_not_allowed, not_found};
use super::normalize::SlashAppended;
use super::page_headers;
use super::representation::Representation;

/// The name of a page's file, which is no path of its own.
const INDEX: &str = "index.html";

/// The fallback of the router: a file, or 404.
pub(super) async fn file_or_not_found(State(app): State<App>, request: Request) -> Response {
    let uri = request.uri();
    let path = uri.path();
    let canonical = path
        .strip_suffix(INDEX)
        .filter(|directory| directory.ends_with('/'))
        .unwrap_or(path);
    let Some(asset) = app.assets().get(canonical) else {
        return not_found().await.into_response();
    };
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return other_method(request.method().clone()).await;
    }
    let appended = request.extensions().get::<SlashAppended>().is_some();
    let cache_control = page_headers::cache_control(path);
    let mut response = if appended || canonical != path {
        redirect(canonical, uri, cache_control)
    } else {
        Representation::of_asset(asset, cache_control).respond(request.headers())
    };
    page_headers::add(response.headers_mut());
    response
}

/// 307 to the canonical path, with the same query.
fn redirect(canonical: &str, uri: &Uri, cache_control: &'static str) -> Response {
    let query = uri.query().map(|query| format!("?{query}"));
    let location = format!("{canonical}{}", query.unwrap_or_default());
    let mut response = StatusCode::TEMPORARY_REDIRECT.into_response();
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(cache_control));
    // A part of a valid URI is a valid header value.
    if let Ok(location) = HeaderValue::from_str(&location) {
        headers.insert(LOCATION, location);
    }
    response
}

async fn other_method(method: Method) -> Response {
    let mut response = method_not_allowed(method).await;
    let allowed = HeaderValue::from_static("GET, HEAD");
    response.headers_mut().insert(ALLOW, allowed);
    response
}
