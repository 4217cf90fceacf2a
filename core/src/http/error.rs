//! Errors of the REST API: Django REST Framework's shape, with a code and the request's id.
//!
//! A handler returns an [`ApiError`], which the response carries in its extensions to the outermost
//! middleware. There the request's id is available, and [`render`] writes the body and logs
//! internal errors once.

use std::borrow::Cow;
use std::sync::Arc;

use axum::body::Body;
use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER,
    SEC_WEBSOCKET_VERSION, UPGRADE, WWW_AUTHENTICATE,
};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use crate::auth::TokenError;
use crate::ports::Denied;
use crate::service::{FieldErrors, ServiceError};
use colloquy_proto::protocol::{ErrorCode, THROTTLED_TEXT};

/// The header of the request's id.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The `Retry-After` of an unavailable or overloaded server, in milliseconds.
const DEFAULT_RETRY_AFTER_MS: i64 = 2_000;

/// How much of an unknown method the error repeats, in characters.
const MAX_METHOD_CHARS: usize = 32;

/// Why a request failed: what the client receives, and a cause for the log.
#[derive(Debug, Clone)]
pub(super) struct ApiError {
    code: ErrorCode,
    detail: Cow<'static, str>,
    fields: FieldErrors,
    retry_after_ms: Option<i64>,
    /// For the log only.
    cause: Option<String>,
}

/// What handlers return.
pub(super) type ApiResult<T> = Result<T, ApiError>;

impl ApiError {
    /// An error with the default detail of its code.
    pub(super) fn new(code: ErrorCode) -> Self {
        Self::with_detail(code, default_detail(code))
    }

