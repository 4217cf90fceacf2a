//! Makes this program panic on request, to test that other clients recover.
//!
//! Only in builds with the feature `faults`, which are never deployed. `POST /faults/worker/`
//! panics in the request itself, `POST /faults/room/{conversation_id}/` in that Room's object.

use axum::http::StatusCode;
use worker::{Env, Result};

use crate::rpc::{self, ROOMS};

/// The path at which a Room's object panics.
pub(crate) const PANIC: &str = "/panic";

/// Serves a request for a fault; `None` when it is another request. Returns only when the panic was in
/// an object.
pub(crate) async fn serve(path: &str, env: &Env) -> Option<StatusCode> {
    match path.trim_matches('/').split('/').collect::<Vec<_>>()[..] {
        ["faults", "worker"] => panic(),
        ["faults", "room", id] => Some(match panic_in_room(id, env).await {
            Ok(()) => StatusCode::NO_CONTENT,
            Err(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }),
        _ => None,
    }
}

async fn panic_in_room(id: &str, env: &Env) -> Result<()> {
    let room = env.durable_object(ROOMS)?.get_by_name(id)?;
    rpc::call(&room, PANIC, &()).await
}

/// Panics.
#[expect(clippy::panic, reason = "the purpose of this function")]
pub(crate) fn panic() -> ! {
    panic!("requested by a test");
}
