//! What can go wrong for a client, and what of it may be retried.

use std::time::Duration;

use crate::close::Close;
use crate::frame::Frame;

/// A request or command the server refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// The HTTP status; 0 for an error frame on a socket.
    pub status: u16,
    /// The error code, such as `throttled`.
    pub code: String,
    /// The server's text.
    pub detail: String,
    /// The earliest useful moment of a retry, from now.
    pub retry_after: Option<Duration>,
}

impl Rejection {
    /// The refusal an error frame reports, v1 or v2.
    pub fn of_frame(frame: &Frame<'_>) -> Self {
        Self {
            status: 0,
            code: frame.code.as_deref().unwrap_or_default().to_owned(),
            detail: frame.error.as_deref().unwrap_or_default().to_owned(),
            retry_after: frame.retry_after_ms.map(Duration::from_millis),
        }
    }

    /// Whether the same request may succeed later (docs/protocol.md, the table of errors).
    pub fn is_retryable(&self) -> bool {
        [
            "throttled",
            "too_many_attempts",
            "internal",
            "unavailable",
            "overloaded",
        ]
        .contains(&self.code.as_str())
    }
}

/// Why an operation failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No complete response arrived. The server may have done the work.
    #[error("no response")]
    NoResponse(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The server answered with an error.
    #[error("{} {}: {}", .0.status, .0.code, .0.detail)]
    Rejected(Rejection),
    /// The server closed the socket and forbids a reconnect, or the caller did not ask for one.
    #[error("socket closed with {}: {}", .0.code, .0.reason)]
    Closed(Close),
    /// The server sent something the protocol does not allow here.
    #[error("unexpected response: {0}")]
    Unexpected(String),
    /// The deadline of the operation passed.
    #[error("deadline exceeded")]
    Deadline,
    /// A v1 send whose acknowledgement was lost: it may or may not be stored.
    #[error("the outcome of the send is unknown")]
    Unknown,
}

impl From<reqwest::Error> for Error {
    fn from(error: reqwest::Error) -> Self {
        Self::NoResponse(Box::new(error))
    }
}

impl Error {
    /// Whether a repeat of the same request may succeed.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::NoResponse(_) => true,
            Self::Rejected(rejection) => rejection.is_retryable(),
            _ => false,
        }
    }
}
