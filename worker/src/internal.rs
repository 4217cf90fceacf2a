//! What a Worker and its objects say to each other: JSON over the objects' own `fetch`.
//!
//! Nobody else can say it: an object is reached through its binding alone, and the Worker hands
//! no request from outside on. Every call is made from nothing here; of the client's request not
//! even a header passes, only the id it was given here.

use std::sync::Arc;

use colloquy_core::domain::{
    Appended, Caller, ClientMessageId, Denied, Epoch, MessageId, MessageText, Number, Position,
    SendOutcome, Seq, SessionId, StoredMessage, Timestamp, UserId,
};
use colloquy_core::ports::SocketGrant;
use colloquy_core::protocol::SendCommand;
use colloquy_core::room::Join;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tracing::Span;
use worker::wasm_bindgen::JsValue;
use worker::{Headers, Method, Request, RequestInit, Result, Stub};

use crate::logging;

/// The paths of a Room's object.
pub(crate) const OPEN: &str = "/open";
pub(crate) const SEND: &str = "/send";
pub(crate) const CHANGED: &str = "/changed";
pub(crate) const REVOKE: &str = "/revoke";

/// The paths of a session's object.
pub(crate) const ENTER: &str = "/enter";
pub(crate) const END: &str = "/end";

/// Carries a [`Grant`] beside an upgrade, which can have no body.
pub(crate) const GRANT: &str = "x-colloquy-grant";

/// Carries the id of the client's request, for the objects' log.
const REQUEST_ID: &str = "x-request-id";

/// What an object serves a call in: a span that names the client's request.
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

/// Calls an object and reads its answer.
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
    let mut response = stub.fetch_with_request(request).await?;
    if response.status_code() != 200 {
        let status = response.status_code();
        return Err(format!("an object answered {path} with {status}").into());
    }
    response.json().await
}

/// The request that opens a socket in a Room's object.
pub(crate) fn upgrade(grant: &SocketGrant) -> Result<Request> {
    let headers = headers()?;
    headers.set("upgrade", "websocket")?;
    headers.set(GRANT, &serde_json::to_string(&Grant::from(grant))?)?;
    let mut init = RequestInit::new();
    init.with_headers(headers);
    Request::new_with_init(&url(OPEN), &init)
}

/// Only the path counts; the name is nobody's.
fn url(path: &str) -> String {
    format!("https://object.invalid{path}")
}

/// A socket that may join.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Grant {
    user_id: UserId,
    pub(crate) session_id: SessionId,
    expires_at: i64,
    pub(crate) v2: bool,
    epoch: Epoch,
    seq: Seq,
    number: Number,
    left_seq: Seq,
}

impl From<&SocketGrant> for Grant {
    fn from(grant: &SocketGrant) -> Self {
        Self {
            user_id: grant.caller.user_id,
            session_id: grant.caller.session_id.clone(),
            expires_at: grant.caller.expires_at.0,
            v2: grant.v2,
            epoch: grant.position.epoch.clone(),
            seq: grant.position.seq,
            number: grant.position.number,
            left_seq: grant.left_seq,
        }
    }
}

impl Grant {
    pub(crate) const fn expires_at(&self) -> Timestamp {
        Timestamp(self.expires_at)
    }
}

impl From<Grant> for Join {
    fn from(grant: Grant) -> Self {
        Self {
            user_id: grant.user_id,
            session_id: grant.session_id,
            expires_at: Timestamp(grant.expires_at),
            v2: grant.v2,
            position: Position {
                epoch: grant.epoch,
                seq: grant.seq,
                number: grant.number,
            },
            left_seq: grant.left_seq,
        }
    }
}

/// A session is about to have a socket in this conversation.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Enter {
    pub(crate) conversation_id: i64,
    /// When its token ends, in milliseconds.
    pub(crate) until: i64,
}

