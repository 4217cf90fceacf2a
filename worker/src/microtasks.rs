//! How futures are polled: by the engine's own promises.
//!
//! Every wake of a future asks the runtime for a microtask, eight times a message. workerd's
//! `queueMicrotask` makes an object of its own for each, which the garbage collector has to look
//! after (an eighth of a busy isolate's time); to follow a promise that is fulfilled comes to the
//! same and costs next to nothing.

use worker::js_sys::{Function, Promise, Reflect, global};
use worker::wasm_bindgen::{JsCast as _, JsValue};

/// Puts promises in the place of `queueMicrotask`, for this isolate. Where that cannot be done
/// everything goes on as it was.
pub(crate) fn follow_promises() {
    // Made outside of every request, and so no request's own.
    let fulfilled = Promise::resolve(&JsValue::UNDEFINED);
    let then = Reflect::get(&fulfilled, &JsValue::from_str("then"));
    let Some(then) = then.ok().and_then(|then| then.dyn_into::<Function>().ok()) else {
        return;
    };
    let name = JsValue::from_str("queueMicrotask");
    // Refused where the global object is frozen.
    drop(Reflect::set(&global(), &name, &then.bind0(&fulfilled)));
}
