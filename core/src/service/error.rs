//! Why a use case was not carried out.

use std::collections::BTreeMap;

use crate::auth::{TokenError, TooManyAttempts};
use crate::ports::{Denied, StoreError};
use colloquy_proto::domain::Seconds;

/// What is wrong with each field, in sentences a client may show.
pub type FieldErrors = BTreeMap<&'static str, Vec<String>>;

/// What a use case returns.
pub type ServiceResult<T> = Result<T, ServiceError>;

/// Why a use case was not carried out. How it is told is for [`crate::http`] to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServiceError {
    /// Fields break rules.
    Invalid(FieldErrors),
    /// Wrong username or password; which of them is not said.
    BadCredentials,
    /// A token was not accepted.
    Token(TokenError),
    /// Not for this caller.
    Denied(Denied),
    /// There is no such thing; in a sentence.
    NotFound(&'static str),
    /// The caller may be here, but not do this; in a sentence.
    Forbidden(&'static str),
    /// It does not go with what is there; in a sentence.
    Conflict(&'static str),
    /// Sending too fast.
    Throttled {
        /// How long to wait, in milliseconds.
        retry_after_ms: i64,
    },
    /// Too many attempts to log in or register.
    TooManyAttempts {
        /// How long to wait.
        retry_after: Seconds,
    },
    /// More work than is taken at once.
    Overloaded,
    /// The database is away; nothing was acknowledged.
    Unavailable(String),
    /// A fault of ours, for the log.
    Fault(String),
}

impl ServiceError {
    /// One field, one sentence.
    pub fn field(name: &'static str, problem: impl Into<String>) -> Self {
        Self::Invalid(FieldErrors::from([(name, vec![problem.into()])]))
    }
}

impl From<StoreError> for ServiceError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(_) => Self::Unavailable(error.to_string()),
            StoreError::Unexpected(_) => Self::Fault(error.to_string()),
        }
    }
}

impl From<Denied> for ServiceError {
    fn from(denied: Denied) -> Self {
        Self::Denied(denied)
    }
}

impl From<TokenError> for ServiceError {
    fn from(error: TokenError) -> Self {
        Self::Token(error)
    }
}

impl From<TooManyAttempts> for ServiceError {
    fn from(error: TooManyAttempts) -> Self {
        Self::TooManyAttempts {
            retry_after: error.retry_after,
        }
    }
}