/// A REST send.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Send {
    pub(crate) user_id: UserId,
    pub(crate) session_id: SessionId,
    client_message_id: Option<ClientMessageId>,
    message: Arc<str>,
    reply_to: Option<MessageId>,
    mentions: Vec<UserId>,
}

impl Send {
    pub(crate) fn new(caller: &Caller, send: SendCommand) -> Self {
        Self {
            user_id: caller.user_id,
            session_id: caller.session_id.clone(),
            client_message_id: send.client_message_id,
            message: send.message.into_inner(),
            reply_to: send.reply_to,
            mentions: send.mentions,
        }
    }

    /// The command again; it was checked when it came in, and is checked again.
    pub(crate) fn command(self) -> Option<SendCommand> {
        Some(SendCommand {
            client_message_id: self.client_message_id,
            message: MessageText::new(self.message).ok()?,
            reply_to: self.reply_to,
            mentions: self.mentions,
        })
    }
}

/// A [`SendOutcome`] on its way.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Sent {
    Stored(Place),
    Duplicate(Place),
    DeniedSession,
    DeniedNotFound,
    DeniedNotMember,
    UnknownReply,
    NoRepeat,
    Throttled(i64),
    Overloaded,
    Unavailable,
}

/// A [`StoredMessage`] on its way.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Place {
    message_id: MessageId,
    seq: Seq,
    number: Number,
    timestamp: i64,
    sender: Arc<str>,
}

impl From<StoredMessage> for Place {
    fn from(stored: StoredMessage) -> Self {
        Self {
            message_id: stored.message_id,
            seq: stored.seq,
            number: stored.number,
            timestamp: stored.timestamp.0,
            sender: stored.sender,
        }
    }
}

impl From<Place> for StoredMessage {
    fn from(place: Place) -> Self {
        Self {
            message_id: place.message_id,
            seq: place.seq,
            number: place.number,
            timestamp: Timestamp(place.timestamp),
            sender: place.sender,
        }
    }
}

impl From<SendOutcome> for Sent {
    fn from(outcome: SendOutcome) -> Self {
        match outcome {
            SendOutcome::Appended(Appended::Stored(stored)) => Self::Stored(stored.into()),
            SendOutcome::Appended(Appended::Duplicate(stored)) => Self::Duplicate(stored.into()),
            SendOutcome::Appended(Appended::Denied(Denied::Session)) => Self::DeniedSession,
            SendOutcome::Appended(Appended::Denied(Denied::NotFound)) => Self::DeniedNotFound,
            SendOutcome::Appended(Appended::Denied(Denied::NotMember)) => Self::DeniedNotMember,
            SendOutcome::Appended(Appended::UnknownReply) => Self::UnknownReply,
            SendOutcome::Appended(Appended::NoRepeat) => Self::NoRepeat,
            SendOutcome::Throttled { retry_after_ms } => Self::Throttled(retry_after_ms),
            SendOutcome::Overloaded => Self::Overloaded,
            SendOutcome::Unavailable => Self::Unavailable,
        }
    }
}

impl From<Sent> for SendOutcome {
    fn from(sent: Sent) -> Self {
        match sent {
            Sent::Stored(place) => Self::Appended(Appended::Stored(place.into())),
            Sent::Duplicate(place) => Self::Appended(Appended::Duplicate(place.into())),
            Sent::DeniedSession => Self::Appended(Appended::Denied(Denied::Session)),
            Sent::DeniedNotFound => Self::Appended(Appended::Denied(Denied::NotFound)),
            Sent::DeniedNotMember => Self::Appended(Appended::Denied(Denied::NotMember)),
            Sent::UnknownReply => Self::Appended(Appended::UnknownReply),
            Sent::NoRepeat => Self::Appended(Appended::NoRepeat),
            Sent::Throttled(retry_after_ms) => Self::Throttled { retry_after_ms },
            Sent::Overloaded => Self::Overloaded,
            Sent::Unavailable => Self::Unavailable,
        }
    }
}
