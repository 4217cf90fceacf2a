//! Ways to make this program panic, for tests of what then becomes of everybody else.
//!
//! Only in builds with the feature `faults`, which are never deployed. `POST /faults/worker/`
//! panics in the request itself, `POST /faults/room/{conversation_id}/` in that Room's object.

use axum::http::StatusCode;
use worker::{Env, Result};

use crate::rooms::ROOMS;
use crate::rpc;

/// The path of a Room's object that panics.
pub(crate) const PANIC: &str = "/panic";

/// Takes a request that asks for a fault; `None` when it does not. What it answers is left when
/// the fault did not end it.
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
#[expect(clippy::panic, reason = "that is what it is for")]
pub(crate) fn panic() -> ! {
    panic!("as a test asked");
}
