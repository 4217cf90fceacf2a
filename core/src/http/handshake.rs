//! The client's part of a WebSocket handshake (RFC 6455 §4.2.1).
//!
//! Checked here for every host, so that a failed handshake is answered in the documented shape.
//! The adapter completes the handshake.

use axum::extract::Request;
use axum::http::header::{CONNECTION, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE};
use axum::http::{Method, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::error::{ApiError, ApiResult};
use super::headers::{list, single_value};
use colloquy_proto::protocol::ErrorCode;

/// The length of a decoded `Sec-WebSocket-Key` in bytes.
const KEY_BYTES: usize = 16;

/// Rejects a request that is not a valid handshake.
pub(super) fn check(request: &Request) -> ApiResult<()> {
    let headers = request.headers();
    let contains =
        |name, token: &str| list(headers, &name).any(|item| item.eq_ignore_ascii_case(token));
    let is_old = request.version() < Version::HTTP_11;
    if request.method() != Method::GET || is_old || !contains(UPGRADE, "websocket") {
        return Err(ApiError::new(ErrorCode::UpgradeRequired));
    }
    let malformed = |detail| Err(ApiError::with_detail(ErrorCode::Malformed, detail));
    // A later version of HTTP has no such header (RFC 9113 §8.2.2); a platform may translate it.
    if request.version() == Version::HTTP_11 && !contains(CONNECTION, "upgrade") {
        return malformed(
            "Invalid WebSocket handshake: the Connection header must contain Upgrade.",
        );
    }
    if single_value(headers, &SEC_WEBSOCKET_VERSION) != Ok(Some("13")) {
        return Err(ApiError::with_detail(
            ErrorCode::UpgradeRequired,
            "This path requires WebSocket version 13 (Sec-WebSocket-Version).",
        ));
    }
    let key = single_value(headers, &SEC_WEBSOCKET_KEY).ok().flatten();
    let decoded = key.and_then(|key| STANDARD.decode(key).ok());
    if decoded.is_none_or(|bytes| bytes.len() != KEY_BYTES) {
        return malformed(
            "Invalid WebSocket handshake: Sec-WebSocket-Key must be 16 bytes in base64, sent once.",
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::response::IntoResponse as _;

    use super::*;

    const VALID: [(&str, &str); 4] = [
        ("upgrade", "websocket"),
        ("connection", "keep-alive, Upgrade"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];

    fn status(method: &str, headers: &[(&str, &str)]) -> Option<u16> {
        let mut request = Request::builder().method(method).uri("/ws/chat/1/");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::empty()).unwrap();
        let error = check(&request).err()?;
        Some(error.into_response().status().as_u16())
    }

    /// The valid headers with one replaced; an empty value removes it.
    fn with<'a>(name: &str, value: &'a str) -> Vec<(&'a str, &'a str)> {
        let replaced = VALID.into_iter().map(|(other, old)| {
            if other == name {
                (other, value)
            } else {
                (other, old)
            }
        });
        replaced.filter(|(_, value)| !value.is_empty()).collect()
    }

    #[test]
    fn handshake_has_every_required_part() {
        assert_eq!(status("GET", &VALID), None);
        assert_eq!(status("GET", &with("upgrade", "h2c, WebSocket")), None);
        for method in ["POST", "HEAD"] {
            assert_eq!(status(method, &VALID), Some(426), "{method}");
        }
        for (name, value, expected) in [
            ("upgrade", "", 426),
            ("upgrade", "h2c", 426),
            ("connection", "", 400),
            ("connection", "keep-alive", 400),
            ("sec-websocket-version", "", 426),
            ("sec-websocket-version", "8", 426),
            ("sec-websocket-version", "13, 13", 426),
            ("sec-websocket-key", "", 400),
            ("sec-websocket-key", "c2hvcnQ=", 400),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ", 400),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZTE3", 400),
            ("sec-websocket-key", "not base64 at all, no way", 400),
        ] {
            assert_eq!(
                status("GET", &with(name, value)),
                Some(expected),
                "{name}: {value}"
            );
        }
        let repeated = [VALID.as_slice(), &VALID[3..]].concat();
        assert_eq!(status("GET", &repeated), Some(400));
    }
}
