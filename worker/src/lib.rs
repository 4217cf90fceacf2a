//! Colloquy at the edge: core's router as a stateless Worker, core's Rooms as Durable Objects.
//!
//! Owns how core's ports are met on Cloudflare's runtime, and decides nothing: a rule that is
//! missing belongs into core. `app.rs` puts it together, `rooms.rs` and `room_do.rs` carry
//! the live side, `session_do.rs` knows in which Rooms a login is, `driver.rs` and
//! `hyperdrive.rs` reach PostgreSQL, `rpc.rs` is what the parts say to each
//! other. The native twin is `local-server`.
//!
//! A panic ends the wasm instance with every Room in it. Nothing a client sends may cause one.

mod app;
mod clock;
pub mod driver;
#[cfg(feature = "faults")]
mod faults;
mod hyperdrive;
mod isolate_load;
mod logging;
mod passwords;
mod perf;
mod room_database;
mod room_do;
mod room_host;
mod room_sockets;
mod rooms;
mod rpc;
mod session_do;
mod socket;
mod stream;

use axum::body::Body;
use axum::http::Response;
use worker::{Context, Env, HttpRequest, event};

/// Once an instance, before anything else.
#[event(start)]
fn start() {
    perf::microtasks::patch_queue_microtask();
}

/// Every request from outside.
#[event(fetch)]
async fn fetch(
    request: HttpRequest,
    env: Env,
    _context: Context,
) -> worker::Result<Response<Body>> {
    Ok(app::serve(request, &env).await)
}
