//! Why a use case failed.

use std::collections::BTreeMap;

use super::rate_limits::TooManyAttempts;
use crate::auth::TokenError;
use crate::ports::{DatabaseProblem, Denied, StoreError};

/// The problems of each field, in sentences a client may show.
pub type FieldErrors = BTreeMap<&'static str, Vec<String>>;

/// The result of a use case.
pub type ServiceResult<T> = Result<T, ServiceError>;

/// Why a use case failed. [`crate::http`] maps it to a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServiceError {
    /// Fields break rules.
    Invalid(FieldErrors),
    /// Wrong username or password; the error does not reveal which.
    BadCredentials,
    /// A token was rejected.
    Token(TokenError),
    /// The store denied the caller access.
    Denied(Denied),
    /// The resource does not exist; with the detail for the client.
    NotFound(&'static str),
    /// The caller has access to the conversation, but not to this operation; with the detail.
    Forbidden(&'static str),
    /// The request conflicts with the current state; with the detail.
    Conflict(&'static str),
    /// Sending too fast.
    Throttled {
        /// How long to wait, in milliseconds.
        retry_after_ms: i64,
    },
    /// A user's budget for requests of a kind is used up.
    OverBudget {
        /// Which budget.
        budget: &'static str,
        /// How long to wait, in milliseconds.
        retry_after_ms: i64,
    },
    /// Too many attempts to log in or register.
    TooManyAttempts {
        /// How long to wait, in milliseconds.
        retry_after_ms: i64,
    },
    /// A queue is full.
    Overloaded,
    /// The database is unavailable; nothing was acknowledged. The text is for the log.
    Unavailable(String),
    /// A bug; the text is for the log.
    Internal(String),
}

impl ServiceError {
    /// One field with one problem.
    pub fn field(name: &'static str, problem: impl Into<String>) -> Self {
        Self::Invalid(FieldErrors::from([(name, vec![problem.into()])]))
    }
}

impl From<StoreError> for ServiceError {
    fn from(error: StoreError) -> Self {
        match error {
            // An operator must see a damaged database in the log as an error.
            StoreError::Refused(DatabaseProblem::Corrupt, _) | StoreError::Unexpected(_) => {
                Self::Internal(error.to_string())
            }
            StoreError::Refused(..) | StoreError::Unavailable(_) => {
                Self::Unavailable(error.to_string())
            }
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
            retry_after_ms: error.retry_after_ms,
        }
    }
}
