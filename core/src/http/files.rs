//! Static files, which lie in `web/`. At the edge the platform serves that directory itself, before
//! a request reaches a Worker; elsewhere they are answered here, out of the program.

use axum::Router;
use axum::routing::get;

const ROBOTS: &str = include_str!("../../../web/robots.txt");

/// A route for each file.
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new().route("/robots.txt", get(async || ROBOTS))
}
