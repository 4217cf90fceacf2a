//! Replaces the isolate's global `queueMicrotask` by `then` of a resolved promise.
//!
//! Every wake-up of a future queues a microtask, about eight per message. workerd's
//! `queueMicrotask` allocates an object with a finalizer each time, which took an eighth of a busy
//! isolate's time in garbage collection; `then` allocates almost nothing
//! (docs/decisions/0009-edge-connections.md). Correctness does not depend on it: both run the
//! callback as a microtask.

use worker::js_sys::{Function, Promise, Reflect, global};
use worker::wasm_bindgen::{JsCast as _, JsValue};

/// Patches the global object of this isolate. If that fails, `queueMicrotask` stays as it is.
pub(crate) fn patch_queue_microtask() {
    // Created outside of any request, so it belongs to none.
    let resolved = Promise::resolve(&JsValue::UNDEFINED);
    let then = Reflect::get(&resolved, &JsValue::from_str("then"));
    let Some(then) = then.ok().and_then(|then| then.dyn_into::<Function>().ok()) else {
        return;
    };
    let name = JsValue::from_str("queueMicrotask");
    // Fails if the global object is frozen.
    drop(Reflect::set(&global(), &name, &then.bind0(&resolved)));
}
