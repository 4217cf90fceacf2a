//! A send, from the accepted command to the reply: duplicates, throttle, queue, outcome.

use super::commands::CommandError;
use super::send_queue::{AttachOutcome, QueuedSend, ReplyTo};
use super::{ConnectionId, Effect, Effects, Room};
use crate::domain::{
    AppendOutcome, ClientMessageId, Denied, NewMessage, SendOutcome, SessionId, StoredMessage,
    Timestamp, UserId,
};
use crate::protocol::{Ack, CloseCode, ErrorCode, SendCommand, THROTTLED_TEXT};

/// When a client should repeat a send that the Room or the database could not take.
const RETRY_AFTER_MS: i64 = 1_000;

impl Room {
    /// Queues a send, or replies at once.
    pub(super) fn send(
        &mut self,
        (user_id, session_id): (UserId, SessionId),
        send: SendCommand,
        reply_to: ReplyTo,
        now: Timestamp,
        effects: &mut Effects,
    ) {
        let id = send.client_message_id;
        if let Some(id) = &id
            && self.coalesce_duplicate(user_id, id, reply_to, now, effects)
        {
            return;
        }
        let dedup_only = match self.check_limits(user_id, id.is_some(), now) {
            Ok(dedup_only) => dedup_only,
            Err(outcome) => {
                self.reply_outcome(reply_to, id.as_ref(), &outcome, now, effects);
                return;
            }
        };
        let message = NewMessage {
            conversation_id: self.conversation_id,
            sender_id: user_id,
            session_id,
            client_message_id: id,
            message: send.message,
            reply_to: send.reply_to,
            mentions: send.mentions,
            dedup_only,
            now,
        };
        self.send_queue.push(message, reply_to);
    }

    /// Replies to a duplicate of a stored send, or attaches a duplicate of a queued send to it.
    /// False when the send is neither.
    fn coalesce_duplicate(
        &mut self,
        user_id: UserId,
        id: &ClientMessageId,
        reply_to: ReplyTo,
        now: Timestamp,
        effects: &mut Effects,
    ) -> bool {
        let outcome = if let Some(stored) = self.recent_sends.get(user_id, id) {
            SendOutcome::Appended(AppendOutcome::Duplicate(stored.clone()))
        } else {
            match self.send_queue.attach_duplicate(user_id, id, reply_to) {
                AttachOutcome::NotFound => return false,
                AttachOutcome::Attached => return true,
                AttachOutcome::LimitReached => SendOutcome::Overloaded,
            }
        };
        self.reply_outcome(reply_to, Some(id), &outcome, now, effects);
        true
    }

    /// Checks shutdown, queue bound and throttle, and returns `dedup_only`: true when the throttle
    /// permits no new message, but the send may be a duplicate that is older than the dedup window.
    fn check_limits(
        &mut self,
        user_id: UserId,
        has_id: bool,
        now: Timestamp,
    ) -> Result<bool, SendOutcome> {
        if self.closing {
            return Err(SendOutcome::Unavailable);
        }
        if self.send_queue.is_full() {
            return Err(SendOutcome::Overloaded);
        }
        match self.throttle.try_acquire(user_id, now) {
            Ok(()) => Ok(false),
            Err(_) if has_id && self.throttle.try_duplicate_check(user_id) => Ok(true),
            Err(retry_after_ms) => Err(SendOutcome::Throttled { retry_after_ms }),
        }
    }

    /// Sends the outcome of a commit to the source of a send and of each of its duplicates.
    pub(super) fn complete_send(
        &mut self,
        send: QueuedSend,
        outcome: SendOutcome,
        now: Timestamp,
        effects: &mut Effects,
    ) {
        let QueuedSend {
            message,
            reply_to,
            duplicates,
        } = send;
        let id = message.client_message_id;
        let (user_id, queued_at) = (message.sender_id, message.now);
        self.mark_sender_dirty(user_id, reply_to);
        if !message.dedup_only && !is_newly_stored(&outcome) {
            // Only a newly stored message counts against the throttle. Any connection of the user
            // may have a snapshot with the period that ends here.
            self.throttle.refund(user_id, queued_at);
            self.connections.mark_dirty_where(|c| c.user_id == user_id);
        }
        if let (Some(id), Some(stored)) = (&id, stored_message(&outcome)) {
            // A duplicate is acknowledged without its mentions.
            let mentions = Vec::new();
            let stored = StoredMessage {
                sender: stored.sender.clone(),
                mentions,
                ..*stored
            };
            self.recent_sends.insert(user_id, id.clone(), stored);
        }
        let outcome = match outcome {
            SendOutcome::Appended(AppendOutcome::NotADuplicate) => SendOutcome::Throttled {
                retry_after_ms: self.throttle.remaining_ms(user_id, now).unwrap_or(1),
            },
            outcome => outcome,
        };
        self.reply_outcome(reply_to, id.as_ref(), &outcome, now, effects);
        let outcome = outcome_of_duplicates(outcome);
        for duplicate in duplicates {
            self.reply_outcome(duplicate, id.as_ref(), &outcome, now, effects);
        }
    }

