//! Errors as HTTP tells them: Django REST Framework's shape, with a code and the request's id.
//!
//! A handler returns an [`ApiError`]; it travels in the response's extensions to the frame, which
//! alone knows the request's id, writes the body, and logs a fault once.

use std::borrow::Cow;
use std::sync::Arc;

use axum::body::Body;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, UPGRADE, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use crate::auth::TokenError;
use crate::ports::Denied;
use crate::service::{FieldErrors, ServiceError};
use colloquy_proto::protocol::{ErrorCode, THROTTLED_TEXT};

/// How long to wait before asking again when the server cannot say better, in milliseconds.
const BUSY_MS: i64 = 2_000;

/// How much of a method the path does not have is repeated, in characters.
const MAX_METHOD_CHARS: usize = 32;

/// Why a request was refused, and all a client is told of it.
#[derive(Debug, Clone)]
pub(super) struct ApiError {
    code: ErrorCode,
    detail: Cow<'static, str>,
    fields: FieldErrors,
    retry_after_ms: Option<i64>,
    /// For the log alone.
    cause: Option<String>,
}

/// What handlers return.
pub(super) type ApiResult<T> = Result<T, ApiError>;

impl ApiError {
    /// An error with its code's own words.
    pub(super) fn new(code: ErrorCode) -> Self {
        Self::with_detail(code, words(code))
    }

    /// An error with words of its own.
    pub(super) fn with_detail(code: ErrorCode, detail: impl Into<Cow<'static, str>>) -> Self {
        let retry_after_ms =
            matches!(code, ErrorCode::Unavailable | ErrorCode::Overloaded).then_some(BUSY_MS);
        Self {
            code,
            detail: detail.into(),
            fields: FieldErrors::new(),
            retry_after_ms,
            cause: None,
        }
    }

    /// One invalid field.
    pub(super) fn field(name: &'static str, problem: impl Into<String>) -> Self {
        ServiceError::field(name, problem).into()
    }

    /// An error whose cause only the log is told.
    pub(super) fn caused_by(code: ErrorCode, cause: String) -> Self {
        Self {
            cause: Some(cause),
            ..Self::new(code)
        }
    }

    fn retry_after(code: ErrorCode, detail: impl Into<Cow<'static, str>>, millis: i64) -> Self {
        Self {
            retry_after_ms: Some(millis.max(1)),
            ..Self::with_detail(code, detail)
        }
    }

    /// Seconds, rounded up: waiting as told is never too short.
    fn retry_after_seconds(&self) -> Option<i64> {
        self.retry_after_ms
            .map(|millis| millis.saturating_add(999).div_euclid(1_000))
    }

    fn body(&self, request_id: &str) -> Value {
        let mut body = Map::new();
        if self.fields.is_empty() {
            body.insert("detail".to_owned(), json!(self.detail));
        }
        for (field, problems) in &self.fields {
            body.insert((*field).to_owned(), json!(problems));
        }
        body.insert("code".to_owned(), json!(self.code));
        if let Some(millis) = self
            .retry_after_ms
            .filter(|_| self.code == ErrorCode::Throttled)
        {
            body.insert("retry_after_ms".to_owned(), json!(millis));
        }
        body.insert("request_id".to_owned(), json!(request_id));
        Value::Object(body)
    }

    fn log(&self, request_id: &str) {
        let cause = self.cause.as_deref().unwrap_or_default();
        match self.code {
            ErrorCode::Internal => tracing::error!(
                request.id = request_id,
                cause,
                "a request failed by a fault"
            ),
            ErrorCode::Unavailable => tracing::warn!(
                request.id = request_id,
                cause,
                "a request found the database away"
            ),
            _ => {}
        }
    }
}

