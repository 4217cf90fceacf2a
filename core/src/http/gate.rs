//! What a request passes before the routes: the host it asks for, the page it comes from, the
//! reading of its body, the form of its path.

use std::time::Duration;

use axum::extract::Request;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, LINK, RETRY_AFTER};
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderName, HeaderValue, Method, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use tower_http::cors::{AllowOrigin, CorsLayer};

use super::error::{ApiError, ApiResult};
use super::{App, body};
use crate::config::{AllowedOrigins, HostPattern};
use colloquy_proto::protocol::ErrorCode;

/// How long a browser may remember what it was told of another origin.
const PREFLIGHT_SECONDS: u64 = 600;

/// Refuses a `Host` that is none of ours. Health is told to anyone: probes ask by address.
pub(super) fn check_host(app: &App, request: &Request) -> ApiResult<()> {
    let allowed = &app.settings().allowed_hosts;
    let probe = request.uri().path().starts_with("/health");
    if allowed.contains(&HostPattern::Any) || probe {
        return Ok(());
    }
    let host = host(request).unwrap_or_default();
    if allowed.iter().any(|pattern| pattern.allows(host)) {
        Ok(())
    } else {
        Err(ApiError::new(ErrorCode::InvalidHost))
    }
}

/// The host asked for, without its port; of HTTP/2 from the URI.
fn host(request: &Request) -> Option<&str> {
    let header = request
        .headers()
        .get(HOST)
        .and_then(|host| host.to_str().ok());
    let authority = header.or_else(|| {
        request
            .uri()
            .authority()
            .map(axum::http::uri::Authority::as_str)
    })?;
    // The brackets of an IPv6 address stay.
    let after_address = authority.rfind(']').map_or(0, |at| at + 1);
    let port = authority
        .get(after_address..)?
        .find(':')
        .map(|at| at + after_address);
    port.map_or(Some(authority), |port| authority.get(..port))
}

/// What pages of other origins may do; nothing without any.
pub(super) fn cors(origins: &AllowedOrigins) -> Option<CorsLayer> {
    let origin = match origins {
        AllowedOrigins::These(origins) if origins.is_empty() => return None,
        AllowedOrigins::These(_) => {
            let origins = origins.clone();
            AllowOrigin::predicate(move |origin: &HeaderValue, _| {
                origin.to_str().is_ok_and(|origin| origins.allow(origin))
            })
        }
        AllowedOrigins::Any => AllowOrigin::any(),
    };
    let request_id = HeaderName::from_static("x-request-id");
    let idempotency_key = HeaderName::from_static("idempotency-key");
    Some(
        CorsLayer::new()
            .allow_origin(origin)
            .allow_methods([
                Method::GET,
                Method::HEAD,
                Method::POST,
                Method::PUT,
                Method::PATCH,
                Method::DELETE,
            ])
            .allow_headers([
                AUTHORIZATION,
                CONTENT_TYPE,
                idempotency_key,
                request_id.clone(),
            ])
            .expose_headers([request_id, LINK, RETRY_AFTER])
            .max_age(Duration::from_secs(PREFLIGHT_SECONDS)),
    )
}

/// Goes around the routes. Every path but that of a file ends in a slash; one without is taken as
/// if it had it, since a redirect would lose the body of a POST.
pub(super) async fn enter(request: Request, next: Next) -> Response {
    let mut request = match body::read_first(request).await {
        Ok(request) => request,
        Err(error) => return error.into_response(),
    };
    if let Some(uri) = with_slash(request.uri()) {
        *request.uri_mut() = uri;
    }
    next.run(request).await
}

fn with_slash(uri: &Uri) -> Option<Uri> {
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
