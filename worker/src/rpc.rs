//! What a Worker and its objects say to each other: JSON over the objects' own `fetch`.
//!
//! Nobody else can say it: an object is reached through its binding alone, and the Worker hands
//! no request from outside on. Every call is made from nothing here; of the client's request not
//! even a header passes, only the id it was given here.

use std::sync::Arc;

use colloquy_core::ports::SocketGrant;
use colloquy_proto::domain::{
    Admission, AppendOutcome, Caller, ClientMessageId, Denied, Epoch, MessageId, MessageNumber,
    MessageText, Position, SendOutcome, Seq, SessionId, StoredMessage, Timestamp, UserId,
};
use colloquy_proto::protocol::SendCommand;
use colloquy_proto::room::NewConnection;
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
    number: MessageNumber,
    last_removal_seq: Seq,
}

impl From<&SocketGrant> for Grant {
    fn from(grant: &SocketGrant) -> Self {
        Self {
            user_id: grant.caller.user_id,
            session_id: grant.caller.session_id.clone(),
            expires_at: grant.caller.expires_at.0,
            v2: grant.v2,
            epoch: grant.admission.position.epoch.clone(),
            seq: grant.admission.position.seq,
            number: grant.admission.position.number,
            last_removal_seq: grant.admission.last_removal_seq,
        }
    }
}

impl Grant {
    pub(crate) const fn expires_at(&self) -> Timestamp {
        Timestamp(self.expires_at)
    }
}

impl From<Grant> for NewConnection {
    fn from(grant: Grant) -> Self {
        Self {
            caller: Caller {
                user_id: grant.user_id,
                session_id: grant.session_id,
                expires_at: Timestamp(grant.expires_at),
            },
            admission: Admission {
                position: Position {
                    epoch: grant.epoch,
                    seq: grant.seq,
                    number: grant.number,
                },
                last_removal_seq: grant.last_removal_seq,
            },
            v2: grant.v2,
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
    UnknownReplyTo,
    NotADuplicate,
    Throttled(i64),
    Overloaded,
    Unavailable,
}

/// A [`StoredMessage`] on its way.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Place {
    message_id: MessageId,
    seq: Seq,
    number: MessageNumber,
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
            SendOutcome::Appended(AppendOutcome::Stored(stored)) => Self::Stored(stored.into()),
            SendOutcome::Appended(AppendOutcome::Duplicate(stored)) => {
                Self::Duplicate(stored.into())
            }
            SendOutcome::Appended(AppendOutcome::Denied(Denied::Session)) => Self::DeniedSession,
            SendOutcome::Appended(AppendOutcome::Denied(Denied::NotFound)) => Self::DeniedNotFound,
            SendOutcome::Appended(AppendOutcome::Denied(Denied::NotMember)) => {
                Self::DeniedNotMember
            }
            SendOutcome::Appended(AppendOutcome::UnknownReplyTo) => Self::UnknownReplyTo,
            SendOutcome::Appended(AppendOutcome::NotADuplicate) => Self::NotADuplicate,
            SendOutcome::Throttled { retry_after_ms } => Self::Throttled(retry_after_ms),
            SendOutcome::Overloaded => Self::Overloaded,
            SendOutcome::Unavailable => Self::Unavailable,
        }
    }
}

impl From<Sent> for SendOutcome {
    fn from(sent: Sent) -> Self {
        match sent {
            Sent::Stored(place) => Self::Appended(AppendOutcome::Stored(place.into())),
            Sent::Duplicate(place) => Self::Appended(AppendOutcome::Duplicate(place.into())),
            Sent::DeniedSession => Self::Appended(AppendOutcome::Denied(Denied::Session)),
            Sent::DeniedNotFound => Self::Appended(AppendOutcome::Denied(Denied::NotFound)),
            Sent::DeniedNotMember => Self::Appended(AppendOutcome::Denied(Denied::NotMember)),
            Sent::UnknownReplyTo => Self::Appended(AppendOutcome::UnknownReplyTo),
            Sent::NotADuplicate => Self::Appended(AppendOutcome::NotADuplicate),
            Sent::Throttled(retry_after_ms) => Self::Throttled { retry_after_ms },
            Sent::Overloaded => Self::Overloaded,
            Sent::Unavailable => Self::Unavailable,
        }
    }
}

#[cfg(test)]
mod tests {
    use colloquy_fuzz::{Rng, Target, for_all, hostile_text};
    use colloquy_proto::domain::ConversationId;

    use super::*;

    /// As it is after its way from a Worker to an object.
    fn carried<T: Serialize + DeserializeOwned>(value: &T) -> T {
        let text = serde_json::to_string(value).expect("JSON");
        serde_json::from_str(&text).expect("what was written")
    }