    /// An error with its own detail.
    pub(super) fn with_detail(code: ErrorCode, detail: impl Into<Cow<'static, str>>) -> Self {
        let retry_after_ms = matches!(code, ErrorCode::Unavailable | ErrorCode::Overloaded)
            .then_some(DEFAULT_RETRY_AFTER_MS);
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

    /// An error with a cause for the log.
    pub(super) fn with_cause(code: ErrorCode, cause: String) -> Self {
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

    fn retry_after_seconds(&self) -> Option<i64> {
        self.retry_after_ms.map(in_seconds)
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
            ErrorCode::Internal => {
                tracing::error!(request.id = request_id, cause, "internal error");
            }
            ErrorCode::Unavailable => {
                tracing::warn!(request.id = request_id, cause, "database unavailable");
            }
            _ => {}
        }
    }
}

/// Rounded up, so that the wait is never too short.
const fn in_seconds(millis: i64) -> i64 {
    millis.saturating_add(999).div_euclid(1_000)
}

/// The detail of each code when there is nothing more specific.
pub(super) const fn default_detail(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::Malformed => "The request is malformed.",
        ErrorCode::Invalid => "Invalid input.",
        ErrorCode::UnknownType => "Unknown frame type.",
        ErrorCode::InvalidHost => "Invalid Host header.",
        ErrorCode::NotAuthenticated => "Authentication credentials were not provided.",
        ErrorCode::BadCredentials => "No active account found with the given credentials.",
        ErrorCode::TokenInvalid => "Token is invalid.",
        ErrorCode::TokenExpired => "Token is expired.",
        ErrorCode::SessionRevoked => "This session has been revoked.",
        ErrorCode::NotMember => "You are not a member of this conversation.",
        ErrorCode::Forbidden => "You do not have permission to perform this action.",
        ErrorCode::NotFound => "Not found.",
        ErrorCode::MethodNotAllowed => "Method not allowed.",
        ErrorCode::RequestTimeout => "The request body did not arrive in time.",
        ErrorCode::Conflict => "The request conflicts with the current state.",
        ErrorCode::TooLarge => "The request body is too large.",
        ErrorCode::UnsupportedMediaType => "Unsupported media type; send application/json.",
        ErrorCode::UpgradeRequired => "This path requires a WebSocket upgrade.",
        ErrorCode::Throttled => THROTTLED_TEXT,
        ErrorCode::TooManyAttempts => "Too many attempts.",
        ErrorCode::Internal => "A server error occurred.",
        ErrorCode::Unavailable => "Service temporarily unavailable, try again later.",
        ErrorCode::Overloaded => "The server is overloaded, try again later.",
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
            ServiceError::OverBudget {
                budget,
                retry_after_ms,
            } => {
                let detail = format!("Too many requests: the budget \"{budget}\" is used up.");
                Self::retry_after(ErrorCode::Throttled, detail, retry_after_ms)
            }
            ServiceError::TooManyAttempts { retry_after_ms } => {
                let detail = format!(
                    "Too many attempts. Expected available in {} seconds.",
                    in_seconds(retry_after_ms)
                );
                Self::retry_after(ErrorCode::TooManyAttempts, detail, retry_after_ms)
            }
            ServiceError::Overloaded => Self::new(ErrorCode::Overloaded),
            ServiceError::Unavailable(cause) => Self::with_cause(ErrorCode::Unavailable, cause),
            ServiceError::Internal(cause) => Self::with_cause(ErrorCode::Internal, cause),
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
    /// Status and headers; [`render`] writes the body.
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
        match self.code {
            ErrorCode::UpgradeRequired => {
                headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
                headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
            }
            // The rest of the request cannot be read any more (RFC 9110 §15.5.9).
            ErrorCode::RequestTimeout => {
                headers.insert(CONNECTION, HeaderValue::from_static("close"));
            }
            // RFC 9110 §12.5.3.
            ErrorCode::UnsupportedMediaType => {
                headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
            }
            _ => {}
        }
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}

/// Writes the body of a response that carries an error, and logs the error if the server caused it.
pub(super) fn render(response: &mut Response, request_id: &str) {
    let Some(error) = response.extensions_mut().remove::<Arc<ApiError>>() else {
        return;
    };
    error.log(request_id);
    write_body(response, &error, request_id);
}

fn write_body(response: &mut Response, error: &ApiError, request_id: &str) {
    *response.body_mut() = Body::from(error.body(request_id).to_string());
    let headers = response.headers_mut();
    // It was computed for the former body.
    headers.remove(CONTENT_LENGTH);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
}

/// Replaces a complete response of the router that an adapter cannot hold in memory until the client
/// has read it: 503 `overloaded`, with the same request id and the other headers unchanged.
pub fn replace_with_overloaded(response: &mut Response) {
    let error = ApiError::new(ErrorCode::Overloaded);
    let id = response.headers().get(REQUEST_ID).cloned();
    let id = id.as_ref().and_then(|id| id.to_str().ok());
    write_body(response, &error, id.unwrap_or_default());
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(seconds) = error.retry_after_seconds() {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
}

/// The response to a valid handshake that an adapter could not complete; `cause` is for the log. The
/// router's middleware writes its body.
pub fn upgrade_failed(cause: String) -> Response {
    ApiError::with_cause(ErrorCode::Internal, cause).into_response()
}

/// The fallback for unknown paths.
pub(super) async fn not_found() -> ApiError {
    ApiError::new(ErrorCode::NotFound)
}

/// The fallback for methods the path does not support. The router adds the header `Allow`, which is
/// the whole response to `OPTIONS`.
pub(super) async fn method_not_allowed(method: Method) -> Response {
    if method == Method::OPTIONS {
        return StatusCode::NO_CONTENT.into_response();
    }
    // A method is any token (RFC 9110 §9.1) and may be as long as a request's head.
    let excerpt: String = method.as_str().chars().take(MAX_METHOD_CHARS).collect();
    ApiError::with_detail(
        ErrorCode::MethodNotAllowed,
        format!("Method \"{excerpt}\" not allowed."),
    )
    .into_response()
}
