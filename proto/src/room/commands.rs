//! What a client's frame leads to.

use super::connection::Mode;
use super::send_queue::{Origin, Pending, Repeat};
use super::{ConnectionId, Effect, Effects, Room, TokenRejected};
use crate::domain::{
    AppendOutcome, Caller, ClientMessageId, Denied, NewMessage, SendOutcome, Seq, SessionId,
    StoredMessage, Timestamp, UserId,
};
use crate::protocol::{
    Ack, AuthOk, CloseCode, Command, ErrorCode, ErrorReply, PING, PONG, ParseError, ParsedFrame,
    SendCommand, THROTTLED_TEXT, parse,
};

/// Why a command was refused, before it is put into words.
struct Refusal {
    code: ErrorCode,
    text: String,
    client_message_id: Option<ClientMessageId>,
    retry_after_ms: Option<i64>,
}

impl Refusal {
    fn new(code: ErrorCode, text: impl Into<String>, id: Option<ClientMessageId>) -> Self {
        Self {
            code,
            text: text.into(),
            client_message_id: id,
            retry_after_ms: None,
        }
    }
}

impl From<ParseError> for Refusal {
    fn from(error: ParseError) -> Self {
        let code = match error {
            ParseError::NotAnObject | ParseError::Field { .. } => ErrorCode::Malformed,
            ParseError::TooManyCommands
            | ParseError::Value { .. }
            | ParseError::TooManyMentions { .. } => ErrorCode::Invalid,
            ParseError::UnknownType => ErrorCode::UnknownType,
        };
        Self::new(code, error.to_string(), error.client_message_id().cloned())
    }
}

impl Room {
    pub(super) fn text(&mut self, id: ConnectionId, text: &str, now: Timestamp, fx: &mut Effects) {
        let Some(connection) = self.connections.get(id) else {
            return;
        };
        if connection.heard().is_some() {
            self.connections.heard(id, now);
        }
        if text == PING {
            fx.reply(id, PONG.into());
            return;
        }
        match parse(text) {
            Err(error) => self.refuse(id, error.into(), now, fx),
            Ok(ParsedFrame::V1(send)) => {
                // A v2 socket may leave the type out no more than a v1 socket may put one in.
                if self.connections.get(id).is_some_and(|c| c.mode == Mode::V2) {
                    let refusal = Refusal::new(
                        ErrorCode::Malformed,
                        "The field 'type' is missing or has the wrong type.",
                        None,
                    );
                    self.refuse(id, refusal, now, fx);
                } else {
                    self.command(id, send.map(Command::Send), now, fx);
                }
            }
            Ok(ParsedFrame::V2(commands)) => {
                if self.connections.become_v2(id) {
                    // It is told where it stands; from there it can ask for what it lacks.
                    self.skip_to_head(id);
                    self.greet(id, fx);
                }
                for command in commands {
                    self.command(id, command, now, fx);
                }
            }
        }
    }

    fn command(
        &mut self,
        id: ConnectionId,
        command: Result<Command, ParseError>,
        now: Timestamp,
        fx: &mut Effects,
    ) {
        // An earlier command of the same frame may have closed the connection.
        let Some(connection) = self.connections.get(id) else {
            return;
        };
        match command {
            Err(error) => self.refuse(id, error.into(), now, fx),
            Ok(Command::Ping) => fx.reply(id, PONG.into()),
            Ok(Command::Auth { token }) => fx.push(Effect::Authenticate { id, token }),
            Ok(Command::Resume { since, .. }) if since < Seq(0) => {
                let text = "since: a position is 0 or greater.";
                self.refuse(id, Refusal::new(ErrorCode::Invalid, text, None), now, fx);
            }
            Ok(Command::Resume { since, epoch }) => self.resume(id, since, epoch.as_ref(), fx),
            Ok(Command::Send(send)) => {
                let who = (connection.user_id, connection.session_id.clone());
                self.send(who, send, Origin::Connection(id), now, fx);
            }
        }
    }

