//! The table of error codes in `docs/protocol.md`. Every error the suite receives is checked against it.

use serde_json::Value;

/// One row of the table.
#[derive(Debug)]
pub struct ErrorCode {
    /// The code on the wire.
    pub name: &'static str,
    /// Its HTTP status.
    pub status: u16,
    /// Whether the same request may succeed later.
    pub retryable: bool,
}

const fn code(name: &'static str, status: u16, retryable: bool) -> ErrorCode {
    ErrorCode {
        name,
        status,
        retryable,
    }
}

/// Every code a server may return.
pub const ERROR_CODES: [ErrorCode; 23] = [
    code("malformed", 400, false),
    code("invalid", 400, false),
    code("unknown_type", 400, false),
    code("invalid_host", 400, false),
    code("not_authenticated", 401, false),
    code("bad_credentials", 401, false),
    code("token_invalid", 401, false),
    code("token_expired", 401, false),
    code("session_revoked", 401, false),
    code("not_member", 403, false),
    code("forbidden", 403, false),
    code("not_found", 404, false),
    code("method_not_allowed", 405, false),
    code("request_timeout", 408, true),
    code("conflict", 409, false),
    code("too_large", 413, false),
    code("unsupported_media_type", 415, false),
    code("upgrade_required", 426, false),
    code("throttled", 429, true),
    code("too_many_attempts", 429, true),
    code("internal", 500, true),
    code("unavailable", 503, true),
    code("overloaded", 503, true),
];

impl ErrorCode {
    /// The row of a code.
    pub fn named(name: &str) -> Option<&'static Self> {
        ERROR_CODES.iter().find(|code| code.name == name)
    }

    /// The row of an error body. Panics when the table has none.
    pub fn of(error: &Value) -> &'static Self {
        error["code"]
            .as_str()
            .and_then(Self::named)
            .unwrap_or_else(|| panic!("unknown error code in {error}"))
    }
}
