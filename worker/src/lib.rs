//! Colloquy at the edge: core's router as a stateless Worker, the Rooms as Durable Objects.
//!
//! Owns how core's ports are implemented on Cloudflare's runtime, and no rule of its own: a missing
//! rule belongs in core or proto. `app.rs` composes it; `rooms.rs` reaches the objects, `room_do.rs`
//! and `room_host.rs` run a Room in one, `hibernation.rs` keeps what outlives its memory,
//! `flooding.rs` ends floods, `session_do.rs` records in which Rooms a session has sockets,
//! `limits_do.rs` counts for rate limits (reached by `counters.rs`), `rpc.rs` has the messages between
//! them; `driver.rs` and `hyperdrive.rs` reach PostgreSQL. Optimisations are in `perf/`. The native
//! counterpart is `local-server`.
//!
//! No input of a client may cause a panic. One that happens all the same ends a request or drops a
//! Room, which is restored from its sockets (`room_slot.rs`).

mod app;
mod clock;
mod counters;
pub mod driver;
#[cfg(feature = "faults")]
mod faults;
mod flooding;
mod hibernation;
mod hyperdrive;
mod limits_do;
mod logging;
mod object_sink;
mod passwords;
mod perf;
mod room_database;
mod room_do;
mod room_host;
mod room_jobs;
mod room_slot;
mod rooms;
mod rpc;
mod rpc_messages;
mod session_do;
mod socket;
mod unconfirmed;

use axum::body::Body;
use axum::http::Response;
use worker::{Context, Env, HttpRequest, event};

/// Runs once per instance, before any request.
#[event(start)]
fn start() {
    perf::microtasks::patch_queue_microtask();
}

/// Handles every external request.
#[event(fetch)]
async fn fetch(
    request: HttpRequest,
    env: Env,
    _context: Context,
) -> worker::Result<Response<Body>> {
    Ok(app::serve(request, &env).await)
}