    /// Takes a send into the queue, or answers it at once.
    pub(super) fn send(
        &mut self,
        (user, session_id): (UserId, SessionId),
        send: SendCommand,
        origin: Origin,
        now: Timestamp,
        fx: &mut Effects,
    ) {
        let id = send.client_message_id.clone();
        if let Some(id) = &id {
            if let Some(stored) = self.send_queue.known(user, id).cloned() {
                self.answer(
                    origin,
                    Some(id),
                    &SendOutcome::Appended(AppendOutcome::Duplicate(stored)),
                    now,
                    fx,
                );
                return;
            }
            match self.send_queue.join_repeat(user, id, origin) {
                Repeat::None => {}
                Repeat::Joined => return,
                Repeat::TooMany => {
                    self.answer(origin, Some(id), &SendOutcome::Overloaded, now, fx);
                    return;
                }
            }
        }
        let mut dedup_only = false;
        let refused = if self.closing {
            Some(SendOutcome::Unavailable)
        } else if self.send_queue.is_full() {
            Some(SendOutcome::Overloaded)
        } else {
            let left = self.throttle.take(user, now).err();
            // It may repeat what was stored before this Room can remember: the database knows.
            dedup_only = left.is_some() && id.is_some() && self.throttle.may_ask(user);
            left.filter(|_| !dedup_only)
                .map(|retry_after_ms| SendOutcome::Throttled { retry_after_ms })
        };
        if let Some(outcome) = refused {
            self.answer(origin, id.as_ref(), &outcome, now, fx);
            return;
        }
        let append = NewMessage {
            conversation_id: self.conversation_id,
            sender_id: user,
            session_id,
            client_message_id: id,
            message: send.message,
            reply_to: send.reply_to,
            mentions: send.mentions,
            dedup_only,
            now,
        };
        self.send_queue.push(append, origin);
    }

    /// Tells everyone who asked for a send what became of it.
    pub(super) fn settle(
        &mut self,
        sent: Pending,
        outcome: SendOutcome,
        now: Timestamp,
        fx: &mut Effects,
    ) {
        let Pending {
            append,
            origin,
            repeats,
        } = sent;
        let id = append.client_message_id;
        let (user, taken) = (append.sender_id, append.now);
        self.touch_sender(user, origin);
        if !append.dedup_only
            && !matches!(&outcome, SendOutcome::Appended(AppendOutcome::Stored(_)))
        {
            // Only what is stored anew costs throttle.
            self.throttle.give_back(user, taken);
            // Any of the user's connections may have been kept with it meanwhile.
            self.connections.touch_where(|c| c.user_id == user);
        }
        let mut outcome = outcome;
        let mut others = outcome.clone();
        match &outcome {
            SendOutcome::Appended(
                AppendOutcome::Stored(stored) | AppendOutcome::Duplicate(stored),
            ) => {
                if let Some(id) = &id {
                    self.send_queue.remember(user, id.clone(), stored.clone());
                }
                others = SendOutcome::Appended(AppendOutcome::Duplicate(stored.clone()));
            }
            SendOutcome::Appended(AppendOutcome::NotADuplicate) => {
                let retry_after_ms = self.throttle.left(user, now).unwrap_or(1);
                outcome = SendOutcome::Throttled { retry_after_ms };
                others = outcome.clone();
            }
            // A refusal is about who asked, when it asked: by another login, or after coming back,
            // the answer may be another. Whoever repeated it is to ask for itself.
            SendOutcome::Appended(AppendOutcome::Denied(_)) => {
                others = SendOutcome::Unavailable;
            }
            _ => {}
        }
        self.answer(origin, id.as_ref(), &outcome, now, fx);
        for origin in repeats {
            self.answer(origin, id.as_ref(), &others, now, fx);
        }
    }

