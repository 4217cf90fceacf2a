//! The messages between the Worker and its Durable Objects, as JSON.
//!
//! Owns their conversion from and to the types of core and proto. During a deploy the two sides may
//! be of different versions, so the JSON stays compatible.

use std::sync::Arc;

use colloquy_core::ports::SocketGrant;
use colloquy_proto::domain::{
    Admission, AppendOutcome, Caller, ClientMessageId, ConversationId, Denied, Epoch, MessageId,
    MessageNumber, MessageText, Position, SendOutcome, Seq, SessionId, StoredMessage, Timestamp,
    UserId,
};
use colloquy_proto::protocol::SendCommand;
use colloquy_proto::room::NewConnection;
use serde::{Deserialize, Serialize};

/// An admitted socket, as it is sent to its Room's object.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct AdmissionDto {
    pub(crate) user_id: UserId,
    pub(crate) session_id: SessionId,
    expires_at: i64,
    pub(crate) v2: bool,
    epoch: Epoch,
    seq: Seq,
    number: MessageNumber,
    #[serde(rename = "left_seq")]
    last_removal_seq: Seq,
}

impl From<&SocketGrant> for AdmissionDto {
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

impl AdmissionDto {
    pub(crate) const fn expires_at(&self) -> Timestamp {
        Timestamp(self.expires_at)
    }
}

impl From<AdmissionDto> for NewConnection {
    fn from(dto: AdmissionDto) -> Self {
        Self {
            caller: Caller {
                user_id: dto.user_id,
                session_id: dto.session_id,
                expires_at: Timestamp(dto.expires_at),
            },
            admission: Admission {
                position: Position {
                    epoch: dto.epoch,
                    seq: dto.seq,
                    number: dto.number,
                },
                last_removal_seq: dto.last_removal_seq,
            },
            v2: dto.v2,
        }
    }
}

/// A session is about to have a socket in this conversation.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct RegisterSocket {
    pub(crate) conversation_id: ConversationId,
    /// The expiry of its token, in milliseconds.
    until: i64,
}

impl RegisterSocket {
    pub(crate) const fn new(conversation_id: ConversationId, until: Timestamp) -> Self {
        Self {
            conversation_id,
            until: until.0,
        }
    }

    pub(crate) const fn until(&self) -> Timestamp {
        Timestamp(self.until)
    }
}

/// Whether a socket may connect. Sent as `true`, `false` or `null`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Option<bool>", into = "Option<bool>")]
pub(crate) enum RegisterResponse {
    /// The session's object knows of it.
    Registered,
    /// The session is revoked.
    Revoked,
    /// The session has sockets in too many other conversations.
    TooManyRooms,
}

impl From<Option<bool>> for RegisterResponse {
    fn from(sent: Option<bool>) -> Self {
        match sent {
            Some(true) => Self::Registered,
            Some(false) => Self::Revoked,
            None => Self::TooManyRooms,
        }
    }
}

impl From<RegisterResponse> for Option<bool> {
    fn from(response: RegisterResponse) -> Self {
        match response {
            RegisterResponse::Registered => Some(true),
            RegisterResponse::Revoked => Some(false),
            RegisterResponse::TooManyRooms => None,
        }
    }
}

/// A REST send.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SendRequest {
    pub(crate) user_id: UserId,
    pub(crate) session_id: SessionId,
    client_message_id: Option<ClientMessageId>,
    message: Arc<str>,
    reply_to: Option<MessageId>,
    mentions: Vec<UserId>,
}

impl SendRequest {
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

    /// The command, validated again; `None` when it is invalid.
    pub(crate) fn command(self) -> Option<SendCommand> {
        Some(SendCommand {
            client_message_id: self.client_message_id,
            message: MessageText::new(self.message).ok()?,
            reply_to: self.reply_to,
            mentions: self.mentions,
        })
    }
}

/// A [`SendOutcome`] as it is sent.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum SendResponse {
    Stored(StoredDto),
    Duplicate(StoredDto),
    DeniedSession,
    DeniedNotFound,
    DeniedNotMember,
    UnknownReplyTo,
    NotADuplicate,
    Throttled(i64),
    Overloaded,
    Unavailable,
}

/// A [`StoredMessage`] as it is sent.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct StoredDto {
    message_id: MessageId,
    seq: Seq,
    number: MessageNumber,
    timestamp: i64,
    sender: Arc<str>,
    #[serde(default)]
    mentions: Vec<UserId>,
}

impl From<StoredMessage> for StoredDto {
    fn from(stored: StoredMessage) -> Self {
        Self {
            message_id: stored.message_id,
            seq: stored.seq,
            number: stored.number,
            timestamp: stored.timestamp.0,
            sender: stored.sender,
            mentions: stored.mentions,
        }
    }
}

impl From<StoredDto> for StoredMessage {
    fn from(dto: StoredDto) -> Self {
        Self {
            message_id: dto.message_id,
            seq: dto.seq,
            number: dto.number,
            timestamp: Timestamp(dto.timestamp),
            sender: dto.sender,
            mentions: dto.mentions,
        }
    }
}

