//! What one client was told, in the order in which it was told. Nothing is judged here.

use std::collections::BTreeMap;

use crate::key::Key;

/// A message as a client heard or read it, or as the database has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) seq: u64,
    pub(crate) number: u64,
    pub(crate) message_id: u64,
    pub(crate) sender_id: u64,
    pub(crate) key: Key,
}

/// One thing that happened to a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// A socket is open; a v2 one was greeted at this `seq`.
    Opened { at: Option<u64> },
    /// A message was handed to the network: for the first time, or once more.
    Sent { key: Key },
    /// A message was acknowledged, over its socket or over REST.
    Acknowledged {
        key: Key,
        message_id: u64,
        seq: u64,
        number: u64,
        duplicate: bool,
    },
    /// A `resume` was sent.
    Asked { since: u64 },
    /// An event came by socket.
    Heard(Event),
    /// `sync`: the resume is answered.
    Synced { from: u64, to: u64 },
    /// `reset`: the history is to be loaded, live events go on after this `seq`.
    Reset { to: u64 },
    /// A message of a history page.
    Loaded(Event),
}

/// How a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Manner {
    V1,
    V2,
    Rest,
}

/// Everything one client was told.
#[derive(Clone, Debug)]
pub(crate) struct Log {
    pub(crate) client: u32,
    pub(crate) manner: Manner,
    pub(crate) room: Room,
    pub(crate) entries: Vec<Entry>,
    /// How its sockets ended: code → how often. 1006 is a connection that broke.
    pub(crate) closes: BTreeMap<u16, u32>,
    /// The codes of what was refused.
    pub(crate) refusals: BTreeMap<String, u32>,
    /// What the contract does not allow and no entry can tell.
    pub(crate) troubles: Vec<String>,
}

/// Where a client chats: on which server, in which conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Room {
    pub(crate) server: usize,
    pub(crate) id: u64,
}

impl Log {
    pub(crate) fn new(client: u32, manner: Manner, room: Room) -> Self {
        Self {
            client,
            manner,
            room,
            entries: Vec::new(),
            closes: BTreeMap::new(),
            refusals: BTreeMap::new(),
            troubles: Vec::new(),
        }
    }

    /// Writes it down.
    pub(crate) fn note(&mut self, entry: Entry) {
        self.entries.push(entry);
    }

    /// Writes down how a socket ended. Codes that say "do not come back" are for no client here.
    pub(crate) fn closed(&mut self, code: u16, reason: &str) {
        *self.closes.entry(code).or_default() += 1;
        if (4400..4500).contains(&code) {
            self.trouble(format!("closed with {code} {reason}"));
        }
    }

    /// Writes a refusal down. None but those worth a repetition are for a client here.
    pub(crate) fn refused(&mut self, code: &str, retryable: bool) {
        *self.refusals.entry(code.to_owned()).or_default() += 1;
        if !retryable {
            self.trouble(format!("refused for good: {code}"));
        }
    }

    /// Writes down what the contract does not allow.
    pub(crate) fn trouble(&mut self, sentence: impl Into<String>) {
        self.troubles.push(sentence.into());
    }
}