    fn answer(
        &mut self,
        origin: Origin,
        id: Option<&ClientMessageId>,
        outcome: &SendOutcome,
        now: Timestamp,
        fx: &mut Effects,
    ) {
        let connection = match origin {
            Origin::RequestId(request_id) => {
                fx.push(Effect::CompleteRequest {
                    request_id,
                    outcome: outcome.clone(),
                });
                return;
            }
            Origin::Connection(connection) => connection,
        };
        let refusal = match outcome {
            SendOutcome::Appended(AppendOutcome::Stored(stored)) => {
                self.acknowledge(connection, id, stored, false, fx);
                return;
            }
            SendOutcome::Appended(AppendOutcome::Duplicate(stored)) => {
                self.acknowledge(connection, id, stored, true, fx);
                return;
            }
            SendOutcome::Appended(AppendOutcome::Denied(denied)) => {
                self.close(connection, close_for(*denied), fx);
                return;
            }
            SendOutcome::Appended(AppendOutcome::UnknownReplyTo) => (
                "reply_to: there is no such message in this conversation.",
                ErrorCode::Invalid,
            ),
            SendOutcome::Throttled { .. } | SendOutcome::Appended(AppendOutcome::NotADuplicate) => {
                (THROTTLED_TEXT, ErrorCode::Throttled)
            }
            SendOutcome::Overloaded => (
                "The conversation is too busy. Please send again.",
                ErrorCode::Overloaded,
            ),
            SendOutcome::Unavailable => (
                "The message could not be stored. Please send again.",
                ErrorCode::Unavailable,
            ),
        };
        let mut refusal = Refusal::new(refusal.1, refusal.0, id.cloned());
        refusal.retry_after_ms = match outcome {
            SendOutcome::Throttled { retry_after_ms } => Some(*retry_after_ms),
            SendOutcome::Overloaded | SendOutcome::Unavailable => Some(1_000),
            SendOutcome::Appended(_) => None,
        };
        self.refuse(connection, refusal, now, fx);
    }

    /// v1 sockets know no `ack`: there the broadcast is the acknowledgement.
    fn acknowledge(
        &self,
        connection: ConnectionId,
        id: Option<&ClientMessageId>,
        stored: &StoredMessage,
        duplicate: bool,
        fx: &mut Effects,
    ) {
        let is_v2 = self
            .connections
            .get(connection)
            .is_some_and(|c| c.mode == Mode::V2);
        let (true, Some(id)) = (is_v2, id) else {
            return;
        };
        let ack = Ack {
            client_message_id: id.clone(),
            message_id: stored.message_id,
            seq: stored.seq,
            number: stored.number,
            timestamp: stored.timestamp,
            duplicate,
        };
        fx.reply(connection, ack.encode());
    }

    /// SendQueue an error, and closes a connection that collects too many.
    fn refuse(&mut self, id: ConnectionId, refusal: Refusal, now: Timestamp, fx: &mut Effects) {
        let Some(connection) = self.connections.get_mut(id) else {
            return;
        };
        if connection.refuse(now) {
            self.close(id, CloseCode::Flooding, fx);
            return;
        }
        let reply = ErrorReply {
            kind: (connection.mode == Mode::V2).then_some("error"),
            error: refusal.text,
            code: refusal.code,
            client_message_id: refusal.client_message_id,
            retryable: refusal.code.retryable(),
            retry_after_ms: refusal.retry_after_ms,
        };
        fx.reply(id, reply.encode());
    }

    pub(super) fn authenticated(
        &mut self,
        id: ConnectionId,
        result: Result<Caller, TokenRejected>,
        now: Timestamp,
        fx: &mut Effects,
    ) {
        let Some(connection) = self.connections.get(id) else {
            return;
        };
        match result {
            Err(TokenRejected::Expired) => {
                let text = "The token has expired.";
                self.refuse(
                    id,
                    Refusal::new(ErrorCode::TokenExpired, text, None),
                    now,
                    fx,
                );
            }
            Ok(caller)
                if caller.user_id == connection.user_id
                    && caller.session_id == connection.session_id =>
            {
                self.connections.extend(id, caller.expires_at);
                fx.reply(
                    id,
                    AuthOk {
                        token_expires_at: caller.expires_at,
                    }
                    .encode(),
                );
            }
            // Another user's or login's token would let a revoked login listen on.
            Ok(_) | Err(TokenRejected::Invalid) => self.close(id, CloseCode::TokenInvalid, fx),
        }
    }
}

const fn close_for(denied: Denied) -> CloseCode {
    match denied {
        Denied::Session => CloseCode::TokenInvalid,
        Denied::NotFound => CloseCode::NoSuchConversation,
        Denied::NotMember => CloseCode::NotMember,
    }
}
