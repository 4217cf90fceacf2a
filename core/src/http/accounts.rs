//! `/api/users/register/` and `/api/users/profile/`: accounts.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

use super::App;
use super::error::ApiResult;
use super::extract::{Authenticated, CurrentRequest, JsonBody};
use super::openapi::{BadRequestBody, ErrorBody};
use crate::service::accounts::{self, Registration};
use colloquy_proto::domain::User;

/// A new account.
#[derive(Deserialize, ToSchema)]
pub(super) struct RegisterRequest {
    /// 1 to 150 letters, digits and `@.+-_`; unique in any case and composition.
    #[schema(required = true, nullable = false, example = "johndoe")]
    username: Option<String>,
    /// Unique in any case and composition, its domain in Unicode or Punycode.
    #[schema(required = true, nullable = false, example = "john@example.com")]
    email: Option<String>,
    /// 8 characters to 256 bytes; not common, not all digits, not similar to the other fields.
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
    request_body = RegisterRequest,
    responses(
        (status = 201, description = "The account", body = User),
        (status = 400, description = "Invalid fields, or username or e-mail already in use", body = BadRequestBody),
        (status = 403, description = "Registration is closed on this server", body = ErrorBody),
        (status = 429, description = "Too many attempts from this address", body = ErrorBody),
    )
)]
pub(super) async fn register(
    State(app): State<App>,
    current: CurrentRequest,
    JsonBody(body): JsonBody<RegisterRequest>,
) -> ApiResult<(StatusCode, Json<User>)> {
    let RegisterRequest {
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
    let policy = app.settings().registration;
    let user = accounts::register(app.services(), policy, registration, current.address()).await?;
    Ok((StatusCode::CREATED, Json(user)))
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
