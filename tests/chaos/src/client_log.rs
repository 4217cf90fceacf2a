//! Everything one client sent and received, in order. The module only records; `checker` evaluates.

use std::collections::BTreeMap;
use std::time::Instant;

use crate::message_key::{MessageKey, MessageText};

/// A message as a client received or read it, or as it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MessageEvent {
    pub(crate) seq: u64,
    pub(crate) number: u64,
    pub(crate) message_id: u64,
    pub(crate) sender_id: u64,
    pub(crate) key: MessageKey,
    pub(crate) content: MessageContent,
}

/// The text of a message and the version it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MessageContent {
    pub(crate) version: u64,
    pub(crate) text: MessageText,
}

/// The kind of an event other than a new message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ChangeKind {
    Edited,
    Deleted,
    Joined,
    Left,
}

/// An event other than a new message, as a client received it or as it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ChangeEvent {
    pub(crate) seq: u64,
    pub(crate) kind: ChangeKind,
    /// The message that changed; none for a membership event.
    pub(crate) message_id: Option<u64>,
    /// The user that changed the message, or that was added or removed.
    pub(crate) user_id: u64,
}

/// One thing that happened to a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogEntry {
    /// A socket opened, requested with a token of this session. A v2 socket received `hello` with
    /// this `seq`.
    Opened {
        hello_seq: Option<u64>,
        established_at: Instant,
        requested_at: Instant,
        session: u32,
    },
    /// A `ping` was written to the network.
    Pinged { at: Instant },
    /// A `pong` arrived for the oldest unanswered `ping`.
    Ponged,
    /// A send was written to the network, for the first time or as a repeat.
    Sent { key: MessageKey, at: Instant },
    /// A send was acknowledged, over the socket or over REST.
    Acknowledged {
        key: MessageKey,
        message_id: u64,
        seq: u64,
        number: u64,
        duplicate: bool,
    },
    /// An edit or deletion of an own message was written to the network, for the first time or as a
    /// repeat.
    ChangeSent { key: MessageKey, text: MessageText },
    /// An edit or deletion was acknowledged, with the `seq` of its event if the response has it.
    ChangeAcknowledged {
        key: MessageKey,
        message_id: u64,
        text: MessageText,
        seq: Option<u64>,
    },
    /// The removal of a member was acknowledged.
    RemovalAcknowledged { user_id: u64 },
    /// A request to add a member was sent at this time and may have taken effect.
    AddSent { user_id: u64, sent: Instant },
    /// A logout was written to the network for the first time.
    LogoutSent { session: u32, sent_at: Instant },
    /// A logout was acknowledged: the session is revoked.
    LogoutAcknowledged { session: u32, at: Instant },
    /// A close code or an error reported that the session of the client is revoked.
    SessionRefused { session: u32, at: Instant },
    /// A refresh of this session succeeded, and the client dropped the response.
    RefreshLost { session: u32 },
    /// A request sent at this time with a token of this session was accepted.
    RequestAccepted { session: u32, requested_at: Instant },
    /// A `resume` was sent.
    ResumeSent { since: u64 },
    /// A message was delivered by a socket.
    MessageReceived(MessageEvent),
    /// Another event was delivered by a socket; one about a message has its content.
    ChangeReceived {
        change: ChangeEvent,
        content: Option<MessageContent>,
    },
    /// `sync`: the resume is complete.
    Synced { from: u64, to: u64 },
    /// `reset`: the client must load the history; live events continue after this `seq`.
    Reset { to: u64 },
    /// A message was read from a history page.
    HistoryRead(MessageEvent),
}

/// The protocol a client uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ClientKind {
    V1,
    V2,
    Rest,
    /// The SDK for JavaScript, as an application sees it.
    Sdk,
    /// Sends no messages; removes members and adds them again.
    GroupAdmin,
}

/// Everything one client sent and received.
#[derive(Clone, Debug)]
pub(crate) struct Log {
    pub(crate) client: u32,
    pub(crate) client_kind: ClientKind,
    pub(crate) conversation: ConversationKey,
    /// The user of the client.
    pub(crate) user_id: u64,
    pub(crate) entries: Vec<LogEntry>,
    /// Close code → how often its sockets ended with it. 1006 is a broken connection.
    pub(crate) closes: BTreeMap<u16, u32>,
    /// Error code → how often a request was refused with it.
    pub(crate) refusals: BTreeMap<String, u32>,
    /// Protocol violations that no entry can express.
    pub(crate) violations: Vec<String>,
}

/// The close code and error code for a user that is not a member.
const NOT_MEMBER: (u16, &str) = (4403, "not_member");

/// The close code and error code for a revoked session.
pub(crate) const REVOKED: (u16, &str) = (4401, "session_revoked");

/// A conversation of one of the two servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ConversationKey {
    pub(crate) server: usize,
    pub(crate) id: u64,
}

impl LogEntry {
    /// A send, written to the network now.
    pub(crate) fn sent(key: MessageKey) -> Self {
        let at = Instant::now();
        Self::Sent { key, at }
    }

    /// A `ping`, written to the network now.
    pub(crate) fn pinged() -> Self {
        Self::Pinged { at: Instant::now() }
    }
}

impl Log {
    pub(crate) fn new(
        client: u32,
        client_kind: ClientKind,
        conversation: ConversationKey,
        user_id: u64,
    ) -> Self {
        Self {
            client,
            client_kind,
            conversation,
            user_id,
            entries: Vec::new(),
            closes: BTreeMap::new(),
            refusals: BTreeMap::new(),
            violations: Vec::new(),
        }
    }

    /// Appends an entry.
    pub(crate) fn record(&mut self, entry: LogEntry) {
        self.entries.push(entry);
    }

    /// Records the close of a socket. Of the codes that forbid a reconnect, only those for removed
    /// members and revoked sessions are allowed; the checker verifies that the user was one of them.
    pub(crate) fn closed(&mut self, code: u16, reason: &str) {
        *self.closes.entry(code).or_default() += 1;
        if (4400..4500).contains(&code) && ![NOT_MEMBER.0, REVOKED.0].contains(&code) {
            self.violation(format!("closed with {code} {reason}"));
        }
    }

    /// Records an error. Apart from retryable errors, only `not_member` is allowed. `internal` is
    /// never allowed: no injected fault excuses a bug of the server.
    pub(crate) fn refused(&mut self, code: &str, retryable: bool) {
        *self.refusals.entry(code.to_owned()).or_default() += 1;
        if code == "internal" {
            self.violation("the server reported an internal error");
        }
        if !retryable && code != NOT_MEMBER.1 {
            self.violation(format!("permanently refused: {code}"));
        }
    }

    /// Whether a close or an error reported that the user is not a member.
    pub(crate) fn was_refused_as_non_member(&self) -> bool {
        self.closes.contains_key(&NOT_MEMBER.0) || self.refusals.contains_key(NOT_MEMBER.1)
    }

    /// Records a protocol violation.
    pub(crate) fn violation(&mut self, sentence: impl Into<String>) {
        self.violations.push(sentence.into());
    }
}
