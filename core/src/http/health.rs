//! `/health/`: liveness, readiness and the state of the server's dependencies.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::App;
use crate::service::health::{self as service, Health};

/// The health of the server's dependencies.
#[derive(Serialize, ToSchema)]
pub(super) struct HealthResponse {
    /// `healthy`, `degraded` (without the cache, slower) or `unhealthy` (without the database).
    #[schema(example = "healthy")]
    status: &'static str,
    /// Whether the database responds.
    database: bool,
    /// Whether Redis responds; always true with the in-process cache.
    redis: bool,
}

/// Health of the server and its dependencies
#[utoipa::path(
    get, path = "/health/", tag = "health", operation_id = "health",
    responses(
        (status = 200, description = "`healthy`, or `degraded` when the cache is unavailable", body = HealthResponse),
        (status = 503, description = "`unhealthy`: the database is unavailable", body = HealthResponse),
    )
)]
pub(super) async fn health(State(app): State<App>) -> (StatusCode, Json<HealthResponse>) {
    let Health { database, cache } = service::check(app.services()).await;
    let (code, status) = match (database, cache) {
        (true, true) => (StatusCode::OK, "healthy"),
        (true, false) => (StatusCode::OK, "degraded"),
        (false, _) => (StatusCode::SERVICE_UNAVAILABLE, "unhealthy"),
    };
    (
        code,
        Json(HealthResponse {
            status,
            database,
            redis: cache,
        }),
    )
}

/// A state.
#[derive(Serialize, ToSchema)]
pub(super) struct StatusResponse {
    /// `alive`, `ready` or `unready`.
    #[schema(example = "ready")]
    status: &'static str,
}

/// Liveness
#[utoipa::path(
    get, path = "/health/live/", tag = "health", operation_id = "live",
    responses((status = 200, description = "The process responds", body = StatusResponse))
)]
pub(super) async fn live() -> Json<StatusResponse> {
    Json(StatusResponse { status: "alive" })
}

/// Readiness
#[utoipa::path(
    get, path = "/health/ready/", tag = "health", operation_id = "ready",
    responses(
        (status = 200, description = "The database responds", body = StatusResponse),
        (status = 503, description = "The database does not respond", body = StatusResponse),
    )
)]
pub(super) async fn ready(State(app): State<App>) -> (StatusCode, Json<StatusResponse>) {
    if service::is_ready(app.services()).await {
        (StatusCode::OK, Json(StatusResponse { status: "ready" }))
    } else {
        (
            StatusCode::SERVICE_UNAVAILABLE,
            Json(StatusResponse { status: "unready" }),
        )
    }
}
