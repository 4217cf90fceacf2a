//! What handlers are handed: the caller, a JSON body, an id of the path, the query.
//!
//! Each is checked as far as its form goes; whatever is wrong becomes an [`ApiError`].

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::App;
use super::error::{ApiError, ApiResult};
use super::frame::Context;
use colloquy_proto::domain::{Caller, ConversationId, UserId};
use colloquy_proto::protocol::ErrorCode;

/// The longest path of a wrong field that is told back, in characters.
const MAX_PATH_CHARS: usize = 100;

/// What is known of the request itself.
pub(super) struct Known(Option<Arc<Context>>);

impl Known {
    /// The client's address, when the adapter knows it.
    pub(super) fn address(&self) -> Option<IpAddr> {
        self.0.as_ref().and_then(|context| context.address())
    }

    /// Notes who asks, for the log.
    pub(super) fn note_user(&self, user: UserId) {
        if let Some(context) = &self.0 {
            context.note_user(user);
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Known {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self(parts.extensions.get::<Arc<Context>>().cloned()))
    }
}

/// Who asks, by a genuine access token. That the login still stands is for the store to say.
pub(super) struct Authenticated(pub(super) Caller);

impl FromRequestParts<App> for Authenticated {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> ApiResult<Self> {
        let token =
            bearer(&parts.headers).ok_or_else(|| ApiError::new(ErrorCode::NotAuthenticated))?;
        let services = app.services();
        let caller = services
            .tokens
            .recognise_access(token, services.ports.clock.now())?;
        if let Some(context) = parts.extensions.get::<Arc<Context>>() {
            context.note_user(caller.user_id);
        }
        Ok(Self(caller))
    }
}

/// The token of `Authorization: Bearer …` (RFC 6750 §2.1); the scheme in any case.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then_some(token.trim())
}

/// A JSON object, read into `T`. Unknown fields are ignored.
pub(super) struct JsonBody<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<App> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> ApiResult<Self> {
        let media_type = is_json(request.headers());
        // Read already, and no longer than allowed.
        let bytes = Bytes::from_request(request, app)
            .await
            .map_err(|_| ApiError::new(ErrorCode::Malformed))?;
        match media_type {
            // No body is no body of the wrong type: the fields it lacks are told.
            None if bytes.is_empty() => parse(b"{}").map(Self),
            Some(true) => parse(&bytes).map(Self),
            None | Some(false) => Err(ApiError::new(ErrorCode::UnsupportedMediaType)),
        }
    }
}

/// Whether the body says it is JSON; `None` when it says nothing.
fn is_json(headers: &HeaderMap) -> Option<bool> {
    let value = headers.get(CONTENT_TYPE)?.to_str().unwrap_or_default();
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
            "The body goes on after its JSON object.",
        )
    })?;
    Ok(value)
}

/// Names the field. serde's own words are not repeated: they quote the value, which may be long
/// or a password.
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
        "The body is not an object as described, or has a field twice.".to_owned()
    } else {
        format!("The field '{path}' has the wrong type.")
    };
    ApiError::with_detail(ErrorCode::Malformed, detail)
}

/// The conversation a path names. What is no number names none.
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

/// The conversation a path names, and the id of what it names within.
pub(super) struct WithinConversation(pub(super) ConversationId, pub(super) i64);

impl FromRequestParts<App> for WithinConversation {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> ApiResult<Self> {
        let path =
            <Path<(String, String)> as FromRequestParts<App>>::from_request_parts(parts, app);
        let named = path.await.ok().and_then(|Path((conversation, id))| {
            Some(Self(conversation_id(&conversation)?, positive(&id)?))
        });
        named.ok_or_else(|| ApiError::new(ErrorCode::NotFound))
    }
}

pub(super) fn conversation_id(text: &str) -> Option<ConversationId> {
    positive(text).map(ConversationId)
}

/// Digits alone, and not 0.
fn positive(text: &str) -> Option<i64> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let id = text.parse().ok().filter(|id| *id > 0)?;
    digits.then_some(id)
}

/// The parameters of the query; of one given twice the last counts.
pub(super) struct Parameters(Vec<(String, String)>);

impl FromRequestParts<App> for Parameters {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> ApiResult<Self> {
        let query =
            <Query<Vec<(String, String)>> as FromRequestParts<App>>::from_request_parts(parts, app)
                .await;
        let Query(pairs) = query.map_err(|_| ApiError::new(ErrorCode::Malformed))?;
        Ok(Self(pairs))
    }
}

impl Parameters {
    /// The value of a parameter, unless it is blank.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().rev().find(|(known, _)| known == name);
        found
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    /// `limit`: from 1 to `most`, which is also what holds without one.
    pub(super) fn limit(&self, most: i64) -> ApiResult<i64> {
        let Some(text) = self.get("limit") else {
            return Ok(most);
        };
        match text.parse() {
            Ok(limit) if (1..=most).contains(&limit) => Ok(limit),
            Ok(_) => Err(ApiError::field(
                "limit",
                format!("Give a number from 1 to {most}."),
            )),
            Err(_) => Err(ApiError::field("limit", "A valid integer is required.")),
        }
    }
}
