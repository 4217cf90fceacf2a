//! Makes this program panic on request, to test that other clients recover.
//!
//! Only in builds with the feature `faults`, which are never deployed. `POST /faults/worker/`
//! panics in the request itself, `POST /faults/room/{conversation_id}/` in that Room,
//! `POST /faults/commit/{conversation_id}/` in the Room's next commit, after it is stored.

use std::cell::Cell;

use axum::http::StatusCode;
use colloquy_proto::domain::ConversationId;
use worker::{Env, Result};

use crate::rpc::{self, ROOMS};

/// The path at which a Room panics.
pub(crate) const PANIC: &str = "/panic";

/// The path at which a Room's next commit is made to panic.
pub(crate) const PANIC_IN_COMMIT: &str = "/panic-in-commit";

thread_local! {
    /// The Room whose next commit panics.
    static ARMED: Cell<Option<ConversationId>> = const { Cell::new(None) };
}

/// Serves a request for a fault; `None` when it is another request. Returns only when the panic was in
/// an object.
pub(crate) async fn serve(path: &str, env: &Env) -> Option<StatusCode> {
    let (id, fault) = match path.trim_matches('/').split('/').collect::<Vec<_>>()[..] {
        ["faults", "worker"] => panic(),
        ["faults", "room", id] => (id, PANIC),
        ["faults", "commit", id] => (id, PANIC_IN_COMMIT),
        _ => return None,
    };
    Some(match call_room(id, fault, env).await {
        Ok(()) => StatusCode::NO_CONTENT,
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR,
    })
}

async fn call_room(id: &str, fault: &str, env: &Env) -> Result<()> {
    let room = env.durable_object(ROOMS)?.get_by_name(id)?;
    rpc::call(&room, fault, &()).await
}

/// The next commit of this Room panics.
pub(crate) fn arm(conversation_id: ConversationId) {
    ARMED.set(Some(conversation_id));
}

/// Panics if this Room's next commit is to.
pub(crate) fn panic_if_armed(conversation_id: ConversationId) {
    if ARMED.get() == Some(conversation_id) {
        ARMED.set(None);
        panic();
    }
}

/// Panics.
#[expect(clippy::panic, reason = "the purpose of this function")]
pub(crate) fn panic() -> ! {
    panic!("requested by a test");
}