    fn some_caller(random: &mut Rng) -> Caller {
        Caller {
            user_id: UserId(random.i64(..)),
            session_id: SessionId(hostile_text(random).into()),
            expires_at: Timestamp(random.i64(..)),
        }
    }

    #[test]
    fn grants_arrive_as_they_were_made() {
        for_all("grants_arrive_as_they_were_made", 2_000, |random| {
            let grant = SocketGrant {
                caller: some_caller(random),
                conversation_id: ConversationId(random.i64(..)),
                admission: Admission {
                    position: Position {
                        epoch: Epoch(hostile_text(random).into()),
                        seq: Seq(random.i64(..)),
                        number: MessageNumber(random.i64(..)),
                    },
                    last_removal_seq: Seq(random.i64(..)),
                },
                v2: random.bool(),
            };
            let connection = NewConnection::from(carried(&Grant::from(&grant)));
            assert_eq!(connection.caller, grant.caller);
            assert_eq!(connection.admission, grant.admission);
            assert_eq!(connection.v2, grant.v2);
        });
    }

    fn some_send(random: &mut Rng) -> SendCommand {
        let id: String = (0..random.usize(1..9))
            .map(|_| random.char('!'..='~'))
            .collect();
        let text = format!("{}.", hostile_text(random).replace('\0', ""));
        SendCommand {
            client_message_id: random
                .bool()
                .then(|| ClientMessageId::new(id).expect("printable")),
            message: MessageText::new(text)
                .unwrap_or_else(|_| MessageText::new(".").expect("a text")),
            reply_to: random.bool().then(|| MessageId(random.i64(..))),
            mentions: (0..random.usize(0..4))
                .map(|_| UserId(random.i64(..)))
                .collect(),
        }
    }

    fn some_outcome(random: &mut Rng) -> SendOutcome {
        let stored = StoredMessage {
            message_id: MessageId(random.i64(..)),
            seq: Seq(random.i64(..)),
            number: MessageNumber(random.i64(..)),
            timestamp: Timestamp(random.i64(..)),
            sender: hostile_text(random).into(),
        };
        SendOutcome::Appended(match random.u8(0..10) {
            0 => AppendOutcome::Stored(stored),
            1 => AppendOutcome::Duplicate(stored),
            2 => AppendOutcome::Denied(Denied::Session),
            3 => AppendOutcome::Denied(Denied::NotFound),
            4 => AppendOutcome::Denied(Denied::NotMember),
            5 => AppendOutcome::UnknownReplyTo,
            6 => AppendOutcome::NotADuplicate,
            7 => {
                let retry_after_ms = random.i64(..);
                return SendOutcome::Throttled { retry_after_ms };
            }
            8 => return SendOutcome::Overloaded,
            _ => return SendOutcome::Unavailable,
        })
    }

    #[test]
    fn sends_and_their_outcomes_arrive_as_they_were_made() {
        for_all(
            "sends_and_their_outcomes_arrive_as_they_were_made",
            2_000,
            |random| {
                let (caller, send) = (some_caller(random), some_send(random));
                let arrived = carried(&Send::new(&caller, send.clone()));
                assert_eq!(
                    (arrived.user_id, &arrived.session_id),
                    (caller.user_id, &caller.session_id)
                );
                assert_eq!(arrived.command(), Some(send));
                let outcome = some_outcome(random);
                assert_eq!(
                    SendOutcome::from(carried(&Sent::from(outcome.clone()))),
                    outcome
                );
            },
        );
    }

    /// A Worker and its objects may be of different versions for a while.
    #[test]
    fn internal_calls() {
        let target = Target {
            name: "internal_calls",
            corpus: include_str!("corpus/internal_calls.txt"),
            words: &[
                "user_id",
                "session_id",
                "v2",
                "epoch",
                "Stored",
                "Throttled",
                "until",
                "null",
            ],
            cases: 20_000,
        };
        target.run(|input| {
            if let Ok(grant) = serde_json::from_slice::<Grant>(input) {
                let (ends, v2) = (grant.expires_at(), grant.v2);
                let connection = NewConnection::from(carried(&grant));
                assert_eq!((connection.caller.expires_at, connection.v2), (ends, v2));
            }
            if let Ok(send) = serde_json::from_slice::<Send>(input) {
                let again = carried(&send).command();
                assert_eq!(send.command(), again);
            }
            if let Ok(sent) = serde_json::from_slice::<Sent>(input) {
                let again = SendOutcome::from(carried(&sent));
                assert_eq!(SendOutcome::from(sent), again);
            }
            if let Ok(enter) = serde_json::from_slice::<Enter>(input) {
                assert_eq!(carried(&enter).until, enter.until);
            }
        });
    }
}
