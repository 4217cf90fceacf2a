//! The client side of the black-box suite: what a test needs to act as a user of a server.
//!
//! Owns an HTTP client that checks every response against the server's own OpenAPI description
//! ([`Api`]), a WebSocket client that checks every frame against the AsyncAPI description, and the order
//! of the events ([`Socket`]),
//! accounts and conversations that each test creates for itself, and the client of the control
//! server. Knows nothing of how a server is built: it is given two URLs by the environment. A test
//! can misbehave with it; the client that never does is `colloquy-client`.
//!
//! The tests are in `tests/blackbox` (in parallel), `tests/faults` (one at a time) and `tests/edge`;
//! `tests/README.md` lists what a host may leave out.

#![expect(
    clippy::missing_panics_doc,
    reason = "a panic is how this crate reports that a server broke the protocol"
)]

mod account;
mod api;
mod asyncapi;
mod control;
mod environment;
mod error_codes;
mod events;
mod forged_tokens;
mod frame_check;
mod group;
mod openapi;
mod order_check;
mod random;
mod raw_http;
mod response;
mod schema;
mod server;
mod socket;
mod socket_builder;

pub use account::{Account, Tokens, retry_after};
pub use api::{Api, Request};
pub use asyncapi::AsyncApi;
pub use control::{Control, report_skipped};
pub use error_codes::{ERROR_CODES, ErrorCode};
pub use events::{is_event, timestamp};
pub use forged_tokens::{forged_tokens, token_payload};
pub use group::{Group, StoredMessage};
pub use openapi::OpenApi;
pub use order_check::OrderCheck;
pub use random::{random_below, unique};
pub use raw_http::{RawResponse, send_raw};
pub use response::{Response, next_link};
pub use server::Server;
pub use socket::{Close, Received, Socket};
pub use socket_builder::{SocketBuilder, TokenIn};

use std::time::Duration;

/// How long a test waits for an event before it fails. Only a failing test waits this long.
pub const TIMEOUT: Duration = Duration::from_secs(10);

/// Polls `condition` until it holds, for changes that no server announces (a database has
/// recovered, a cache is filled). Panics with `what` after three times [`TIMEOUT`].
pub async fn eventually<T>(what: &str, mut condition: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = tokio::time::Instant::now() + 3 * TIMEOUT;
    loop {
        if let Some(found) = condition().await {
            return found;
        }
        assert!(
            tokio::time::Instant::now() < deadline,
            "timed out after {} s: {what}",
            (3 * TIMEOUT).as_secs()
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
