//! The client side of the black-box suite: what a test needs to talk to a server as a user does.
//!
//! Owns the HTTP client, whose every answer is held against the server's own description
//! ([`Api`]), the WebSocket client, which checks the order of everything it receives ([`Socket`]),
//! accounts and conversations made fresh for each test, and the requests to the control server.
//! Knows nothing of how a server is built: two URLs from the environment are all it is given, and
//! it depends on no other package of this workspace. The tests are in `tests/blackbox` (in
//! parallel) and `tests/disturb` (one after the other); `README.md` beside says what a host may
//! leave out.

#![expect(
    clippy::missing_panics_doc,
    reason = "a panic is how this crate reports what a server did wrong"
)]

mod account;
mod answer;
mod api;
mod codes;
mod control;
mod description;
mod forge;
mod group;
mod opening;
mod order;
mod random;
mod raw;
mod server;
mod shapes;
mod socket;

pub use account::{Account, Tokens, wait_of};
pub use answer::Answer;
pub use api::{Api, Request};
pub use codes::{CODES, Code};
pub use control::{Control, skipped};
pub use description::Description;
pub use forge::{forged_tokens, payload};
pub use group::{Group, Sent};
pub use opening::{Manner, Opening};
pub use order::Order;
pub use random::{below, unique};
pub use raw::{RawAnswer, raw};
pub use server::Server;
pub use shapes::{is_event, timestamp};
pub use socket::{Close, Heard, Socket};

use std::time::Duration;

/// How long an event may take before a test gives up on it. Generous on purpose: only a test that
/// is about to fail ever waits this long.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Waits for `condition` to hold, asking again and again, for what no server announces (that a
/// database is back, that a cache is filled). Panics with `what` after three times [`PATIENCE`].
pub async fn eventually<T>(what: &str, mut condition: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = tokio::time::Instant::now() + 3 * PATIENCE;
    loop {
        if let Some(found) = condition().await {
            return found;
        }
        assert!(
            tokio::time::Instant::now() < deadline,
            "{what}: not so within {} s",
            (3 * PATIENCE).as_secs()
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
