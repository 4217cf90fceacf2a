//! The live Rooms as Durable Objects, found by conversation; and the logins, by session.
//!
//! Owns the way to the objects. What they are asked is in `rpc.rs`; that nobody else can
//! ask it holds because every request to an object is made here, from nothing.

use async_trait::async_trait;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use colloquy_core::ports::{Rooms, SocketGrant};
use colloquy_proto::domain::{Caller, ConversationId, SendOutcome, SessionId};
use colloquy_proto::protocol::{CloseCode, SendCommand, StoredEvent};
use futures_util::future::join_all;
use worker::durable::ObjectNamespace;
use worker::send::SendFuture;
use worker::{Env, Result};

use crate::rpc::{self, Sent};
use crate::socket;

/// The bindings' names in `wrangler.toml`.
pub(crate) const ROOMS: &str = "ROOMS";
pub(crate) const SESSIONS: &str = "SESSIONS";

/// [`Rooms`] as objects.
pub(crate) struct EdgeRooms {
    rooms: ObjectNamespace,
    sessions: ObjectNamespace,
}

impl EdgeRooms {
    /// The ones this Worker is bound to.
    pub(crate) fn of(env: &Env) -> Result<Self> {
        Ok(Self {
            rooms: env.durable_object(ROOMS)?,
            sessions: env.durable_object(SESSIONS)?,
        })
    }

    async fn open(&self, grant: &SocketGrant) -> Result<Response> {
        let room = self.rooms.get_by_name(&grant.conversation_id.to_string())?;
        let response = room.fetch_with_request(rpc::upgrade(grant)?).await?;
        socket::outside(response)
    }

    async fn send_through(
        &self,
        id: ConversationId,
        caller: &Caller,
        send: SendCommand,
    ) -> Result<SendOutcome> {
        let room = self.rooms.get_by_name(&id.to_string())?;
        let send = rpc::Send::new(caller, send);
        let outcome: Sent = rpc::call(&room, rpc::SEND, &send).await?;
        Ok(outcome.into())
    }

    async fn tell(&self, id: ConversationId, change: Option<StoredEvent>) -> Result<()> {
        let room = self.rooms.get_by_name(&id.to_string())?;
        rpc::call(&room, rpc::CHANGED, &change).await
    }

    /// Ends the session where it is known, then in every Room it has entered.
    async fn revoke(&self, session_id: &SessionId) -> Result<()> {
        let session = self.sessions.get_by_name(&session_id.0)?;
        let rooms: Vec<i64> = rpc::call(&session, rpc::END, &()).await?;
        let told = join_all(rooms.into_iter().map(|id| async move {
            let room = self.rooms.get_by_name(&id.to_string())?;
            rpc::call::<()>(&room, rpc::REVOKE, session_id).await
        }));
        told.await.into_iter().collect()
    }
}

#[async_trait]
impl Rooms for EdgeRooms {
    async fn open_socket(&self, grant: SocketGrant, _request: Request) -> Response {
        let v2 = grant.v2;
        match SendFuture::new(self.open(&grant)).await {
            Ok(response) => response,
            Err(error) => {
                tracing::error!(
                    conversation.id = grant.conversation_id.0,
                    error = %error,
                    "a Room could not be reached"
                );
                refuse(CloseCode::Overloaded, v2)
            }
        }
    }

    async fn refuse_socket(&self, close: CloseCode, v2: bool, _request: Request) -> Response {
        refuse(close, v2)
    }

    async fn send(&self, id: ConversationId, caller: &Caller, send: SendCommand) -> SendOutcome {
        match SendFuture::new(self.send_through(id, caller, send)).await {
            Ok(outcome) => outcome,
            Err(error) => {
                tracing::error!(conversation.id = id.0, error = %error, "a Room could not be reached");
                SendOutcome::Unavailable
            }
        }
    }

    async fn change_stored(&self, id: ConversationId, change: Option<StoredEvent>) {
        if let Err(error) = SendFuture::new(self.tell(id, change)).await {
            // It finds out with its next commit.
            tracing::error!(conversation.id = id.0, error = %error, "a Room could not be reached");
        }
    }

    async fn revoke_session(&self, session_id: &SessionId) {
        if let Err(error) = SendFuture::new(self.revoke(session_id)).await {
            // Its sends are refused by the database all the same, and its tokens end.
            tracing::error!(session.id = ?session_id, error = %error, "a login's sockets were not closed");
        }
    }
}

fn refuse(close: CloseCode, v2: bool) -> Response {
    socket::refuse(close, v2).unwrap_or_else(|error| {
        tracing::error!(error = %error, "a socket could not be refused");
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    })
}