/// What each code says when nothing more is known.
pub(super) const fn words(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::Malformed => "The request is malformed.",
        ErrorCode::Invalid => "Invalid input.",
        ErrorCode::UnknownType => "Unknown frame type.",
        ErrorCode::InvalidHost => "The Host header names no host of this server.",
        ErrorCode::NotAuthenticated => "Authentication credentials were not provided.",
        ErrorCode::BadCredentials => "No active account found with the given credentials.",
        ErrorCode::TokenInvalid => "Token is invalid.",
        ErrorCode::TokenExpired => "Token is expired.",
        ErrorCode::SessionRevoked => "This login was ended.",
        ErrorCode::NotMember => "You are not a member of this conversation.",
        ErrorCode::Forbidden => "You may not do this.",
        ErrorCode::NotFound => "Not found.",
        ErrorCode::MethodNotAllowed => "Method not allowed.",
        ErrorCode::Conflict => "It does not go with what is there.",
        ErrorCode::TooLarge => "The body is too large.",
        ErrorCode::UnsupportedMediaType => "Unsupported media type; send application/json.",
        ErrorCode::UpgradeRequired => "This path speaks WebSocket only.",
        ErrorCode::Throttled => THROTTLED_TEXT,
        ErrorCode::TooManyAttempts => "Too many attempts.",
        ErrorCode::Internal => "A server error occurred.",
        ErrorCode::Unavailable => "Service temporarily unavailable, try again later.",
        ErrorCode::Overloaded => "The server has too much to do, try again later.",
    }
}

impl From<ServiceError> for ApiError {
    fn from(error: ServiceError) -> Self {
        match error {
            ServiceError::Invalid(fields) => Self {
                fields,
                ..Self::new(ErrorCode::Invalid)
            },
            ServiceError::BadCredentials => Self::new(ErrorCode::BadCredentials),
            ServiceError::Token(error) => error.into(),
            ServiceError::Denied(Denied::Session) => Self::new(ErrorCode::SessionRevoked),
            ServiceError::Denied(Denied::NotFound) => Self::new(ErrorCode::NotFound),
            ServiceError::Denied(Denied::NotMember) => Self::new(ErrorCode::NotMember),
            ServiceError::NotFound(detail) => Self::with_detail(ErrorCode::NotFound, detail),
            ServiceError::Forbidden(detail) => Self::with_detail(ErrorCode::Forbidden, detail),
            ServiceError::Conflict(detail) => Self::with_detail(ErrorCode::Conflict, detail),
            ServiceError::Throttled { retry_after_ms } => {
                Self::retry_after(ErrorCode::Throttled, THROTTLED_TEXT, retry_after_ms)
            }
            ServiceError::TooManyAttempts { retry_after } => {
                let detail = format!(
                    "Too many attempts. Expected available in {} seconds.",
                    retry_after.0
                );
                Self::retry_after(ErrorCode::TooManyAttempts, detail, retry_after.as_millis())
            }
            ServiceError::Overloaded => Self::new(ErrorCode::Overloaded),
            ServiceError::Unavailable(cause) => Self::caused_by(ErrorCode::Unavailable, cause),
            ServiceError::Fault(cause) => Self::caused_by(ErrorCode::Internal, cause),
        }
    }
}

impl From<TokenError> for ApiError {
    fn from(error: TokenError) -> Self {
        Self::new(match error {
            TokenError::Invalid => ErrorCode::TokenInvalid,
            TokenError::Expired => ErrorCode::TokenExpired,
        })
    }
}

impl IntoResponse for ApiError {
    /// Status and headers; the body is written by [`render`].
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() =
            StatusCode::from_u16(self.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        if let Some(seconds) = self.retry_after_seconds() {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.code.status() == 401 {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if self.code == ErrorCode::UpgradeRequired {
            headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        }
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}

/// Writes the body of an error, if that is what the response is, and logs a fault.
pub(super) fn render(response: &mut Response, request_id: &str) {
    let Some(error) = response.extensions_mut().remove::<Arc<ApiError>>() else {
        return;
    };
    error.log(request_id);
    *response.body_mut() = Body::from(error.body(request_id).to_string());
    // It was counted while the body was still empty.
    response.headers_mut().remove(CONTENT_LENGTH);
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
}

/// A path that is no route.
pub(super) async fn not_found() -> ApiError {
    ApiError::new(ErrorCode::NotFound)
}

/// A method the path does not have; the router adds `Allow`. `OPTIONS` asks for just that.
pub(super) async fn method_not_allowed(method: Method) -> Response {
    if method == Method::OPTIONS {
        return StatusCode::NO_CONTENT.into_response();
    }
    // A method is any word (RFC 9110 §9.1), and may be as long as a request's head.
    let shown: String = method.as_str().chars().take(MAX_METHOD_CHARS).collect();
    ApiError::with_detail(
        ErrorCode::MethodNotAllowed,
        format!("Method \"{shown}\" not allowed."),
    )
    .into_response()
}
