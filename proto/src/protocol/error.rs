//! Error codes: the machine-readable part of an error, shared by REST and WebSocket.

use serde::Serialize;

macro_rules! error_codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $text:tt, $status:literal, $retryable:literal;)+) => {
        // A test compares the table in `docs/protocol.md` with it.
        /// The code of an error, for programs. REST and WebSocket have the same codes.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
        #[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
        pub enum ErrorCode {
            $($(#[doc = $doc])+ #[serde(rename = $text)] $name,)+
        }

        impl ErrorCode {
            /// All codes, for documentation and tests.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The code as text.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),+ }
            }

            /// The HTTP status of the code.
            pub const fn status(self) -> u16 {
                match self { $(Self::$name => $status),+ }
            }

            /// The meaning, in a sentence.
            pub const fn description(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc),+).trim_ascii(),)+ }
            }

            /// Whether the same request may succeed later.
            pub const fn retryable(self) -> bool {
                match self { $(Self::$name => $retryable),+ }
            }
        }
    };
}

error_codes! {
    /// Not JSON, not an object, or a field of the wrong type.
    Malformed = "malformed", 400, false;
    /// Well formed, but a field is invalid; the response names the fields.
    Invalid = "invalid", 400, false;
    /// A frame with an unknown `type`.
    UnknownType = "unknown_type", 400, false;
    /// The Host header is not a host of this server.
    InvalidHost = "invalid_host", 400, false;
    /// Credentials are required.
    NotAuthenticated = "not_authenticated", 401, false;
    /// Wrong username or password, without saying which.
    BadCredentials = "bad_credentials", 401, false;
    /// The token is forged, malformed or of the wrong kind.
    TokenInvalid = "token_invalid", 401, false;
    /// The token has expired.
    TokenExpired = "token_expired", 401, false;
    /// The session of the token is revoked.
    SessionRevoked = "session_revoked", 401, false;
    /// The conversation exists and the caller is not a member of it.
    NotMember = "not_member", 403, false;
    /// The caller is a member, but may not do this.
    Forbidden = "forbidden", 403, false;
    /// The resource does not exist.
    NotFound = "not_found", 404, false;
    /// The path exists, but not with this method.
    MethodNotAllowed = "method_not_allowed", 405, false;
    /// The request body did not arrive in time.
    RequestTimeout = "request_timeout", 408, true;
    /// The request conflicts with the current state, such as an idempotency key already used for
    /// another request.
    Conflict = "conflict", 409, false;
    /// The body or frame is larger than permitted.
    TooLarge = "too_large", 413, false;
    /// The body is not `application/json`.
    UnsupportedMediaType = "unsupported_media_type", 415, false;
    /// The path accepts WebSocket upgrades only.
    UpgradeRequired = "upgrade_required", 426, false;
    /// More than one message per throttle period, or a budget of requests is used up.
    Throttled = "throttled", 429, true;
    /// Too many attempts to log in or register.
    TooManyAttempts = "too_many_attempts", 429, true;
    /// An internal error; the log has it under the request id.
    Internal = "internal", 500, true;
    /// The database is unavailable or did not respond in time; nothing was acknowledged.
    Unavailable = "unavailable", 503, true;
    /// The server is overloaded.
    Overloaded = "overloaded", 503, true;
}
