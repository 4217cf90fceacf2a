//! RPC between the Worker and its Durable Objects: JSON over the objects' own `fetch`.
//!
//! No other client can call an object: it is reached through its binding alone, and the Worker passes
//! no outside request on. Every call is built here from nothing; of the client's request only the
//! request id is passed. Every call has a deadline: an object that does not answer must not hold the
//! request or the object that called it. The messages are in `rpc_messages.rs`.

use std::pin::pin;
use std::time::Duration;

use colloquy_core::ports::SocketGrant;
use futures_util::future::{Either, select};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tracing::Span;
use worker::wasm_bindgen::JsValue;
use worker::{Delay, Headers, Method, Request, RequestInit, Response, Result, Stub};

use crate::logging;
use crate::rpc_messages::AdmissionDto;

/// How long an object may take to answer. A send waits for the commit before its own and for its
/// own, each at most `driver::RUN_TIMEOUT`; what takes longer hangs.
const CALL_TIMEOUT: Duration = Duration::from_secs(15);

/// The bindings' names in `wrangler.toml`.
pub(crate) const ROOMS: &str = "ROOMS";
pub(crate) const SESSIONS: &str = "SESSIONS";
pub(crate) const LIMITS: &str = "LIMITS";

/// The paths of a Room's object.
pub(crate) const OPEN_SOCKET: &str = "/open";
pub(crate) const SEND: &str = "/send";
pub(crate) const CHANGE_STORED: &str = "/changed";
pub(crate) const REVOKE: &str = "/revoke";

/// The paths of a session's object.
pub(crate) const REGISTER_SOCKET: &str = "/enter";
pub(crate) const END_SESSION: &str = "/end";

/// The paths of an object of rate limits. The bodies are those of the port's methods.
pub(crate) const CHARGE: &str = "/charge";
pub(crate) const GIVE_BACK: &str = "/give-back";

/// The header that carries an [`AdmissionDto`] with an upgrade, which has no body.
pub(crate) const ADMISSION: &str = "x-colloquy-grant";

/// The header that carries the id of the client's request, for the objects' logs.
const REQUEST_ID: &str = "x-request-id";

/// The span in which an object serves a call; it has the id of the client's request.
pub(crate) fn span(request: &Request) -> Span {
    let id = request.headers().get(REQUEST_ID).ok().flatten();
    tracing::info_span!("object", request.id = id)
}

/// The headers of every call.
fn headers() -> Result<Headers> {
    let headers = Headers::new();
    if let Some(id) = logging::request_id() {
        headers.set(REQUEST_ID, &id)?;
    }
    Ok(headers)
}

/// Calls an object and reads its response.
pub(crate) async fn call<T: DeserializeOwned>(
    stub: &Stub,
    path: &str,
    body: &impl Serialize,
) -> Result<T> {
    let body = serde_json::to_string(body)?;
    let mut init = RequestInit::new();
    init.with_method(Method::Post)
        .with_headers(headers()?)
        .with_body(Some(JsValue::from_str(&body)));
    let request = Request::new_with_init(&url(path), &init)?;
    within_deadline(path, async {
        let mut response = stub.fetch_with_request(request).await?;
        if response.status_code() != 200 {
            let status = response.status_code();
            return Err(format!("object responded to {path} with {status}").into());
        }
        response.json().await
    })
    .await
}

/// Opens a socket in a Room's object.
pub(crate) async fn open_socket(stub: &Stub, grant: &SocketGrant) -> Result<Response> {
    let request = upgrade(grant)?;
    within_deadline(OPEN_SOCKET, stub.fetch_with_request(request)).await
}

/// Gives up on an exchange after [`CALL_TIMEOUT`].
async fn within_deadline<T>(path: &str, exchange: impl Future<Output = Result<T>>) -> Result<T> {
    match select(pin!(exchange), Delay::from(CALL_TIMEOUT)).await {
        Either::Left((result, _)) => result,
        Either::Right(_) => {
            let limit = CALL_TIMEOUT.as_secs();
            Err(format!("object did not respond to {path} within {limit} s").into())
        }
    }
}

/// The request that opens a socket.
fn upgrade(grant: &SocketGrant) -> Result<Request> {
    let headers = headers()?;
    headers.set("upgrade", "websocket")?;
    headers.set(
        ADMISSION,
        &serde_json::to_string(&AdmissionDto::from(grant))?,
    )?;
    let mut init = RequestInit::new();
    init.with_headers(headers);
    Request::new_with_init(&url(OPEN_SOCKET), &init)
}

/// Only the path counts; the host name is reserved and resolves nowhere (RFC 2606).
fn url(path: &str) -> String {
    format!("https://object.invalid{path}")
}
