//! Converts a request to the form the routes expect: body in memory and not encoded, path with a
//! trailing slash.

use axum::extract::Request;
use axum::http::header::CONTENT_ENCODING;
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderMap, HeaderValue, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::body;
use super::error::{ApiError, ApiResult};
use colloquy_proto::protocol::ErrorCode;

/// Marks a request whose path was given without its trailing slash.
#[derive(Debug, Clone, Copy)]
pub(super) struct SlashAppended;

/// Middleware around the routes. Every path but that of a file ends in a slash; a missing one is
/// appended, since a redirect would lose the body of a POST.
pub(super) async fn read_and_normalize(request: Request, next: Next) -> Response {
    let mut request = match body::buffer(request).await {
        Ok(request) => request,
        Err(error) => return error.into_response(),
    };
    // After the body has been read, so that the client receives the response.
    if let Err(error) = check_encoding(request.headers()) {
        return error.into_response();
    }
    if let Some(uri) = append_slash(request.uri()) {
        *request.uri_mut() = uri;
        request.extensions_mut().insert(SlashAppended);
    }
    next.run(request).await
}

/// Rejects a compressed body: its length after decompression would be unknown. `identity` is no
/// encoding.
fn check_encoding(headers: &HeaderMap) -> ApiResult<()> {
    let is_identity = |line: &HeaderValue| line.as_bytes().eq_ignore_ascii_case(b"identity");
    if headers
        .get_all(CONTENT_ENCODING)
        .into_iter()
        .all(is_identity)
    {
        return Ok(());
    }
    Err(ApiError::with_detail(
        ErrorCode::UnsupportedMediaType,
        "Unsupported Content-Encoding; send the body without one.",
    ))
}

fn append_slash(uri: &Uri) -> Option<Uri> {
    let path = uri.path();
    let last = path.rsplit('/').next().unwrap_or_default();
    if last.is_empty() || last.contains('.') {
        return None;
    }
    let query = uri
        .query()
        .map(|query| format!("?{query}"))
        .unwrap_or_default();
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(format!("{path}/{query}")).ok()?);
    Uri::from_parts(parts).ok()
}
