//! What one client was told, in the order in which it was told. Nothing is judged here.

use std::collections::BTreeMap;
use std::time::Instant;

use crate::key::{Key, Text};

/// A message as a client heard or read it, or as the database has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) seq: u64,
    pub(crate) number: u64,
    pub(crate) message_id: u64,
    pub(crate) sender_id: u64,
    pub(crate) key: Key,
    pub(crate) reading: Reading,
}

/// How a message reads: what it says, and the version of it that says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reading {
    pub(crate) version: u64,
    pub(crate) text: Text,
}

/// What kind of event, beside a new message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Edited,
    Deleted,
    Joined,
    Left,
}

/// An event beside a new message, as a client heard it, or as the database has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) seq: u64,
    pub(crate) kind: Kind,
    /// What was changed, unless it is who is a member.
    pub(crate) message_id: Option<u64>,
    /// Who changed it, or who came or went.
    pub(crate) user_id: u64,
}

/// One thing that happened to a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// A socket is open that was asked for then, with a token of this login of the person; a v2 one
    /// was greeted at this `seq`.
    Opened {
        at: Option<u64>,
        came: Instant,
        asked: Instant,
        login: u32,
    },
    /// A `ping` was handed to the network.
    Pinged { at: Instant },
    /// The answer to the next `ping` that has none.
    Ponged,
    /// A message was handed to the network: for the first time, or once more.
    Sent { key: Key, at: Instant },
    /// A message was acknowledged, over its socket or over REST.
    Acknowledged {
        key: Key,
        message_id: u64,
        seq: u64,
        number: u64,
        duplicate: bool,
    },
    /// An edit or a deletion of an own message was handed to the network: for the first time, or
    /// once more.
    Rewriting { key: Key, text: Text },
    /// An edit or a deletion was acknowledged; with the `seq` of its event, when the answer says it.
    Rewritten {
        key: Key,
        message_id: u64,
        text: Text,
        seq: Option<u64>,
    },
    /// It was acknowledged that somebody is no member any more.
    Removed { user_id: u64 },
    /// A request to make somebody a member, handed to the network then, may have done so.
    Admitting { user_id: u64, sent: Instant },
    /// A request to end a login was handed to the network for the first time.
    LoggingOut { login: u32, began: Instant },
    /// It was answered: the login is over.
    LoggedOut { login: u32, at: Instant },
    /// It was told, by a close or a refusal, that the login it used is over.
    Denied { login: u32, at: Instant },
    /// A request that was made then with a token of this login was granted.
    Granted { login: u32, asked: Instant },
    /// A `resume` was sent.
    Asked { since: u64 },
    /// A message came by socket.
    Heard(Event),
    /// Another event came by socket; one of a message with how it reads.
    Changed {
        change: Change,
        reading: Option<Reading>,
    },
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
    /// Says nothing, but removes members and adds them again.
    Maker,
}

/// Everything one client was told.
#[derive(Clone, Debug)]
pub(crate) struct Log {
    pub(crate) client: u32,
    pub(crate) manner: Manner,
    pub(crate) room: Room,
    /// Whose client it is.
    pub(crate) user_id: u64,
    pub(crate) entries: Vec<Entry>,
    /// How its sockets ended: code → how often. 1006 is a connection that broke.
    pub(crate) closes: BTreeMap<u16, u32>,
    /// The codes of what was refused.
    pub(crate) refusals: BTreeMap<String, u32>,
    /// What the contract does not allow and no entry can tell.
    pub(crate) troubles: Vec<String>,
}

/// What those are told who are no members: by a close, by a refusal.
const NOT_MEMBER: (u16, &str) = (4403, "not_member");

/// What those are told whose login is over.
pub(crate) const REVOKED: (u16, &str) = (4401, "session_revoked");

/// Where a client chats: on which server, in which conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Room {
    pub(crate) server: usize,
    pub(crate) id: u64,
}

impl Entry {
    /// A message, handed to the network now.
    pub(crate) fn sent(key: Key) -> Self {
        let at = Instant::now();
        Self::Sent { key, at }
    }

    /// A `ping`, handed to the network now.
    pub(crate) fn pinged() -> Self {
        Self::Pinged { at: Instant::now() }
    }
}

impl Log {
    pub(crate) fn new(client: u32, manner: Manner, room: Room, user_id: u64) -> Self {
        Self {
            client,
            manner,
            room,
            user_id,
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

    /// Writes down how a socket ended. Codes that say "do not come back" are for no client here, but
    /// for those who were removed or logged out: the checker knows who was.
    pub(crate) fn closed(&mut self, code: u16, reason: &str) {
        *self.closes.entry(code).or_default() += 1;
        if (4400..4500).contains(&code) && ![NOT_MEMBER.0, REVOKED.0].contains(&code) {
            self.trouble(format!("closed with {code} {reason}"));
        }
    }

    /// Writes a refusal down. None but those worth a repetition are for a client here, and that one
    /// is no member at the moment. Whatever goes wrong around a server is none of its own faults.
    pub(crate) fn refused(&mut self, code: &str, retryable: bool) {
        *self.refusals.entry(code.to_owned()).or_default() += 1;
        if code == "internal" {
            self.trouble("a fault of the server's own");
        }
        if !retryable && code != NOT_MEMBER.1 {
            self.trouble(format!("refused for good: {code}"));
        }
    }

    /// Whether it was told, by a socket's end or a refusal, that it is no member.
    pub(crate) fn was_shut_out(&self) -> bool {
        self.closes.contains_key(&NOT_MEMBER.0) || self.refusals.contains_key(NOT_MEMBER.1)
    }

    /// Writes down what the contract does not allow.
    pub(crate) fn trouble(&mut self, sentence: impl Into<String>) {
        self.troubles.push(sentence.into());
    }
}
