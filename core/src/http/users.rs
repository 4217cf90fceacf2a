//! `/api/users/`: accounts and logins.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::App;
use super::error::{ApiError, ApiResult};
use super::extract::{Authenticated, JsonBody, Known};
use super::openapi::{BadRequestBody, ErrorBody};
use crate::service::accounts::{self, Registration};
use crate::service::sessions::{self, TokenPair};
use colloquy_proto::domain::User;

/// Someone new.
#[derive(Deserialize, ToSchema)]
pub(super) struct RegisterBody {
    /// 1 to 150 letters, digits and `@.+-_`; unique whatever its case.
    #[schema(required = true, nullable = false, example = "johndoe")]
    username: Option<String>,
    /// Unique whatever its case.
    #[schema(required = true, nullable = false, example = "john@example.com")]
    email: Option<String>,
    /// 8 characters to 256 bytes; neither common, nor all digits, nor like the other fields.
    #[schema(required = true, nullable = false, example = "StrongPass123!")]
    password: Option<String>,
    /// At most 150 characters.
    first_name: Option<String>,
    /// At most 150 characters.
    last_name: Option<String>,
}

/// Register
#[utoipa::path(
    post, path = "/api/users/register/", tag = "users", operation_id = "register",
    request_body = RegisterBody,
    responses(
        (status = 201, description = "The account", body = User),
        (status = 400, description = "Fields break rules or are taken", body = BadRequestBody),
        (status = 429, description = "Too many attempts from this address", body = ErrorBody),
    )
)]
pub(super) async fn register(
    State(app): State<App>,
    known: Known,
    JsonBody(body): JsonBody<RegisterBody>,
) -> ApiResult<(StatusCode, Json<User>)> {
    let RegisterBody {
        username,
        email,
        password,
        first_name,
        last_name,
    } = body;
    let registration = Registration {
        username,
        email,
        password,
        first_name,
        last_name,
    };
    let user = accounts::register(app.services(), registration, known.address()).await?;
    Ok((StatusCode::CREATED, Json(user)))
}

/// Who wants in.
#[derive(Deserialize, ToSchema)]
pub(super) struct LoginBody {
    /// In any case.
    #[schema(required = true, nullable = false, example = "johndoe")]
    username: Option<String>,
    /// As it was set.
    #[schema(required = true, nullable = false, example = "StrongPass123!")]
    password: Option<String>,
}

/// A login.
#[derive(Serialize, ToSchema)]
pub(super) struct LoginAnswer {
    /// For the next pair of tokens; good once.
    refresh: String,
    /// For `Authorization: Bearer`.
    access: String,
    /// Who logged in.
    user: User,
}

/// Log in
#[utoipa::path(
    post, path = "/api/users/login/", tag = "users", operation_id = "login",
    request_body = LoginBody,
    responses(
        (status = 200, description = "Tokens and the user", body = LoginAnswer),
        (status = 400, description = "Fields are missing", body = BadRequestBody),
        (status = 401, description = "Wrong username or password", body = ErrorBody),
        (status = 429, description = "Too many attempts for this account or from this address", body = ErrorBody),
    )
)]
pub(super) async fn log_in(
    State(app): State<App>,
    known: Known,
    JsonBody(body): JsonBody<LoginBody>,
) -> ApiResult<Json<LoginAnswer>> {
    let (user, TokenPair { access, refresh }) = sessions::log_in(
        app.services(),
        body.username,
        body.password,
        known.address(),
    )
    .await?;
    known.note_user(user.id);
    Ok(Json(LoginAnswer {
        refresh,
        access,
        user,
    }))
}

/// A refresh token.
#[derive(Deserialize, ToSchema)]
pub(super) struct RefreshBody {
    /// From logging in or refreshing.
    #[schema(required = true, nullable = false)]
    refresh: Option<String>,
}

impl RefreshBody {
    fn token(self) -> ApiResult<String> {
        self.refresh
            .ok_or_else(|| ApiError::field("refresh", "This field is required."))
    }
}

/// The next tokens.
#[derive(Serialize, ToSchema)]
pub(super) struct RefreshAnswer {
    /// For `Authorization: Bearer`.
    access: String,
    /// Takes the place of the one presented.
    refresh: String,
}

/// Exchange a refresh token
#[utoipa::path(
    post, path = "/api/users/token/refresh/", tag = "users", operation_id = "refresh",
    request_body = RefreshBody,
    responses(
        (status = 200, description = "The next tokens", body = RefreshAnswer),
        (status = 400, description = "The field is missing", body = BadRequestBody),
        (status = 401, description = "Not genuine, expired, revoked, or used before (which revokes its login)", body = ErrorBody),
    )
)]
pub(super) async fn refresh(
    State(app): State<App>,
    JsonBody(body): JsonBody<RefreshBody>,
) -> ApiResult<Json<RefreshAnswer>> {
    let TokenPair { access, refresh } = sessions::refresh(app.services(), &body.token()?).await?;
    Ok(Json(RefreshAnswer { access, refresh }))
}

/// Log out
#[utoipa::path(
    post, path = "/api/users/logout/", tag = "users", operation_id = "logout",
    request_body = RefreshBody, security(("bearer" = [])),
    responses(
        (status = 205, description = "The login is ended, and so are its sockets"),
        (status = 400, description = "No refresh token of the caller's", body = BadRequestBody),
    )
)]
pub(super) async fn log_out(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    JsonBody(body): JsonBody<RefreshBody>,
) -> ApiResult<StatusCode> {
    sessions::log_out(app.services(), &caller, &body.token()?).await?;
    Ok(StatusCode::RESET_CONTENT)
}

/// The caller's own account
#[utoipa::path(
    get, path = "/api/users/profile/", tag = "users", operation_id = "profile",
    security(("bearer" = [])),
    responses((status = 200, description = "The account", body = User))
)]
pub(super) async fn profile(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
) -> ApiResult<Json<User>> {
    Ok(Json(accounts::profile(app.services(), &caller).await?))
}