    fn reply_outcome(
        &mut self,
        reply_to: ReplyTo,
        client_message_id: Option<&ClientMessageId>,
        outcome: &SendOutcome,
        now: Timestamp,
        effects: &mut Effects,
    ) {
        let id = match reply_to {
            ReplyTo::Connection(id) => id,
            ReplyTo::Request(request_id) => {
                let outcome = outcome.clone();
                effects.push(Effect::CompleteRequest {
                    request_id,
                    outcome,
                });
                return;
            }
        };
        let (code, text, retry_after_ms) = match outcome {
            SendOutcome::Appended(outcome) => {
                self.reply_append_outcome(id, client_message_id, outcome, now, effects);
                return;
            }
            SendOutcome::Throttled { retry_after_ms } => {
                (ErrorCode::Throttled, THROTTLED_TEXT, *retry_after_ms)
            }
            SendOutcome::Overloaded => {
                let text = "The conversation is too busy. Please send again.";
                (ErrorCode::Overloaded, text, RETRY_AFTER_MS)
            }
            SendOutcome::Unavailable => {
                let text = "The message could not be stored. Please send again.";
                (ErrorCode::Unavailable, text, RETRY_AFTER_MS)
            }
        };
        let mut error = CommandError::new(code, text, client_message_id.cloned());
        error.retry_after_ms = Some(retry_after_ms);
        self.send_error(id, error, now, effects);
    }

    fn reply_append_outcome(
        &mut self,
        id: ConnectionId,
        client_message_id: Option<&ClientMessageId>,
        outcome: &AppendOutcome,
        now: Timestamp,
        effects: &mut Effects,
    ) {
        let (code, text) = match outcome {
            AppendOutcome::Stored(stored) => {
                self.acknowledge(id, client_message_id, stored, false, effects);
                return;
            }
            AppendOutcome::Duplicate(stored) => {
                self.acknowledge(id, client_message_id, stored, true, effects);
                return;
            }
            AppendOutcome::Denied(denied) => {
                self.close(id, close_code(*denied), effects);
                return;
            }
            AppendOutcome::UnknownReplyTo => {
                let text = "reply_to: there is no such message in this conversation.";
                (ErrorCode::Invalid, text)
            }
            AppendOutcome::NotADuplicate => (ErrorCode::Throttled, THROTTLED_TEXT),
        };
        let error = CommandError::new(code, text, client_message_id.cloned());
        self.send_error(id, error, now, effects);
    }

    /// Sends an `ack`. Protocol v1 has none: there the broadcast is the acknowledgement.
    fn acknowledge(
        &self,
        id: ConnectionId,
        client_message_id: Option<&ClientMessageId>,
        stored: &StoredMessage,
        duplicate: bool,
        effects: &mut Effects,
    ) {
        let (true, Some(client_message_id)) = (self.connections.is_v2(id), client_message_id)
        else {
            return;
        };
        let ack = Ack {
            client_message_id: client_message_id.clone(),
            message_id: stored.message_id,
            seq: stored.seq,
            number: stored.number,
            timestamp: stored.timestamp,
            duplicate,
        };
        effects.reply(id, ack.encode());
    }
}

const fn is_newly_stored(outcome: &SendOutcome) -> bool {
    matches!(outcome, SendOutcome::Appended(AppendOutcome::Stored(_)))
}

const fn stored_message(outcome: &SendOutcome) -> Option<&StoredMessage> {
    match outcome {
        SendOutcome::Appended(AppendOutcome::Stored(stored) | AppendOutcome::Duplicate(stored)) => {
            Some(stored)
        }
        _ => None,
    }
}

/// The outcome for duplicates of a send with this outcome.
fn outcome_of_duplicates(outcome: SendOutcome) -> SendOutcome {
    match outcome {
        SendOutcome::Appended(AppendOutcome::Stored(stored)) => {
            SendOutcome::Appended(AppendOutcome::Duplicate(stored))
        }
        // A denial applies to the session and membership of the original. Another session, or the
        // same user after being added again, may be permitted, so the duplicate has to be resent.
        SendOutcome::Appended(AppendOutcome::Denied(_)) => SendOutcome::Unavailable,
        outcome => outcome,
    }
}

const fn close_code(denied: Denied) -> CloseCode {
    match denied {
        Denied::Session => CloseCode::TokenInvalid,
        Denied::NotFound => CloseCode::NoSuchConversation,
        Denied::NotMember => CloseCode::NotMember,
    }
}
