//! Cross-origin requests (CORS).

use std::time::Duration;

use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, LINK, RETRY_AFTER};
use axum::http::{HeaderName, HeaderValue, Method};
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::config::AllowedOrigins;

/// How long a browser may cache a preflight response, in seconds.
const PREFLIGHT_SECONDS: u64 = 600;

/// The layer for the allowed origins; `None` when there are none.
pub(super) fn layer(origins: &AllowedOrigins) -> Option<CorsLayer> {
    let origin = match origins {
        AllowedOrigins::These(origins) if origins.is_empty() => return None,
        AllowedOrigins::These(_) => {
            let origins = origins.clone();
            AllowOrigin::predicate(move |origin: &HeaderValue, _| {
                origin.to_str().is_ok_and(|origin| origins.allow(origin))
            })
        }
        AllowedOrigins::Any => AllowOrigin::any(),
    };
    let request_id = HeaderName::from_static("x-request-id");
    let idempotency_key = HeaderName::from_static("idempotency-key");
    Some(
        CorsLayer::new()
            .allow_origin(origin)
            .allow_methods([
                Method::GET,
                Method::HEAD,
                Method::POST,
                Method::PUT,
                Method::PATCH,
                Method::DELETE,
            ])
            .allow_headers([
                AUTHORIZATION,
                CONTENT_TYPE,
                idempotency_key,
                request_id.clone(),
            ])
            .expose_headers([request_id, LINK, RETRY_AFTER])
            .max_age(Duration::from_secs(PREFLIGHT_SECONDS)),
    )
}
