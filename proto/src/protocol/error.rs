//! Error codes: the part of an error that programs read. One set serves REST and WebSocket.

use serde::Serialize;

macro_rules! error_codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $status:literal, $retryable:literal;)+) => {
        /// What went wrong, for programs. `docs/protocol.md` holds the same table, by test.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
        pub enum ErrorCode {
            $($(#[$doc])* #[serde(rename = $text)] $name,)+
        }

        impl ErrorCode {
            /// Every code, for tables and tests.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The code on the wire.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),+ }
            }

            /// The HTTP status that goes with it.
            pub const fn status(self) -> u16 {
                match self { $(Self::$name => $status),+ }
            }

            /// Whether the same request may succeed later, unchanged.
            pub const fn retryable(self) -> bool {
                match self { $(Self::$name => $retryable),+ }
            }
        }
    };
}

error_codes! {
    /// Not JSON, not an object, or a field of the wrong type.
    Malformed = "malformed", 400, false;
    /// Well formed, but a field breaks a rule; the answer names the fields.
    Invalid = "invalid", 400, false;
    /// A frame whose `type` this server does not know.
    UnknownType = "unknown_type", 400, false;
    /// The Host header names no host of this server.
    InvalidHost = "invalid_host", 400, false;
    /// No credentials where some are needed.
    NotAuthenticated = "not_authenticated", 401, false;
    /// Wrong username or password; which of them is not said.
    BadCredentials = "bad_credentials", 401, false;
    /// A token that is forged, malformed or of the wrong kind.
    TokenInvalid = "token_invalid", 401, false;
    /// A token whose time is over.
    TokenExpired = "token_expired", 401, false;
    /// The login this token belongs to was ended.
    SessionRevoked = "session_revoked", 401, false;
    /// The conversation exists, the caller is not in it.
    NotMember = "not_member", 403, false;
    /// The caller is in the conversation, but may not do this.
    Forbidden = "forbidden", 403, false;
    /// There is no such thing.
    NotFound = "not_found", 404, false;
    /// The path exists, this method on it does not.
    MethodNotAllowed = "method_not_allowed", 405, false;
    /// It does not go with what is there, such as an idempotency key used for something else.
    Conflict = "conflict", 409, false;
    /// A body or frame larger than allowed.
    TooLarge = "too_large", 413, false;
    /// A body that is not `application/json`.
    UnsupportedMediaType = "unsupported_media_type", 415, false;
    /// A path that speaks WebSocket only was asked over plain HTTP.
    UpgradeRequired = "upgrade_required", 426, false;
    /// Sending faster than one message a throttle period.
    Throttled = "throttled", 429, true;
    /// Too many attempts to log in or register.
    TooManyAttempts = "too_many_attempts", 429, true;
    /// A fault of ours; the log has it under the request id.
    Internal = "internal", 500, true;
    /// The database is away or did not answer in time; nothing was acknowledged.
    Unavailable = "unavailable", 503, true;
    /// More work than the server takes at once.
    Overloaded = "overloaded", 503, true;
}
