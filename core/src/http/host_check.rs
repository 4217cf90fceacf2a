//! The request target and the `Host` header (RFC 9112 §3.2, RFC 9110 §7.2).
//!
//! Every host checks the same: one `Host` of a valid form, a target that names a path, and
//! `ALLOWED_HOSTS`. The authority of an absolute target replaces the header (RFC 9112 §3.2.2).

use std::net::Ipv6Addr;

use axum::extract::Request;
use axum::http::header::HOST;
use axum::http::uri::{Authority, Scheme};
use axum::http::{Method, Uri, Version};

use super::App;
use super::error::{ApiError, ApiResult};
use super::headers::single_value;
use crate::config::HostPattern;
use colloquy_proto::protocol::ErrorCode;

/// Rejects a request without a valid target and host, and one for a host that is not allowed. Health
/// routes accept any host: probes connect by address.
pub(super) fn check_host(app: &App, request: &Request) -> ApiResult<()> {
    check_target(request.method(), request.uri())?;
    let host = requested_host(request)?;
    let allowed = &app.settings().allowed_hosts;
    let probe = request.uri().path().starts_with("/health");
    if allowed.contains(&HostPattern::Any) || probe {
        return Ok(());
    }
    if allowed.iter().any(|pattern| pattern.allows(host)) {
        Ok(())
    } else {
        Err(ApiError::new(ErrorCode::InvalidHost))
    }
}

/// Accepts a path, an absolute URI of HTTP, and `*` for `OPTIONS` (RFC 9112 §3.2).
fn check_target(method: &Method, uri: &Uri) -> ApiResult<()> {
    let scheme = uri
        .scheme()
        .is_none_or(|scheme| [Scheme::HTTP, Scheme::HTTPS].contains(scheme));
    let path = uri.path().starts_with('/') || (method == Method::OPTIONS && uri.path() == "*");
    if scheme && path {
        return Ok(());
    }
    Err(ApiError::with_detail(
        ErrorCode::Malformed,
        "Invalid request target: send a path such as /health/, or an http or https URL.",
    ))
}

/// The requested host without its port; empty for HTTP/1.0 without a `Host` header.
fn requested_host(request: &Request) -> ApiResult<&str> {
    let invalid = |detail| ApiError::with_detail(ErrorCode::InvalidHost, detail);
    let header = single_value(request.headers(), &HOST)
        .map_err(|_| invalid("Invalid Host header: send it once, with one host."))?;
    let authority = request.uri().authority().map(Authority::as_str);
    // Only HTTP/1.1 requires the header. Later versions have an authority instead.
    if header.is_none() && request.version() == Version::HTTP_11 {
        return Err(invalid("The Host header is missing."));
    }
    let mut host = "";
    for text in [header, authority].into_iter().flatten() {
        host = split_authority(text).ok_or_else(|| {
            invalid("Invalid Host header: send a host name or address, optionally with a port.")
        })?;
    }
    Ok(host)
}

/// The host of `host[:port]`, if both are valid (RFC 3986 §3.2.2, without percent-encoding and without
/// user information). The brackets of an IPv6 address are kept.
fn split_authority(authority: &str) -> Option<&str> {
    let end_of_host = match authority.strip_prefix('[') {
        Some(rest) => {
            let end = rest.find(']')?;
            rest.get(..end)?.parse::<Ipv6Addr>().ok()?;
            end + 2
        }
        None => authority.find(':').unwrap_or(authority.len()),
    };
    let (host, port) = authority.split_at_checked(end_of_host)?;
    let is_port = port.is_empty()
        || port
            .strip_prefix(':')
            .is_some_and(|digits| digits.is_empty() || is_port_number(digits));
    let is_name = host.starts_with('[')
        || (!host.is_empty()
            && host
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)));
    (is_port && is_name).then_some(host)
}

/// Only digits: `parse` alone would also take a sign.
fn is_port_number(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok()
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn host_of(version: Version, target: &str, hosts: &[&str]) -> Option<String> {
        let mut request = Request::builder().version(version).uri(target);
        for host in hosts {
            request = request.header(HOST, *host);
        }
        let request = request.body(Body::empty()).unwrap();
        check_target(request.method(), request.uri()).ok()?;
        requested_host(&request).ok().map(str::to_owned)
    }

    #[test]
    fn one_valid_host_is_required() {
        let host = |hosts: &[&str]| host_of(Version::HTTP_11, "/", hosts);
        for (header, expected) in [
            ("chat.example.com", "chat.example.com"),
            ("chat.example.com:8000", "chat.example.com"),
            ("my_service:80", "my_service"),
            ("example.com:", "example.com"),
            ("192.0.2.1:8000", "192.0.2.1"),
            ("[::1]", "[::1]"),
            ("[2001:db8::7]:443", "[2001:db8::7]"),
        ] {
            assert_eq!(host(&[header]).as_deref(), Some(expected), "{header}");
        }
        for header in [
            "",
            ":80",
            "a b",
            "a,b",
            "a/b",
            "user@a",
            "a:b",
            "a:+1",
            "a:70000",
            "::1",
            "[::1",
            "[a]",
            "[::1]x",
            "é.example",
        ] {
            assert_eq!(host(&[header]), None, "{header}");
        }
        assert_eq!(host(&[]), None);
        assert_eq!(host(&["a", "a"]), None);
        assert_eq!(host_of(Version::HTTP_10, "/", &[]).as_deref(), Some(""));
    }

    #[test]
    fn authority_of_an_absolute_target_replaces_the_header() {
        let host = |target: &str, hosts: &[&str]| host_of(Version::HTTP_11, target, hosts);
        let absolute = "http://chat.example.com:80/health/";
        assert_eq!(
            host(absolute, &["other.example"]).as_deref(),
            Some("chat.example.com")
        );
        assert_eq!(host(absolute, &[]), None);
        assert_eq!(host(absolute, &["a b"]), None);
        for target in [
            "http://user@chat.example.com/",
            "ftp://chat.example.com/",
            "chat.example.com:80",
            "*",
        ] {
            assert_eq!(host(target, &["chat.example.com"]), None, "{target}");
        }
    }
}