impl From<SendOutcome> for SendResponse {
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

impl From<SendResponse> for SendOutcome {
    fn from(response: SendResponse) -> Self {
        match response {
            SendResponse::Stored(dto) => Self::Appended(AppendOutcome::Stored(dto.into())),
            SendResponse::Duplicate(dto) => Self::Appended(AppendOutcome::Duplicate(dto.into())),
            SendResponse::DeniedSession => Self::Appended(AppendOutcome::Denied(Denied::Session)),
            SendResponse::DeniedNotFound => Self::Appended(AppendOutcome::Denied(Denied::NotFound)),
            SendResponse::DeniedNotMember => {
                Self::Appended(AppendOutcome::Denied(Denied::NotMember))
            }
            SendResponse::UnknownReplyTo => Self::Appended(AppendOutcome::UnknownReplyTo),
            SendResponse::NotADuplicate => Self::Appended(AppendOutcome::NotADuplicate),
            SendResponse::Throttled(retry_after_ms) => Self::Throttled { retry_after_ms },
            SendResponse::Overloaded => Self::Overloaded,
            SendResponse::Unavailable => Self::Unavailable,
        }
    }
}

#[cfg(test)]
mod tests {
    use colloquy_fuzz::{Rng, Target, arbitrary_text, for_all};
    use serde::de::DeserializeOwned;

    use super::*;

    /// A value after it was encoded and decoded.
    fn round_trip<T: Serialize + DeserializeOwned>(value: &T) -> T {
        let text = serde_json::to_string(value).expect("JSON");
        serde_json::from_str(&text).expect("the JSON just written")
    }

    fn some_caller(random: &mut Rng) -> Caller {
        Caller {
            user_id: UserId(random.i64(..)),
            session_id: SessionId(arbitrary_text(random).into()),
            expires_at: Timestamp(random.i64(..)),
        }
    }

    #[test]
    fn admissions_round_trip() {
        for_all("admissions_round_trip", 2_000, |random| {
            let grant = SocketGrant {
                caller: some_caller(random),
                conversation_id: ConversationId(random.i64(..)),
                admission: Admission {
                    position: Position {
                        epoch: Epoch(arbitrary_text(random).into()),
                        seq: Seq(random.i64(..)),
                        number: MessageNumber(random.i64(..)),
                    },
                    last_removal_seq: Seq(random.i64(..)),
                },
                v2: random.bool(),
                address: None,
            };
            let connection = NewConnection::from(round_trip(&AdmissionDto::from(&grant)));
            assert_eq!(connection.caller, grant.caller);
            assert_eq!(connection.admission, grant.admission);
            assert_eq!(connection.v2, grant.v2);
        });
    }

    fn some_send(random: &mut Rng) -> SendCommand {
        let id: String = (0..random.usize(1..9))
            .map(|_| random.char('!'..='~'))
            .collect();
        let text = format!("{}.", arbitrary_text(random).replace('\0', ""));
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
            sender: arbitrary_text(random).into(),
            mentions: (0..random.usize(0..4))
                .map(|_| UserId(random.i64(..)))
                .collect(),
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
    fn sends_and_their_outcomes_round_trip() {
        for_all("sends_and_their_outcomes_round_trip", 2_000, |random| {
            let (caller, send) = (some_caller(random), some_send(random));
            let decoded = round_trip(&SendRequest::new(&caller, send.clone()));
            assert_eq!(
                (decoded.user_id, &decoded.session_id),
                (caller.user_id, &caller.session_id)
            );
            assert_eq!(decoded.command(), Some(send));
            let outcome = some_outcome(random);
            assert_eq!(
                SendOutcome::from(round_trip(&SendResponse::from(outcome.clone()))),
                outcome
            );
        });
    }

    #[test]
    fn answers_to_a_registration_keep_their_json() {
        for (response, json) in [
            (RegisterResponse::Registered, "true"),
            (RegisterResponse::Revoked, "false"),
            (RegisterResponse::TooManyRooms, "null"),
        ] {
            assert_eq!(serde_json::to_string(&response).expect("JSON"), json);
            assert_eq!(round_trip(&response), response);
        }
    }

    /// A Worker and its objects may be of different versions for a while.
    #[test]
    fn rpc_messages() {
        let target = Target {
            name: "rpc_messages",
            corpus: include_str!("corpus/rpc_messages.txt"),
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
            if let Ok(admission) = serde_json::from_slice::<AdmissionDto>(input) {
                let (expires_at, v2) = (admission.expires_at(), admission.v2);
                let connection = NewConnection::from(round_trip(&admission));
                assert_eq!(
                    (connection.caller.expires_at, connection.v2),
                    (expires_at, v2)
                );
            }
            if let Ok(send) = serde_json::from_slice::<SendRequest>(input) {
                let decoded = round_trip(&send).command();
                assert_eq!(send.command(), decoded);
            }
            if let Ok(response) = serde_json::from_slice::<SendResponse>(input) {
                let decoded = SendOutcome::from(round_trip(&response));
                assert_eq!(SendOutcome::from(response), decoded);
            }
            if let Ok(register) = serde_json::from_slice::<RegisterSocket>(input) {
                assert_eq!(round_trip(&register).until(), register.until());
            }
        });
    }
}
