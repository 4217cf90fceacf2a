//! `/ws/chat/{id}/`: opening a socket.
//!
//! Token and membership are checked here, the same way for every host, before a Room is involved.
//! A refusal is a close code, since browsers hide the HTTP status of a failed upgrade. The `Origin`
//! header is not checked: a socket is authenticated by a token and never by a cookie, so
//! cross-site WebSocket hijacking does not apply (RFC 6455 §10.2).

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::header::SEC_WEBSOCKET_PROTOCOL;
use axum::response::{IntoResponse as _, Response};

use super::App;
use super::extract::{CurrentRequest, QueryParams, bearer, conversation_id};
use super::handshake;
use super::headers::list;
use crate::auth::TokenError;
use crate::ports::Denied;
use crate::service::budgets::Budget;
use crate::service::{ServiceError, sockets};
use colloquy_proto::protocol::{CloseCode, SUBPROTOCOL};

/// The prefix of an access token among the offered subprotocols.
const BEARER_PREFIX: &str = "bearer.";

/// Open a socket
///
/// The frames are described in `docs/protocol.md`. A refusal accepts the socket and closes it at
/// once: 4401 for a missing or invalid token or a revoked session, 4200 for an expired token, 4403
/// and 4404 as over REST, 4100 when the user opens too many, 4101 when the database is unavailable.
#[utoipa::path(
    get, path = "/ws/chat/{id}/", tag = "socket", operation_id = "openSocket",
    security((), ("bearer" = [])),
    params(
        ("id" = i64, Path, description = "The conversation"),
        ("token" = Option<String>, Query, description = "The access token, for clients that cannot set headers"),
        ("Sec-WebSocket-Protocol" = Option<String>, Header, description = "`chat.v2` and, or, `bearer.<access token>`"),
    ),
    responses(
        (status = 101, description = "A WebSocket"),
        (status = 400, description = "The WebSocket handshake is malformed", body = super::openapi::ErrorBody),
        (status = 426, description = "The request is not an upgrade to WebSocket version 13", body = super::openapi::ErrorBody),
    )
)]
pub(super) async fn open(
    State(app): State<App>,
    id: Result<Path<String>, PathRejection>,
    current: CurrentRequest,
    params: QueryParams,
    request: Request,
) -> Response {
    if let Err(error) = handshake::check(&request) {
        return error.into_response();
    }
    let headers = request.headers();
    let v2 = list(headers, &SEC_WEBSOCKET_PROTOCOL).any(|name| name == SUBPROTOCOL);
    let in_subprotocol =
        list(headers, &SEC_WEBSOCKET_PROTOCOL).find_map(|name| name.strip_prefix(BEARER_PREFIX));
    let token = params
        .get("token")
        .or(in_subprotocol)
        .or_else(|| bearer(headers).ok().flatten())
        .unwrap_or_default();
    let services = app.services();
    let caller = match services
        .tokens
        .verify_access(token, services.ports.clock.now())
    {
        Ok(caller) => caller,
        Err(error) => {
            return services
                .ports
                .rooms
                .refuse_socket(close_code(&error.into()), v2, request)
                .await;
        }
    };
    current.record_user(caller.user_id);
    let charged = services.charge(Budget::Sockets, caller.user_id).await;
    if charged.is_err() {
        return services
            .ports
            .rooms
            .refuse_socket(CloseCode::Flooding, v2, request)
            .await;
    }
    // A path that is not valid UTF-8 names no conversation.
    let Some(id) = id.ok().and_then(|Path(id)| conversation_id(&id)) else {
        return services
            .ports
            .rooms
            .refuse_socket(CloseCode::NoSuchConversation, v2, request)
            .await;
    };
    match sockets::admit(services, caller, id, v2, current.address()).await {
        Ok(grant) => services.ports.rooms.open_socket(grant, request).await,
        Err(error) => {
            services
                .ports
                .rooms
                .refuse_socket(close_code(&error), v2, request)
                .await
        }
    }
}

fn close_code(error: &ServiceError) -> CloseCode {
    match error {
        ServiceError::Token(TokenError::Expired) => CloseCode::TokenExpired,
        ServiceError::Token(TokenError::Invalid) | ServiceError::Denied(Denied::Session) => {
            CloseCode::TokenInvalid
        }
        ServiceError::Denied(Denied::NotMember) => CloseCode::NotMember,
        ServiceError::Denied(Denied::NotFound) => CloseCode::NoSuchConversation,
        // Server-side errors; the client reconnects.
        error => {
            tracing::warn!(cause = ?error, "socket refused");
            CloseCode::Overloaded
        }
    }
}
