//! What a Room does with one of the runtime's sockets: sending the same to many, carrying the
//! connection's snapshot, closing, and asking for the last ping. Decides nothing.

use colloquy_proto::domain::Timestamp;
use colloquy_proto::protocol::CloseCode;
use colloquy_proto::room::{EncodedFrame, Snapshot};
use worker::js_sys::{Date, Function, Reflect};
use worker::wasm_bindgen::{JsCast as _, JsValue};
use worker::{State, WebSocket};

/// Frames for many sockets, as the runtime's own strings: made once, not once a receiver.
pub(crate) struct SharedFrames {
    send: Function,
    frames: Vec<JsValue>,
}

impl SharedFrames {
    /// `any` is some socket: all have the same function.
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

    /// Whether the socket took them.
    pub(crate) fn send(&self, socket: &WebSocket) -> bool {
        let mut frames = self.frames.iter();
        frames.all(|frame| self.send.call1(socket.as_ref(), frame).is_ok())
    }
}

/// When the runtime last answered a ping of this socket. Its own library has no name for it.
pub(crate) fn last_ping(state: &State, socket: &WebSocket) -> Option<Timestamp> {
    let state = state.as_raw();
    let name = JsValue::from_str("getWebSocketAutoResponseTimestamp");
    let ask = Reflect::get(state, &name).ok()?;
    let ask: &Function = ask.dyn_ref()?;
    let date = ask.call1(state, socket.as_ref()).ok()?;
    let date: &Date = date.dyn_ref()?;
    #[expect(clippy::cast_possible_truncation, reason = "whole milliseconds")]
    Some(Timestamp(date.get_time() as i64))
}

/// The snapshot a socket carries, unless it was closed from here.
pub(crate) fn attached(socket: &WebSocket) -> Option<Snapshot> {
    let text: String = socket.deserialize_attachment().ok()??;
    serde_json::from_str(&text).ok()
}

pub(crate) fn attach(socket: &WebSocket, snapshot: &Snapshot) {
    let written = serde_json::to_string(snapshot)
        .map_err(worker::Error::from)
        .and_then(|text| socket.serialize_attachment(text));
    if let Err(error) = written {
        tracing::error!(error = %error, "a connection could not be kept");
    }
}

/// Closes a socket for good.
pub(crate) fn end(socket: &WebSocket, close: CloseCode) {
    // Neither can fail but on a socket that has closed already.
    drop(socket.serialize_attachment(""));
    drop(socket.close(Some(close.code()), Some(close.reason())));
}
