//! From a text frame to commands: parsing, dispatch, token renewal and error replies.
//!
//! To add a command: its variant in [`Command`], an arm in `execute`, a line in
//! `docs/protocol.md`. Sends continue in `sends.rs`, resumes in `resume.rs`.

use super::send_queue::ReplyTo;
use super::{ConnectionId, Effect, Effects, Room, TokenRejected};
use crate::domain::{Caller, ClientMessageId, Seq, Timestamp};
use crate::protocol::{
    AuthOk, CloseCode, Command, ErrorCode, ErrorReply, PING, PONG, ParseError, ParsedFrame, parse,
};

/// An error reply before it is encoded for the protocol version of the connection.
pub(super) struct CommandError {
    code: ErrorCode,
    text: String,
    client_message_id: Option<ClientMessageId>,
    pub(super) retry_after_ms: Option<i64>,
}

impl CommandError {
    pub(super) fn new(
        code: ErrorCode,
        text: impl Into<String>,
        client_message_id: Option<ClientMessageId>,
    ) -> Self {
        Self {
            code,
            text: text.into(),
            client_message_id,
            retry_after_ms: None,
        }
    }
}

impl From<ParseError> for CommandError {
    fn from(error: ParseError) -> Self {
        let code = match error {
            ParseError::NotAnObject | ParseError::NoCommands | ParseError::Field { .. } => {
                ErrorCode::Malformed
            }
            ParseError::TooManyCommands
            | ParseError::Value { .. }
            | ParseError::TooManyMentions { .. } => ErrorCode::Invalid,
            ParseError::UnknownType => ErrorCode::UnknownType,
        };
        Self::new(code, error.to_string(), error.client_message_id().cloned())
    }
}

impl Room {
    pub(super) fn receive_frame(
        &mut self,
        id: ConnectionId,
        text: &str,
        now: Timestamp,
        effects: &mut Effects,
    ) {
        let Some(connection) = self.connections.get(id) else {
            return;
        };
        if connection.last_heartbeat().is_some() {
            self.connections.record_heartbeat(id, now);
        }
        if text == PING {
            self.execute(id, Ok(Command::Ping), now, effects);
            return;
        }
        match parse(text) {
            Err(error) => self.execute(id, Err(error), now, effects),
            Ok(ParsedFrame::V1(_)) if self.connections.is_v2(id) => {
                let text = "The field 'type' is missing or has the wrong type.";
                let error = CommandError::new(ErrorCode::Malformed, text, None);
                self.send_error(id, error, now, effects);
            }
            Ok(ParsedFrame::V1(send)) => self.execute(id, send.map(Command::Send), now, effects),
            Ok(ParsedFrame::V2(commands)) => {
                if self.connections.upgrade_to_v2(id) {
                    // `hello` has the head; from there the client can resume what it lacks.
                    self.skip_to_head(id);
                    self.send_hello(id, now, effects);
                }
                for command in commands {
                    self.execute(id, command, now, effects);
                }
            }
        }
    }

    fn execute(
        &mut self,
        id: ConnectionId,
        command: Result<Command, ParseError>,
        now: Timestamp,
        effects: &mut Effects,
    ) {
        // An earlier command of the same frame may have closed the connection.
        let is_throttled = self.throttle_ms > 0;
        let Some(connection) = self.connections.get_mut(id) else {
            return;
        };
        let counted = connection.frame_rate.count(&command, is_throttled, now);
        if counted.is_err() {
            self.close(id, CloseCode::Flooding, effects);
            return;
        }
        match command {
            Err(error) => self.send_error(id, error.into(), now, effects),
            Ok(Command::Ping) => effects.reply(id, PONG.into()),
            Ok(Command::Auth { token }) => effects.push(Effect::Authenticate { id, token }),
            Ok(Command::Resume { since, .. }) if since < Seq(0) => {
                let text = "since: a position is 0 or greater.";
                let error = CommandError::new(ErrorCode::Invalid, text, None);
                self.send_error(id, error, now, effects);
            }
            Ok(Command::Resume { since, epoch }) => {
                self.resume_within_budget(id, since, epoch.as_ref(), now, effects);
            }
            Ok(Command::Send(send)) => {
                let sender = (connection.user_id, connection.session_id.clone());
                self.send(sender, send, ReplyTo::Connection(id), now, effects);
            }
        }
    }

    /// Applies a renewed token, if it belongs to the session of the connection.
    pub(super) fn authenticated(
        &mut self,
        id: ConnectionId,
        result: Result<Caller, TokenRejected>,
        now: Timestamp,
        effects: &mut Effects,
    ) {
        let Some(connection) = self.connections.get(id) else {
            return;
        };
        match result {
            Err(TokenRejected::Expired) => {
                let text = "The token has expired.";
                let error = CommandError::new(ErrorCode::TokenExpired, text, None);
                self.send_error(id, error, now, effects);
            }
            Ok(caller)
                if caller.user_id == connection.user_id
                    && caller.session_id == connection.session_id =>
            {
                let token_expires_at = caller.expires_at;
                self.connections.extend_expiry(id, token_expires_at);
                let renewed = AuthOk {
                    token_expires_at,
                    server_time: now,
                };
                effects.reply(id, renewed.encode());
            }
            // The token of another session would keep the connection open after the revocation of
            // its own session.
            Ok(_) | Err(TokenRejected::Invalid) => {
                self.close(id, CloseCode::TokenInvalid, effects);
            }
        }
    }

    /// Sends an error reply, or closes a connection that exceeds the error limit.
    pub(super) fn send_error(
        &mut self,
        id: ConnectionId,
        error: CommandError,
        now: Timestamp,
        effects: &mut Effects,
    ) {
        let Some(connection) = self.connections.get_mut(id) else {
            return;
        };
        if connection.frame_rate.count_error(now).is_err() {
            self.close(id, CloseCode::Flooding, effects);
            return;
        }
        let reply = ErrorReply {
            kind: connection.is_v2().then_some("error"),
            error: error.text,
            code: error.code,
            client_message_id: error.client_message_id,
            retryable: error.code.retryable(),
            retry_after_ms: error.retry_after_ms,
        };
        effects.reply(id, reply.encode());
    }
}
