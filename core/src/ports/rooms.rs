//! The port of the live Rooms, wherever they run.

use std::net::IpAddr;

use async_trait::async_trait;
use axum::extract::Request;
use axum::response::Response;

use super::{Admission, SendOutcome, StoredEvent};
use colloquy_proto::domain::{Caller, ConversationId, SessionId};
use colloquy_proto::protocol::{CloseCode, SendCommand};

/// A socket that is authenticated and admitted to a Room.
#[derive(Debug, Clone)]
pub struct SocketGrant {
    /// The socket's user and session.
    pub caller: Caller,
    /// The Room.
    pub conversation_id: ConversationId,
    /// The state of the conversation when the socket was authorized.
    pub admission: Admission,
    /// Whether the client offered the subprotocol `chat.v2`; the response then echoes it.
    pub v2: bool,
    /// The client's address, for the log.
    pub address: Option<IpAddr>,
}

/// The live Rooms.
#[async_trait]
pub trait Rooms: Send + Sync {
    /// Upgrades the request and connects the socket to its Room. Responds with 101, or with an
    /// error when the request is no WebSocket upgrade.
    async fn open_socket(&self, grant: SocketGrant, request: Request) -> Response;

    /// Upgrades the request and closes the socket with this code, without waking a Room. Browsers
    /// hide the HTTP status of a failed upgrade from the page, but show a close code.
    async fn refuse_socket(&self, close: CloseCode, v2: bool, request: Request) -> Response;

    /// Sends a message through the conversation's Room, in its order and under its throttle.
    async fn send(
        &self,
        conversation_id: ConversationId,
        caller: &Caller,
        send: SendCommand,
    ) -> SendOutcome;

    /// Notifies the conversation's Room, if it is live, of an event that was stored outside of it.
    /// `None` means that the outcome of a write is unknown, so that the Room reads the database.
    /// A removed member receives nothing with a higher `seq` than that of the removal.
    async fn change_stored(&self, conversation_id: ConversationId, event: Option<StoredEvent>);

    /// Closes every socket of this session with 4401, in every Room. When it returns, none of them
    /// receives anything further, and no earlier grant of the session opens another socket.
    async fn revoke_session(&self, session_id: &SessionId);
}
