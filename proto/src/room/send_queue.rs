//! The queue of sends: waiting and in flight.
//!
//! One commit is in flight at a time. Sends that arrive in the meantime form the next one (group
//! commit), so messages are stored in the order of arrival and a busy Room pays one round trip per
//! batch. A duplicate of a queued send is attached to it and gets its outcome (coalescing).

use std::collections::VecDeque;

use super::input::{ConnectionId, RequestId};
use crate::domain::{ClientMessageId, NewMessage, UserId};

/// The most sends waiting in one Room. A host stops reading sockets at half of this.
pub(super) const MAX_WAITING: usize = 2_048;

/// The most sends of one commit.
const MAX_BATCH: usize = 256;

/// The most duplicates attached to one send; further ones are rejected.
const MAX_DUPLICATES: usize = 32;

/// The source of a send, which receives its outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReplyTo {
    Connection(ConnectionId),
    Request(RequestId),
}

#[derive(Debug)]
pub(super) struct QueuedSend {
    pub(super) message: NewMessage,
    pub(super) reply_to: ReplyTo,
    /// The sources of duplicates that arrived before the send was stored.
    pub(super) duplicates: Vec<ReplyTo>,
}

/// The result of [`SendQueue::attach_duplicate`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AttachOutcome {
    /// No queued send has this id.
    NotFound,
    /// The duplicate gets the outcome of the queued send.
    Attached,
    /// The queued send has the maximum number of duplicates.
    LimitReached,
}

#[derive(Debug, Default)]
pub(super) struct SendQueue {
    waiting: VecDeque<QueuedSend>,
    in_flight: Option<Vec<QueuedSend>>,
}

impl SendQueue {
    /// Attaches a duplicate to the send with the same id that is waiting or in flight.
    pub(super) fn attach_duplicate(
        &mut self,
        user_id: UserId,
        client_message_id: &ClientMessageId,
        reply_to: ReplyTo,
    ) -> AttachOutcome {
        let mut all = self.in_flight.iter_mut().flatten().chain(&mut self.waiting);
        let original = all.find(|queued| {
            queued.message.sender_id == user_id
                && queued.message.client_message_id.as_ref() == Some(client_message_id)
        });
        let Some(original) = original else {
            return AttachOutcome::NotFound;
        };
        if original.duplicates.len() >= MAX_DUPLICATES {
            return AttachOutcome::LimitReached;
        }
        original.duplicates.push(reply_to);
        AttachOutcome::Attached
    }

    pub(super) fn push(&mut self, message: NewMessage, reply_to: ReplyTo) {
        self.waiting.push_back(QueuedSend {
            message,
            reply_to,
            duplicates: Vec::new(),
        });
    }

    /// Starts the next commit, if none is in flight and the queue is not empty.
    pub(super) fn take_batch(&mut self) -> Option<Vec<NewMessage>> {
        if self.in_flight.is_some() || self.waiting.is_empty() {
            return None;
        }
        let count = self.waiting.len().min(MAX_BATCH);
        let batch: Vec<QueuedSend> = self.waiting.drain(..count).collect();
        let messages = batch.iter().map(|queued| queued.message.clone()).collect();
        self.in_flight = Some(batch);
        Some(messages)
    }

    /// Ends the commit in flight and returns its sends.
    pub(super) fn finish_batch(&mut self) -> Vec<QueuedSend> {
        self.in_flight.take().unwrap_or_default()
    }

    pub(super) const fn is_committing(&self) -> bool {
        self.in_flight.is_some()
    }

    pub(super) fn in_flight_len(&self) -> usize {
        self.in_flight.as_ref().map_or(0, Vec::len)
    }

    pub(super) fn waiting_len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether no send is waiting or in flight.
    pub(super) fn is_empty(&self) -> bool {
        self.in_flight.is_none() && self.waiting.is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        self.waiting.len() >= MAX_WAITING
    }
}
