//! What survives hibernation: the runtime keeps the sockets open while the object's memory is gone.
//!
//! Each socket carries the id of its connection as a tag and the newest snapshot as its attachment;
//! `room_host.rs` restores the Room from them. The runtime answers pings without waking the object and reports when.
//! No rule of the protocol is here.

use colloquy_core::service::security_events::SecurityEvent;
use colloquy_proto::domain::{Timestamp, UserId};
use colloquy_proto::protocol::CloseCode;
use colloquy_proto::room::{ConnectionId, Snapshot};
use worker::js_sys::{Date, Function, Reflect};
use worker::wasm_bindgen::{JsCast as _, JsValue};
use worker::{State, WebSocket};

/// The storage key of the conversation's id, written by an object that sets an alarm.
pub(crate) const CONVERSATION_KEY: &str = "conversation";

/// How the tag begins that says whose a socket is.
const USER_TAG: &str = "user ";

/// The id of a socket's connection; stored as the socket's first tag.
pub(crate) fn connection_of(state: &State, socket: &WebSocket) -> Option<ConnectionId> {
    let tags = state.get_tags(socket);
    tags.first()?.parse().ok().map(ConnectionId)
}

/// The second tag of a socket: whose it is.
pub(crate) fn user_tag(user_id: UserId) -> String {
    format!("{USER_TAG}{user_id}")
}

/// Whose a socket is.
pub(crate) fn user_of(state: &State, socket: &WebSocket) -> Option<UserId> {
    let tags = state.get_tags(socket);
    let id = tags.get(1)?.strip_prefix(USER_TAG)?;
    id.parse().ok().map(UserId)
}

/// How many sockets of a user the runtime keeps for this object, closed ones included until their
/// clients have closed them too.
pub(crate) fn open_sockets(state: &State, user_id: UserId) -> usize {
    state.get_websockets_with_tag(&user_tag(user_id)).len()
}

/// When the runtime last answered a ping of this socket. The `worker` crate has no binding for it.
pub(crate) fn last_ping(state: &State, socket: &WebSocket) -> Option<Timestamp> {
    let state = state.as_raw();
    let name = JsValue::from_str("getWebSocketAutoResponseTimestamp");
    let get = Reflect::get(state, &name).ok()?;
    let get: &Function = get.dyn_ref()?;
    let date = get.call1(state, socket.as_ref()).ok()?;
    let date: &Date = date.dyn_ref()?;
    #[expect(clippy::cast_possible_truncation, reason = "whole milliseconds")]
    Some(Timestamp(date.get_time() as i64))
}

/// The snapshot attached to a socket; `None` once it was closed by [`end`].
pub(crate) fn attached(socket: &WebSocket) -> Option<Snapshot> {
    serde_json::from_str(&attachment(socket)?).ok()
}

/// Whether a socket was closed by [`end`]. Its client may go on sending.
pub(crate) fn is_ended(socket: &WebSocket) -> bool {
    attachment(socket).is_none_or(|text| text.is_empty())
}

fn attachment(socket: &WebSocket) -> Option<String> {
    socket.deserialize_attachment().ok()?
}

/// Attaches a snapshot to a socket.
pub(crate) fn attach(socket: &WebSocket, snapshot: &Snapshot) {
    let written = serde_json::to_string(snapshot)
        .map_err(worker::Error::from)
        .and_then(|text| socket.serialize_attachment(text));
    if let Err(error) = written {
        tracing::error!(error = %error, "cannot save the connection snapshot");
    }
}

/// Closes a socket and removes its snapshot.
pub(crate) fn end(socket: &WebSocket, close: CloseCode) {
    if close == CloseCode::Flooding {
        let user_id = attached(socket).map(|snapshot| snapshot.user_id());
        SecurityEvent::FloodClosed(None).report(user_id, None);
    }
    // Both fail only on a socket that is closed already.
    drop(socket.serialize_attachment(""));
    drop(socket.close(Some(close.code()), Some(close.reason())));
}
