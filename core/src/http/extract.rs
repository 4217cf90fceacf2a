//! The extractors of the handlers: caller, JSON body, ids of the path, query parameters.
//!
//! Each checks the form of its input; a violation becomes an [`ApiError`].

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::error::{ApiError, ApiResult};
use super::headers::{NotSingle, single_value};
use super::request_context::RequestContext;
use super::{App, budgets};
use colloquy_proto::domain::{Caller, ConversationId, UserId};
use colloquy_proto::protocol::ErrorCode;

/// The longest path of an invalid field that an error repeats, in characters.
const MAX_PATH_CHARS: usize = 100;

/// The context of the current request.
pub(super) struct CurrentRequest(Option<Arc<RequestContext>>);

impl CurrentRequest {
    /// The client's address, when the adapter provides it.
    pub(super) fn address(&self) -> Option<IpAddr> {
        self.0.as_ref().and_then(|context| context.address())
    }

    /// Records the authenticated user for the log.
    pub(super) fn record_user(&self, user: UserId) {
        if let Some(context) = &self.0 {
            context.record_user(user);
        }
    }
}

impl<S: Sync> FromRequestParts<S> for CurrentRequest {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self(parts.extensions.get::<Arc<RequestContext>>().cloned()))
    }
}

/// The caller, identified by a valid access token, whose budget has room for the request. The store
/// checks that the session is active, in the statement that does the work.
pub(super) struct Authenticated(pub(super) Caller);

impl FromRequestParts<App> for Authenticated {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> ApiResult<Self> {
        let token =
            bearer(&parts.headers)?.ok_or_else(|| ApiError::new(ErrorCode::NotAuthenticated))?;
        let services = app.services();
        let caller = services
            .tokens
            .verify_access_memoized(token, services.ports.clock.now())?;
        if let Some(context) = parts.extensions.get::<Arc<RequestContext>>() {
            context.record_user(caller.user_id);
        }
        budgets::charge(services, parts, caller.user_id).await?;
        Ok(Self(caller))
    }
}

/// The token of `Authorization: Bearer …` (RFC 6750 §2.1); the scheme in any case. `None` without
/// credentials of this scheme.
///
/// # Errors
/// The header is repeated.
pub(super) fn bearer(headers: &HeaderMap) -> ApiResult<Option<&str>> {
    let credentials = single_value(headers, &AUTHORIZATION).map_err(|_| {
        let detail = "Token is invalid: send the Authorization header once, with one token.";
        ApiError::with_detail(ErrorCode::TokenInvalid, detail)
    })?;
    let bearer = credentials
        .and_then(|credentials| credentials.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    Ok(bearer.map(|(_, token)| token.trim()))
}

/// A JSON object, read into `T`. Unknown fields are ignored.
pub(super) struct JsonBody<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<App> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> ApiResult<Self> {
        let media_type = is_json(request.headers());
        // The middleware has read it and limited its length.
        let bytes = Bytes::from_request(request, app)
            .await
            .map_err(|_| ApiError::new(ErrorCode::Malformed))?;
        match media_type {
            // An absent body has no media type; the error lists the missing fields instead.
            None if bytes.is_empty() => parse(b"{}").map(Self),
            Some(true) => parse(&bytes).map(Self),
            None | Some(false) => Err(ApiError::new(ErrorCode::UnsupportedMediaType)),
        }
    }
}

/// Whether the content type is JSON; `None` without one. A repeated one is not.
fn is_json(headers: &HeaderMap) -> Option<bool> {
    let value = match single_value(headers, &CONTENT_TYPE) {
        Ok(value) => value?,
        Err(NotSingle) => return Some(false),
    };
    let essence = value
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    Some(
        essence == "application/json"
            || (essence.starts_with("application/") && essence.ends_with("+json")),
    )
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> ApiResult<T> {
    // serde would also take an array for a struct.
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        return Err(ApiError::with_detail(
            ErrorCode::Malformed,
            "The body is not a JSON object.",
        ));
    }
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value =
        serde_path_to_error::deserialize(&mut deserializer).map_err(|error| malformed(&error))?;
    deserializer.end().map_err(|_| {
        ApiError::with_detail(
            ErrorCode::Malformed,
            "Unexpected data after the JSON object.",
        )
    })?;
    Ok(value)
}

/// Names the field. serde's message is not repeated: it quotes the value, which may be long or a
/// password.
fn malformed(error: &serde_path_to_error::Error<serde_json::Error>) -> ApiError {
    let inner = error.inner();
    let path: String = error
        .path()
        .to_string()
        .chars()
        .take(MAX_PATH_CHARS)
        .collect();
    let detail = if !inner.is_data() {
        format!(
            "The body is not valid JSON (line {}, column {}).",
            inner.line(),
            inner.column()
        )
    } else if path == "." {
        "The body does not match the schema, or repeats a field.".to_owned()
    } else {
        format!("The field '{path}' has the wrong type.")
    };
    ApiError::with_detail(ErrorCode::Malformed, detail)
}

/// The conversation id of a path; 404 for anything that is not a positive number.
pub(super) struct ConversationPath(pub(super) ConversationId);

impl FromRequestParts<App> for ConversationPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> ApiResult<Self> {
        let Path(text) = <Path<String> as FromRequestParts<App>>::from_request_parts(parts, app)
            .await
            .map_err(|_| ApiError::new(ErrorCode::NotFound))?;
        conversation_id(&text)
            .map(Self)
            .ok_or_else(|| ApiError::new(ErrorCode::NotFound))
    }
}

/// The conversation id of a path, and the id of an item within the conversation.
pub(super) struct ConversationItemPath(pub(super) ConversationId, pub(super) i64);

impl FromRequestParts<App> for ConversationItemPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> ApiResult<Self> {
        let path =
            <Path<(String, String)> as FromRequestParts<App>>::from_request_parts(parts, app);
        let ids = path.await.ok().and_then(|Path((conversation, id))| {
            Some(Self(conversation_id(&conversation)?, positive(&id)?))
        });
        ids.ok_or_else(|| ApiError::new(ErrorCode::NotFound))
    }
}

pub(super) fn conversation_id(text: &str) -> Option<ConversationId> {
    positive(text).map(ConversationId)
}

/// Only digits, and not 0.
fn positive(text: &str) -> Option<i64> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let id = text.parse().ok().filter(|id| *id > 0)?;
    digits.then_some(id)
}

/// The query parameters; of duplicates the last is used.
pub(super) struct QueryParams(Vec<(String, String)>);

impl FromRequestParts<App> for QueryParams {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> ApiResult<Self> {
        let query =
            <Query<Vec<(String, String)>> as FromRequestParts<App>>::from_request_parts(parts, app)
                .await;
        let Query(pairs) = query.map_err(|_| ApiError::new(ErrorCode::Malformed))?;
        Ok(Self(pairs))
    }
}

impl QueryParams {
    /// The value of a parameter; `None` when it is empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().rev().find(|(given, _)| given == name);
        found
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    /// `limit`: from 1 to `max`, which is also the default.
    pub(super) fn limit(&self, max: i64) -> ApiResult<i64> {
        let Some(text) = self.get("limit") else {
            return Ok(max);
        };
        match text.parse() {
            Ok(limit) if (1..=max).contains(&limit) => Ok(limit),
            Ok(_) => Err(ApiError::field(
                "limit",
                format!("Ensure this value is between 1 and {max}."),
            )),
            Err(_) => Err(ApiError::field("limit", "A valid integer is required.")),
        }
    }
}
