//! SendQueue on their way into the database: waiting, in flight, lately stored.
//!
//! One commit is in flight at a time; what arrives meanwhile goes out together as the next one
//! (group commit), so order is the order of arrival and a busy Room costs a round trip a batch.

use std::collections::{BTreeMap, VecDeque};

use super::input::{ConnectionId, RequestId};
use crate::domain::{ClientMessageId, NewMessage, StoredMessage, UserId};

/// The most sends waiting in one Room; a driver stops reading sockets well before.
pub(super) const MAX_PENDING: usize = 2_048;

/// The most sends of one commit.
const MAX_BATCH: usize = 256;

/// How many stored sends are remembered, so that a repeat is answered at once, throttled or not.
const MAX_KNOWN: usize = 128;

/// How many repeats of one send may wait with it; more are refused.
const MAX_REPEATS: usize = 32;

/// Who is to be told what became of a send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    Connection(ConnectionId),
    RequestId(RequestId),
}

#[derive(Debug)]
pub(super) struct Pending {
    pub(super) append: NewMessage,
    pub(super) origin: Origin,
    /// Repeats that arrived before the first was stored.
    pub(super) repeats: Vec<Origin>,
}

/// What a send is to those that are on their way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeat {
    /// It repeats none of them.
    None,
    /// It shares the answer of one.
    Joined,
    /// It repeats one that has too many repeats already.
    TooMany,
}

type Key = (UserId, ClientMessageId);

#[derive(Debug, Default)]
pub(super) struct SendQueue {
    waiting: VecDeque<Pending>,
    in_flight: Option<Vec<Pending>>,
    known: BTreeMap<Key, StoredMessage>,
    known_order: VecDeque<Key>,
}

impl SendQueue {
    pub(super) fn known(&self, user: UserId, id: &ClientMessageId) -> Option<&StoredMessage> {
        self.known.get(&(user, id.clone()))
    }

    /// Lets `origin` share the answer of the same send that is waiting or in flight.
    pub(super) fn join_repeat(
        &mut self,
        user: UserId,
        id: &ClientMessageId,
        origin: Origin,
    ) -> Repeat {
        let mut all = self.in_flight.iter_mut().flatten().chain(&mut self.waiting);
        let same = all.find(|pending| {
            pending.append.sender_id == user
                && pending.append.client_message_id.as_ref() == Some(id)
        });
        let Some(pending) = same else {
            return Repeat::None;
        };
        if pending.repeats.len() >= MAX_REPEATS {
            return Repeat::TooMany;
        }
        pending.repeats.push(origin);
        Repeat::Joined
    }

    pub(super) fn push(&mut self, append: NewMessage, origin: Origin) {
        self.waiting.push_back(Pending {
            append,
            origin,
            repeats: Vec::new(),
        });
    }

    /// The next batch, when none is in flight and something waits.
    pub(super) fn take_batch(&mut self) -> Option<Vec<NewMessage>> {
        if self.in_flight.is_some() || self.waiting.is_empty() {
            return None;
        }
        let count = self.waiting.len().min(MAX_BATCH);
        let batch: Vec<Pending> = self.waiting.drain(..count).collect();
        let appends = batch.iter().map(|pending| pending.append.clone()).collect();
        self.in_flight = Some(batch);
        Some(appends)
    }

    /// Ends the commit in flight and hands its sends back.
    pub(super) fn finish_batch(&mut self) -> Vec<Pending> {
        self.in_flight.take().unwrap_or_default()
    }

    pub(super) const fn committing(&self) -> bool {
        self.in_flight.is_some()
    }

    /// How many sends are in flight.
    pub(super) fn carried(&self) -> usize {
        self.in_flight.as_ref().map_or(0, Vec::len)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.in_flight.is_none() && self.waiting.is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        self.waiting.len() >= MAX_PENDING
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn remember(&mut self, user: UserId, id: ClientMessageId, stored: StoredMessage) {
        let key = (user, id);
        if self.known.insert(key.clone(), stored).is_none() {
            self.known_order.push_back(key);
        }
        while self.known_order.len() > MAX_KNOWN {
            let Some(oldest) = self.known_order.pop_front() else {
                break;
            };
            self.known.remove(&oldest);
        }
    }

    /// The newest stored sends of a user, the newest first.
    pub(super) fn known_of(
        &self,
        user: UserId,
    ) -> impl Iterator<Item = (&ClientMessageId, &StoredMessage)> {
        self.known_order
            .iter()
            .rev()
            .filter(move |(sender, _)| *sender == user)
            .filter_map(|key| Some((&key.1, self.known.get(key)?)))
    }
}
