//! `/ws/chat/{id}/`: the way into a Room.
//!
//! Token and membership are checked here, once for every host, before a Room is touched. A
//! refusal is told by a close code, since browsers hide the HTTP status of a failed upgrade.
//! The page's `Origin` is not looked at: a socket is opened by a token alone, never by a cookie,
//! so a foreign page has nothing to open one with.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::header::{SEC_WEBSOCKET_PROTOCOL, UPGRADE};
use axum::http::{HeaderMap, HeaderName};
use axum::response::{IntoResponse as _, Response};

use super::App;
use super::error::ApiError;
use super::extract::{Known, Parameters, bearer, conversation_id};
use crate::auth::TokenError;
use crate::ports::Denied;
use crate::service::ServiceError;
use crate::service::sockets;
use colloquy_proto::protocol::{CloseCode, ErrorCode, SUBPROTOCOL};

/// What comes before an access token among the subprotocols.
const BEARER_PREFIX: &str = "bearer.";

/// Open a socket
///
/// The frames are described in `docs/protocol.md`. A refusal accepts the socket and closes it at
/// once: 4401 for a token that is missing or not genuine or whose login was ended, 4200 for one
/// that is expired, 4403 and 4404 as over REST, 4101 when the database is away.
#[utoipa::path(
    get, path = "/ws/chat/{id}/", tag = "socket", operation_id = "openSocket",
    security((), ("bearer" = [])),
    params(
        ("id" = i64, Path, description = "The conversation"),
        ("token" = Option<String>, Query, description = "The access token, for clients that can set no header"),
        ("Sec-WebSocket-Protocol" = Option<String>, Header, description = "`chat.v2` and, or, `bearer.<access token>`"),
    ),
    responses(
        (status = 101, description = "A WebSocket"),
        (status = 426, description = "Not asked for a WebSocket", body = super::openapi::ErrorBody),
    )
)]
pub(super) async fn open(
    State(app): State<App>,
    id: Result<Path<String>, PathRejection>,
    known: Known,
    parameters: Parameters,
    request: Request,
) -> Response {
    let headers = request.headers();
    if !names(headers, &UPGRADE).any(|name| name.eq_ignore_ascii_case("websocket")) {
        return ApiError::new(ErrorCode::UpgradeRequired).into_response();
    }
    let v2 = names(headers, &SEC_WEBSOCKET_PROTOCOL).any(|name| name == SUBPROTOCOL);
    let in_protocol =
        names(headers, &SEC_WEBSOCKET_PROTOCOL).find_map(|name| name.strip_prefix(BEARER_PREFIX));
    let token = parameters
        .get("token")
        .or(in_protocol)
        .or_else(|| bearer(headers))
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
    known.note_user(caller.user_id);
    // What is no text is no number either.
    let Some(id) = id.ok().and_then(|Path(id)| conversation_id(&id)) else {
        return services
            .ports
            .rooms
            .refuse_socket(CloseCode::NoSuchConversation, v2, request)
            .await;
    };
    match sockets::admit(services, caller, id, v2).await {
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
        // The rest is the server's trouble; the client comes again.
        error => {
            tracing::warn!(cause = ?error, "a socket was refused");
            CloseCode::Overloaded
        }
    }
}

/// The comma-separated names of a header, over all its lines.
fn names<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let lines = headers
        .get_all(name)
        .into_iter()
        .filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(str::trim)
}
