//! The routes: one axum router for every host.
//!
//! Owns what HTTP sees: paths, statuses, headers, the shape of errors, the description of all of
//! it. A handler extracts, converts, makes one service call, converts; it decides nothing.
//! Deliberately opens no socket and serves nothing by itself: an adapter hands requests in, each
//! with a [`ClientAddress`]. To add a route: a handler with its `utoipa::path` in the file of its
//! resource, and a line in `routes`.

mod address;
mod answer;
mod app;
mod body;
mod changes;
mod conversations;
mod error;
mod extract;
mod files;
mod frame;
mod gate;
mod health;
mod messages;
mod openapi;
mod socket;
mod users;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use utoipa::OpenApi as _;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use address::ClientAddress;
pub use app::App;

/// The largest body taken, in bytes.
pub const MAX_BODY_BYTES: usize = 64 * 1024;

/// Every route there is.
fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(openapi::Document::openapi())
        .routes(routes!(users::register))
        .routes(routes!(users::log_in))
        .routes(routes!(users::refresh))
        .routes(routes!(users::log_out))
        .routes(routes!(users::profile))
        .routes(routes!(conversations::list, conversations::create))
        .routes(routes!(conversations::read))
        .routes(routes!(messages::history, messages::send))
        .routes(routes!(changes::edit, changes::delete))
        .routes(routes!(changes::add_member))
        .routes(routes!(changes::remove_member))
        .routes(routes!(socket::open))
        .routes(routes!(health::health))
        .routes(routes!(health::live))
        .routes(routes!(health::ready))
        .routes(routes!(openapi::document))
}

/// The whole HTTP side of a server.
pub fn router(app: App) -> Router {
    let (routes, document) = routes().split_for_parts();
    let app = app.describing(document);
    let inner = routes
        .merge(files::routes())
        .fallback(error::not_found)
        .method_not_allowed_fallback(error::method_not_allowed)
        .route_layer(from_fn(frame::note_route))
        .with_state(app.clone());
    // What stands around the routes also sees requests that match none. Read from the bottom:
    // the last layer is the outermost. They are few, since each costs every request some
    // allocations.
    let outer = Router::new()
        .fallback_service(inner)
        .layer(from_fn(gate::enter));
    let outer = match gate::cors(&app.settings().cors_allowed_origins) {
        Some(cors) => outer.layer(cors),
        None => outer,
    };
    outer.layer(from_fn_with_state(app, frame::frame))
}
