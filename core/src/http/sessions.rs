//! `/api/users/login/`, `token/refresh/` and `logout/`: sessions.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::App;
use super::error::{ApiError, ApiResult};
use super::extract::{Authenticated, CurrentRequest, JsonBody};
use super::openapi::{BadRequestBody, ErrorBody};
use crate::service::sessions::{self, TokenPair};
use colloquy_proto::domain::User;

/// Credentials.
#[derive(Deserialize, ToSchema)]
pub(super) struct LoginRequest {
    /// In any case and composition.
    #[schema(required = true, nullable = false, example = "johndoe")]
    username: Option<String>,
    /// The account's password.
    #[schema(required = true, nullable = false, example = "StrongPass123!")]
    password: Option<String>,
}

/// A new session.
#[derive(Serialize, ToSchema)]
pub(super) struct LoginResponse {
    /// For the next pair of tokens.
    refresh: String,
    /// For `Authorization: Bearer`.
    access: String,
    /// The account.
    user: User,
}

/// Log in
#[utoipa::path(
    post, path = "/api/users/login/", tag = "users", operation_id = "login",
    request_body = LoginRequest,
    responses(
        (status = 200, description = "Tokens and the account", body = LoginResponse),
        (status = 400, description = "Fields are missing", body = BadRequestBody),
        (status = 401, description = "Wrong username or password", body = ErrorBody),
        (status = 429, description = "Too many attempts for this account or from this address", body = ErrorBody),
    )
)]
pub(super) async fn log_in(
    State(app): State<App>,
    current: CurrentRequest,
    JsonBody(body): JsonBody<LoginRequest>,
) -> ApiResult<Json<LoginResponse>> {
    let (user, TokenPair { access, refresh }) = sessions::log_in(
        app.services(),
        body.username,
        body.password,
        current.address(),
    )
    .await?;
    current.record_user(user.id);
    Ok(Json(LoginResponse {
        refresh,
        access,
        user,
    }))
}

/// A refresh token.
#[derive(Deserialize, ToSchema)]
pub(super) struct RefreshRequest {
    /// From the login or the latest refresh.
    #[schema(required = true, nullable = false)]
    refresh: Option<String>,
}

impl RefreshRequest {
    fn token(self) -> ApiResult<String> {
        self.refresh
            .ok_or_else(|| ApiError::field("refresh", "This field is required."))
    }
}

/// The next pair of tokens.
#[derive(Serialize, ToSchema)]
pub(super) struct RefreshResponse {
    /// For `Authorization: Bearer`.
    access: String,
    /// Replaces the presented token, which returns the same pair for another 60 seconds, until this one is used.
    refresh: String,
}

/// Exchange a refresh token
#[utoipa::path(
    post, path = "/api/users/token/refresh/", tag = "users", operation_id = "refresh",
    request_body = RefreshRequest,
    responses(
        (status = 200, description = "The next pair of tokens", body = RefreshResponse),
        (status = 400, description = "The field is missing", body = BadRequestBody),
        (status = 401, description = "Invalid, expired, revoked, or used before and not repeatable (which revokes the session)", body = ErrorBody),
        (status = 429, description = "The budget for refreshes is used up", body = ErrorBody),
    )
)]
pub(super) async fn refresh(
    State(app): State<App>,
    current: CurrentRequest,
    JsonBody(body): JsonBody<RefreshRequest>,
) -> ApiResult<Json<RefreshResponse>> {
    let TokenPair { access, refresh } =
        sessions::refresh(app.services(), &body.token()?, current.address()).await?;
    Ok(Json(RefreshResponse { access, refresh }))
}

/// Log out
#[utoipa::path(
    post, path = "/api/users/logout/", tag = "users", operation_id = "logout",
    request_body = RefreshRequest, security(("bearer" = [])),
    responses(
        (status = 205, description = "The session is revoked and its sockets are closed"),
        (status = 400, description = "Not a refresh token of the caller", body = BadRequestBody),
    )
)]
pub(super) async fn log_out(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    JsonBody(body): JsonBody<RefreshRequest>,
) -> ApiResult<StatusCode> {
    sessions::log_out(app.services(), &caller, &body.token()?).await?;
    Ok(StatusCode::RESET_CONTENT)
}
