//! `/health/`: whether the server serves, and what it stands on answers.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::App;
use crate::service::health::{self as service, Health};

/// What answers.
#[derive(Serialize, ToSchema)]
pub(super) struct HealthAnswer {
    /// `healthy`, `degraded` (without the cache, slower) or `unhealthy` (without the database).
    #[schema(example = "healthy")]
    status: &'static str,
    /// Whether the database answers.
    database: bool,
    /// Whether Redis answers, or the cache in this process that serves without one.
    redis: bool,
}

/// Health of all parts
#[utoipa::path(
    get, path = "/health/", tag = "health", operation_id = "health",
    responses(
        (status = 200, description = "`healthy`, or `degraded` when the cache is away", body = HealthAnswer),
        (status = 503, description = "`unhealthy`: the database is away", body = HealthAnswer),
    )
)]
pub(super) async fn health(State(app): State<App>) -> (StatusCode, Json<HealthAnswer>) {
    let Health { database, cache } = service::check(app.services()).await;
    let (code, status) = match (database, cache) {
        (true, true) => (StatusCode::OK, "healthy"),
        (true, false) => (StatusCode::OK, "degraded"),
        (false, _) => (StatusCode::SERVICE_UNAVAILABLE, "unhealthy"),
    };
    (
        code,
        Json(HealthAnswer {
            status,
            database,
            redis: cache,
        }),
    )
}

/// One word.
#[derive(Serialize, ToSchema)]
pub(super) struct StatusAnswer {
    /// `alive`, `ready` or `unready`.
    #[schema(example = "ready")]
    status: &'static str,
}

/// Whether the process serves
#[utoipa::path(
    get, path = "/health/live/", tag = "health", operation_id = "live",
    responses((status = 200, description = "It does", body = StatusAnswer))
)]
pub(super) async fn live() -> Json<StatusAnswer> {
    Json(StatusAnswer { status: "alive" })
}

/// Whether requests may be sent here
#[utoipa::path(
    get, path = "/health/ready/", tag = "health", operation_id = "ready",
    responses(
        (status = 200, description = "The database answers", body = StatusAnswer),
        (status = 503, description = "The database does not", body = StatusAnswer),
    )
)]
pub(super) async fn ready(State(app): State<App>) -> (StatusCode, Json<StatusAnswer>) {
    if service::is_ready(app.services()).await {
        (StatusCode::OK, Json(StatusAnswer { status: "ready" }))
    } else {
        (
            StatusCode::SERVICE_UNAVAILABLE,
            Json(StatusAnswer { status: "unready" }),
        )
    }
}
