//! The runtime's sockets: send the same frames to many, store the connection's snapshot, close, read
//! the time of the last ping. No rule of the protocol is here.

use colloquy_proto::domain::Timestamp;
use colloquy_proto::protocol::CloseCode;
use colloquy_proto::room::{EncodedFrame, Snapshot};
use worker::js_sys::{Date, Function, Reflect};
use worker::wasm_bindgen::{JsCast as _, JsValue};
use worker::{State, WebSocket};

/// Frames for many sockets as JavaScript strings, converted once and not once per receiver.
pub(crate) struct SharedFrames {
    send: Function,
    frames: Vec<JsValue>,
}

impl SharedFrames {
    /// `any` is one of the sockets: all have the same `send` function.
    pub(crate) fn of(any: &WebSocket, frames: &[EncodedFrame]) -> Option<Self> {
        let any: &JsValue = any.as_ref();
        let send = Reflect::get(any, &JsValue::from_str("send")).ok()?;
        Some(Self {
            send: send.dyn_into().ok()?,
            frames: frames
                .iter()
                .map(|frame| JsValue::from_str(frame))
                .collect(),
        })
    }

    /// Whether the socket accepted all frames.
    pub(crate) fn send(&self, socket: &WebSocket) -> bool {
        let mut frames = self.frames.iter();
        frames.all(|frame| self.send.call1(socket.as_ref(), frame).is_ok())
    }
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
    let text: String = socket.deserialize_attachment().ok()??;
    serde_json::from_str(&text).ok()
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
    // Both fail only on a socket that is closed already.
    drop(socket.serialize_attachment(""));
    drop(socket.close(Some(close.code()), Some(close.reason())));
}
