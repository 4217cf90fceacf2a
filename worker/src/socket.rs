//! What a Worker answers to an upgrade, short of a Room.

use axum::body::Body;
use axum::http::Response;
use colloquy_proto::protocol::{CloseCode, SUBPROTOCOL};
use worker::{HttpResponse, Result, WebSocket, WebSocketPair};

/// Where the subprotocol is agreed on.
const PROTOCOL: &str = "sec-websocket-protocol";

/// Accepts and closes at once, so that a browser's page learns why.
pub(crate) fn refuse(close: CloseCode, v2: bool) -> Result<Response<Body>> {
    let pair = WebSocketPair::new()?;
    pair.server.accept()?;
    pair.server
        .close(Some(close.code()), Some(close.reason()))?;
    outside(switch(pair.client, v2)?)
}

/// The 101 that hands the client its end.
pub(crate) fn switch(client: WebSocket, v2: bool) -> Result<worker::Response> {
    let mut response = worker::Response::from_websocket(client)?;
    if v2 {
        response.headers_mut().set(PROTOCOL, SUBPROTOCOL)?;
    }
    Ok(response)
}

/// A runtime's response as the router knows it; an upgraded socket goes with it.
pub(crate) fn outside(response: worker::Response) -> Result<Response<Body>> {
    let response: HttpResponse = response.try_into()?;
    Ok(response.map(Body::new))
}
