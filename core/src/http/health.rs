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
    /// `healthy`, `degraded` (without the cache, slower) or `unhealthy` (the database cannot be read
    /// and written).
    #[schema(example = "healthy")]
    status: &'static str,
    /// Whether the database can be read and written.
    database: bool,
    /// Whether Redis responds; always true with the in-process cache.
    redis: bool,
    /// Why it is not healthy; absent otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "database is read-only")]
    reason: Option<&'static str>,
}

/// Health of the server and its dependencies
#[utoipa::path(
    get, path = "/health/", tag = "health", operation_id = "health",
    responses(
        (status = 200, description = "`healthy`, or `degraded` when the cache is unavailable", body = HealthResponse),
        (status = 503, description = "`unhealthy`: the database cannot be read and written", body = HealthResponse),
    )
)]
pub(super) async fn health(State(app): State<App>) -> (StatusCode, Json<HealthResponse>) {
    let Health { database, cache } = service::check(app.services()).await;
    let (code, status) = match (database, cache) {
        (Ok(()), Ok(())) => (StatusCode::OK, "healthy"),
        (Ok(()), Err(_)) => (StatusCode::OK, "degraded"),
        (Err(_), _) => (StatusCode::SERVICE_UNAVAILABLE, "unhealthy"),
    };
    let response = HealthResponse {
        status,
        database: database.is_ok(),
        redis: cache.is_ok(),
        reason: database.and(cache).err(),
    };
    (code, Json(response))
}

/// A state.
#[derive(Serialize, ToSchema)]
pub(super) struct StatusResponse {
    /// `alive`, `ready` or `unready`.
    #[schema(example = "ready")]
    status: &'static str,
    /// Why it is not ready; absent otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "database is read-only")]
    reason: Option<&'static str>,
}

/// Liveness
#[utoipa::path(
    get, path = "/health/live/", tag = "health", operation_id = "live",
    responses((status = 200, description = "The process responds", body = StatusResponse))
)]
pub(super) async fn live() -> Json<StatusResponse> {
    Json(StatusResponse {
        status: "alive",
        reason: None,
    })
}

/// Readiness
#[utoipa::path(
    get, path = "/health/ready/", tag = "health", operation_id = "ready",
    responses(
        (status = 200, description = "The database can be read and written", body = StatusResponse),
        (status = 503, description = "The database cannot be read and written", body = StatusResponse),
    )
)]
pub(super) async fn ready(State(app): State<App>) -> (StatusCode, Json<StatusResponse>) {
    let (code, status, reason) = match service::check_database(app.services()).await {
        Ok(()) => (StatusCode::OK, "ready", None),
        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, "unready", Some(reason)),
    };
    (code, Json(StatusResponse { status, reason }))
}
