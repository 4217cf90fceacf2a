//! The check of the `Host` header against `ALLOWED_HOSTS`.

use axum::extract::Request;
use axum::http::header::HOST;
use axum::http::uri::Authority;

use super::App;
use super::error::{ApiError, ApiResult};
use crate::config::HostPattern;
use colloquy_proto::protocol::ErrorCode;

/// Rejects a host that is not allowed. Health routes accept any host: probes connect by address.
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

/// The requested host without its port: from the header, or from the URI's authority (HTTP/2).
fn host(request: &Request) -> Option<&str> {
    let header = request
        .headers()
        .get(HOST)
        .and_then(|host| host.to_str().ok());
    let authority = header.or_else(|| request.uri().authority().map(Authority::as_str))?;
    // The brackets of an IPv6 address are kept.
    let after_address = authority.rfind(']').map_or(0, |at| at + 1);
    let port = authority
        .get(after_address..)?
        .find(':')
        .map(|at| at + after_address);
    port.map_or(Some(authority), |port| authority.get(..port))
}
