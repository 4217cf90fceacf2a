//! The REST API and the socket route: one axum router for every host.
//!
//! Owns paths, statuses, headers, the shape of errors, and the OpenAPI description of them. A
//! handler extracts, converts, makes one service call, converts. Deliberately binds no listener: an
//! adapter passes requests in, each with a [`ClientAddress`] and, if it keeps time, a
//! [`RequestDeadline`] in its extensions. To add a route: a handler with its `utoipa::path` in the
//! file of its resource, a line in `routes`, and the budget of its users in `budgets`.

mod accounts;
mod address;
mod app;
mod asyncapi;
mod body;
mod budgets;
mod config;
mod conversations;
mod cors;
mod deadline;
mod error;
mod extract;
mod handshake;
mod headers;
mod health;
mod host_check;
mod link;
mod members;
mod messages;
mod normalize;
mod openapi;
mod page_headers;
mod representation;
mod request_context;
mod sessions;
mod sized_json;
mod sockets;
mod static_files;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use bytes::Bytes;
use utoipa::OpenApi as _;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use address::ClientAddress;
pub use app::App;
pub use body::{BodyTimeout, MAX_BODY_BYTES};
pub use deadline::RequestDeadline;
pub use error::{replace_with_overloaded, upgrade_failed};
pub use page_headers::platform_file as page_headers_for_platform;

use app::Documents;
use representation::Representation;

/// Every route of the API.
fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(openapi::Document::openapi())
        .routes(routes!(accounts::register))
        .routes(routes!(sessions::log_in))
        .routes(routes!(sessions::refresh))
        .routes(routes!(sessions::log_out))
        .routes(routes!(accounts::profile))
        .routes(routes!(conversations::list, conversations::create))
        .routes(routes!(conversations::read))
        .routes(routes!(messages::history, messages::send))
        .routes(routes!(messages::edit, messages::delete))
        .routes(routes!(members::list, members::add))
        .routes(routes!(members::remove))
        .routes(routes!(sockets::open))
        .routes(routes!(config::config))
        .routes(routes!(health::health))
        .routes(routes!(health::live))
        .routes(routes!(health::ready))
        .routes(routes!(openapi::document))
        .routes(routes!(asyncapi::document))
}

/// The description of the routes (OpenAPI 3.1), as every host serves it.
pub fn openapi() -> Bytes {
    let (_, document) = routes().split_for_parts();
    openapi::to_json(document)
}

/// The router with its middleware.
pub fn router(app: App) -> Router {
    let (routes, document) = routes().split_for_parts();
    let json =
        |content, cache_control| Representation::of_json(content, app.assets(), cache_control);
    let documents = Documents {
        config: json(config::to_json(app.settings()), config::CACHE_CONTROL),
        openapi: json(openapi::to_json(document), openapi::CACHE_CONTROL),
        asyncapi: json(asyncapi::json(), openapi::CACHE_CONTROL),
    };
    let app = app.with_documents(documents);
    let inner = routes
        .fallback(static_files::file_or_not_found)
        .method_not_allowed_fallback(error::method_not_allowed)
        .route_layer(from_fn(request_context::record_route))
        .with_state(app.clone());
    // Middleware around the routes also applies to requests that match none. The last layer is the
    // outermost. Each layer costs every request some allocations, so there are few.
    let outer = Router::new()
        .fallback_service(inner)
        .layer(from_fn(normalize::read_and_normalize));
    let outer = match cors::layer(&app.settings().cors_allowed_origins) {
        Some(cors) => outer.layer(cors),
        None => outer,
    };
    outer.layer(from_fn_with_state(app, request_context::wrap_request))
}
