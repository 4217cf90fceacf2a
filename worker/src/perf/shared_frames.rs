//! Frames for many sockets as JavaScript strings, converted once and not once per receiver.
//!
//! Saves a copy of every frame out of wasm memory for each receiver of a broadcast
//! (docs/decisions/0003-native-io.md, point 1, is the native counterpart). Correctness does not depend on it:
//! a socket may as well be sent each frame by itself.

use colloquy_proto::room::EncodedFrame;
use worker::WebSocket;
use worker::js_sys::{Function, Reflect};
use worker::wasm_bindgen::{JsCast as _, JsValue};

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
