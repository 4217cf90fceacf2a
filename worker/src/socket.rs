//! The Worker's responses to a WebSocket upgrade.

use axum::body::Body;
use axum::http::Response;
use colloquy_proto::protocol::{CloseCode, SUBPROTOCOL};
use worker::{HttpResponse, Result, WebSocket, WebSocketPair};

/// The header of the negotiated subprotocol (RFC 6455 §4.2.2).
const PROTOCOL: &str = "sec-websocket-protocol";

/// Accepts and closes at once, so that a page in a browser receives the close code.
pub(crate) fn refuse(close: CloseCode, v2: bool) -> Result<Response<Body>> {
    let pair = WebSocketPair::new()?;
    pair.server.accept()?;
    pair.server
        .close(Some(close.code()), Some(close.reason()))?;
    to_http(switch(pair.client, v2)?)
}

/// The 101 response with the client's end of the socket.
pub(crate) fn switch(client: WebSocket, v2: bool) -> Result<worker::Response> {
    let mut response = worker::Response::from_websocket(client)?;
    if v2 {
        response.headers_mut().set(PROTOCOL, SUBPROTOCOL)?;
    }
    Ok(response)
}

/// Converts the runtime's response to the router's type, with an upgraded socket if it has one.
pub(crate) fn to_http(response: worker::Response) -> Result<Response<Body>> {
    let response: HttpResponse = response.try_into()?;
    Ok(response.map(Body::new))
}
