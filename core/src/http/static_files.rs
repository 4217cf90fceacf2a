//! Static files from `web/`. At the edge the platform serves that directory before a request
//! reaches the Worker; elsewhere they are compiled in and served here.

use axum::Router;
use axum::routing::get;

const ROBOTS: &str = include_str!("../../../web/public/robots.txt");

/// One route for each file.
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new().route("/robots.txt", get(async || ROBOTS))
}
