//! The live Rooms as Durable Objects, found by conversation, and the sessions, found by session id.
//!
//! Owns how objects are reached. The messages are in `rpc.rs`; only this module and the objects
//! themselves make requests to an object.

use async_trait::async_trait;
use axum::extract::Request;
use axum::response::Response;
use colloquy_core::http::upgrade_failed;
use colloquy_core::ports::{Rooms, SocketGrant};
use colloquy_proto::domain::{Caller, ConversationId, SendOutcome, SessionId};
use colloquy_proto::protocol::{CloseCode, SendCommand, StoredEvent};
use futures_util::stream::{StreamExt as _, iter};
use worker::durable::ObjectNamespace;
use worker::send::SendFuture;
use worker::{Env, Result, Stub};

use crate::rpc::{self, ROOMS, SESSIONS};
use crate::rpc_messages::{SendRequest, SendResponse};
use crate::socket;

/// Calls of Rooms in flight for one revocation. The platform runs six of a request at a time; those
/// beyond would wait for it, and their deadlines run.
const CALLS_IN_FLIGHT: usize = 6;

/// [`Rooms`] as objects.
pub(crate) struct EdgeRooms {
    rooms: ObjectNamespace,
    sessions: ObjectNamespace,
}

impl EdgeRooms {
    /// The namespaces this Worker is bound to.
    pub(crate) fn of(env: &Env) -> Result<Self> {
        Ok(Self {
            rooms: env.durable_object(ROOMS)?,
            sessions: env.durable_object(SESSIONS)?,
        })
    }

    fn room(&self, conversation_id: ConversationId) -> Result<Stub> {
        self.rooms.get_by_name(&conversation_id.to_string())
    }

    async fn open(&self, grant: &SocketGrant) -> Result<Response> {
        let room = self.room(grant.conversation_id)?;
        let response = rpc::open_socket(&room, grant).await?;
        socket::to_http(response)
    }

    async fn send_to_room(
        &self,
        conversation_id: ConversationId,
        caller: &Caller,
        send: SendCommand,
    ) -> Result<SendOutcome> {
        let room = self.room(conversation_id)?;
        let request = SendRequest::new(caller, send);
        let response: SendResponse = rpc::call(&room, rpc::SEND, &request).await?;
        Ok(response.into())
    }

    async fn notify(
        &self,
        conversation_id: ConversationId,
        event: Option<StoredEvent>,
    ) -> Result<()> {
        let room = self.room(conversation_id)?;
        rpc::call(&room, rpc::CHANGE_STORED, &event).await
    }

    /// Revokes the session in its own object, then in every Room where it has sockets.
    async fn revoke(&self, session_id: &SessionId) -> Result<()> {
        let session = self.sessions.get_by_name(&session_id.0)?;
        let rooms: Vec<ConversationId> = rpc::call(&session, rpc::END_SESSION, &()).await?;
        let revoking = rooms.into_iter().map(async |conversation_id| {
            let room = self.room(conversation_id)?;
            rpc::call::<()>(&room, rpc::REVOKE, session_id).await
        });
        // One that fails must not leave the sockets of the others open.
        let revoked = iter(revoking).buffer_unordered(CALLS_IN_FLIGHT);
        let revoked: Vec<Result<()>> = revoked.collect().await;
        revoked.into_iter().collect()
    }
}

#[async_trait]
impl Rooms for EdgeRooms {
    async fn open_socket(&self, grant: SocketGrant, _request: Request) -> Response {
        let v2 = grant.v2;
        match SendFuture::new(self.open(&grant)).await {
            Ok(response) => response,
            Err(error) => {
                log_unreachable(grant.conversation_id, &error);
                refuse(CloseCode::Overloaded, v2)
            }
        }
    }

    async fn refuse_socket(&self, close: CloseCode, v2: bool, _request: Request) -> Response {
        refuse(close, v2)
    }

    async fn send(
        &self,
        conversation_id: ConversationId,
        caller: &Caller,
        send: SendCommand,
    ) -> SendOutcome {
        let outcome = self.send_to_room(conversation_id, caller, send);
        match SendFuture::new(outcome).await {
            Ok(outcome) => outcome,
            Err(error) => {
                log_unreachable(conversation_id, &error);
                SendOutcome::Unavailable
            }
        }
    }

    async fn change_stored(&self, conversation_id: ConversationId, event: Option<StoredEvent>) {
        if let Err(error) = SendFuture::new(self.notify(conversation_id, event)).await {
            // The Room finds the event at its next commit.
            log_unreachable(conversation_id, &error);
        }
    }

    async fn revoke_session(&self, session_id: &SessionId) {
        if let Err(error) = SendFuture::new(self.revoke(session_id)).await {
            // The database refuses its sends all the same, and its access tokens expire.
            tracing::error!(session.id = ?session_id, error = %error, "closing the sockets of a revoked session failed");
        }
    }
}

fn log_unreachable(conversation_id: ConversationId, error: &worker::Error) {
    tracing::error!(conversation.id = conversation_id.0, error = %error, "room object unreachable");
}

fn refuse(close: CloseCode, v2: bool) -> Response {
    socket::refuse(close, v2).unwrap_or_else(|error| upgrade_failed(error.to_string()))
}
