//! One value of every frame, encoded by the types of proto.

use std::sync::Arc;

use colloquy_proto::domain::{
    ClientMessageId, ConversationId, Epoch, MessageId, MessageNumber, MessageText, Seq, TextError,
    Timestamp, UserId,
};
use colloquy_proto::protocol::{
    Ack, AuthExpiring, AuthOk, Command, DeletedEvent, EditedEvent, ErrorCode, ErrorReply, Event,
    Hello, Limits, MemberChange, MemberEvent, MessageEvent, Reset, ResetReason, SendCommand, Sync,
    THROTTLED_TEXT,
};

/// 2026-01-31T09:05:03.042Z
const STORED_AT: Timestamp = Timestamp(1_769_850_303_042);

/// The default throttle.
const THROTTLE_MS: i64 = 1_000;

fn minutes_later(minutes: i64) -> Timestamp {
    Timestamp(STORED_AT.0 + minutes * 60_000)
}

fn epoch() -> Epoch {
    Epoch("k3f9".into())
}

fn client_message_id() -> Result<ClientMessageId, TextError> {
    ClientMessageId::new("5b1c6d1e-8f0f-4b0e-9d57-0c6f3b6f1a11")
}

pub(crate) fn send() -> Result<Command, TextError> {
    Ok(Command::Send(SendCommand {
        client_message_id: Some(client_message_id()?),
        message: MessageText::new("Hello")?,
        reply_to: Some(MessageId(122)),
        mentions: vec![UserId(2)],
    }))
}

pub(crate) fn resume() -> Command {
    Command::Resume {
        since: Seq(842),
        epoch: Some(epoch()),
    }
}

pub(crate) fn auth() -> Command {
    Command::Auth {
        token: "eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl".into(),
    }
}

pub(crate) fn hello() -> Hello {
    Hello::new(
        ConversationId(7),
        epoch(),
        (Seq(843), MessageNumber(641)),
        UserId(1),
        (minutes_later(15), STORED_AT),
        Limits::with_throttle(THROTTLE_MS),
    )
}

pub(crate) fn ack() -> Result<Ack, TextError> {
    Ok(Ack {
        client_message_id: client_message_id()?,
        message_id: MessageId(123),
        seq: Seq(843),
        number: MessageNumber(641),
        timestamp: STORED_AT,
        duplicate: false,
    })
}

pub(crate) fn message() -> Result<Event, TextError> {
    Ok(Event::Message(MessageEvent {
        seq: Seq(843),
        number: MessageNumber(641),
        message_id: MessageId(123),
        message: "Hello".into(),
        sender_id: UserId(1),
        sender: username(),
        timestamp: STORED_AT,
        client_message_id: Some(client_message_id()?),
        reply_to: Some(MessageId(122)),
        mentions: vec![UserId(2)],
        version: 1,
    }))
}

pub(crate) fn edited() -> Event {
    Event::Edited(EditedEvent {
        seq: Seq(844),
        message_id: MessageId(123),
        message: "Hello, world".into(),
        version: 2,
        user_id: UserId(1),
        timestamp: minutes_later(1),
    })
}

pub(crate) fn deleted() -> Event {
    Event::Deleted(DeletedEvent {
        seq: Seq(845),
        message_id: MessageId(123),
        version: 3,
        user_id: UserId(1),
        timestamp: minutes_later(2),
    })
}

pub(crate) fn member() -> Event {
    Event::Member(MemberEvent {
        seq: Seq(846),
        user_id: UserId(1),
        username: username(),
        change: MemberChange::Added,
        by: UserId(2),
        timestamp: minutes_later(3),
    })
}

pub(crate) fn sync() -> Sync {
    Sync {
        from: Seq(842),
        to: Seq(846),
        count: 4,
        complete: true,
    }
}

pub(crate) fn reset() -> Reset {
    Reset {
        reason: ResetReason::TooOld,
        seq: Seq(1_843),
        epoch: epoch(),
    }
}

pub(crate) fn auth_expiring() -> AuthExpiring {
    AuthExpiring { in_s: 60 }
}

pub(crate) fn auth_ok() -> AuthOk {
    AuthOk {
        token_expires_at: minutes_later(29),
        server_time: minutes_later(14),
    }
}

/// An error as v2 sockets receive it, or as v1 sockets do.
pub(crate) fn error(is_v2: bool) -> Result<ErrorReply, TextError> {
    Ok(ErrorReply {
        kind: is_v2.then_some("error"),
        error: THROTTLED_TEXT.to_owned(),
        code: ErrorCode::Throttled,
        client_message_id: is_v2.then(client_message_id).transpose()?,
        retryable: ErrorCode::Throttled.retryable(),
        retry_after_ms: Some(740),
    })
}

fn username() -> Arc<str> {
    "johndoe".into()
}
