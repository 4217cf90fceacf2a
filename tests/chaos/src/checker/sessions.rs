//! Which sessions were revoked and when, and the rules that follow: nothing that starts after an
//! acknowledged logout reaches a socket of that session, and no request with its token is accepted;
//! and no client is refused with `session_revoked` whose session was not revoked.
//!
//! What started before the logout may be in flight for any time, so the rules use no timeouts. For
//! events, `seq` shows what started later, since it is assigned in order; for the socket's own pings
//! and sends, the time of sending does.

use std::collections::{HashMap, VecDeque};
use std::time::Instant;

use super::{StoredConversation, Violation};
use crate::client_log::{ConversationKey, Log, LogEntry, MessageEvent};
use crate::message_key::MessageKey;

/// A session of a user. User ids are per server.
type SessionKey = (ConversationKey, u64, u32);

#[derive(Debug, Default)]
pub(super) struct Sessions {
    /// When the first logout request was sent.
    logout_sent_at: HashMap<SessionKey, Instant>,
    /// When the logout was acknowledged.
    revoked_at: HashMap<SessionKey, Instant>,
    /// When each message was first sent.
    sent: HashMap<MessageKey, Instant>,
}

impl Sessions {
    pub(super) fn of(logs: &[Log]) -> Self {
        let mut sessions = Self::default();
        for log in logs {
            let session_key = |session: u32| (log.conversation, log.user_id, session);
            for entry in &log.entries {
                match *entry {
                    LogEntry::LogoutSent { session, sent_at } => {
                        sessions
                            .logout_sent_at
                            .entry(session_key(session))
                            .or_insert(sent_at);
                    }
                    LogEntry::LogoutAcknowledged { session, at } => {
                        sessions
                            .revoked_at
                            .entry(session_key(session))
                            .or_insert(at);
                    }
                    LogEntry::Sent { key, at } => {
                        sessions.sent.entry(key).or_insert(at);
                    }
                    _ => {}
                }
            }
        }
        sessions
    }

    /// The state to check one client's entries with.
    pub(super) fn track<'a>(
        &'a self,
        log: &Log,
        stored: &'a StoredConversation,
    ) -> SessionTracker<'a> {
        SessionTracker {
            sessions: self,
            conversation: log.conversation,
            user_id: log.user_id,
            rows: &stored.rows,
            socket: None,
        }
    }
}

#[derive(Debug)]
pub(super) struct SessionTracker<'a> {
    sessions: &'a Sessions,
    conversation: ConversationKey,
    user_id: u64,
    rows: &'a [MessageEvent],
    /// Its socket, if that belongs to a session that was revoked at some time.
    socket: Option<Socket>,
}

/// A socket of a revoked session.
#[derive(Debug)]
struct Socket {
    /// When the session was revoked.
    revoked_at: Instant,
    /// The first message that was sent after that.
    first_forbidden_seq: Option<u64>,
    /// Requested after that.
    is_late: bool,
    /// Admitted by the room. Before, a v1 socket may receive a `pong` and then be refused.
    is_admitted: bool,
    /// Unanswered pings.
    pings: VecDeque<Instant>,
    /// When each message was first sent on this socket.
    sent: HashMap<MessageKey, Instant>,
}

impl SessionTracker<'_> {
    /// The violation of the next entry, if any.
    pub(super) fn entry(&mut self, entry: &LogEntry) -> Option<(Violation, String)> {
        match *entry {
            LogEntry::Opened {
                hello_seq,
                requested_at,
                session,
                ..
            } => self.opened(entry, hello_seq.is_some(), requested_at, session),
            LogEntry::RequestAccepted {
                session,
                requested_at,
            } => {
                let revoked_at = *self.sessions.revoked_at.get(&self.session_key(session))?;
                (requested_at > revoked_at).then(|| after_logout(entry))
            }
            LogEntry::SessionRefused { session, at } => {
                let sent_at = self.sessions.logout_sent_at.get(&self.session_key(session));
                let is_known = sent_at.is_some_and(|sent_at| *sent_at <= at);
                let sentence = || {
                    format!("session {session} was refused as revoked, but no client logged it out")
                };
                (!is_known).then(|| (Violation::Other, sentence()))
            }
            _ => {
                let socket = self.socket.as_mut()?;
                socket.is_forbidden(entry).then(|| after_logout(entry))
            }
        }
    }

    /// A socket requested after the logout may open to be refused, but must not receive `hello`.
    fn opened(
        &mut self,
        entry: &LogEntry,
        is_admitted: bool,
        requested_at: Instant,
        session: u32,
    ) -> Option<(Violation, String)> {
        self.socket = None;
        let revoked_at = *self.sessions.revoked_at.get(&self.session_key(session))?;
        let is_late = requested_at > revoked_at;
        self.socket = Some(Socket {
            revoked_at,
            first_forbidden_seq: self.first_sent_after(revoked_at),
            is_late,
            is_admitted,
            pings: VecDeque::new(),
            sent: HashMap::new(),
        });
        (is_admitted && is_late).then(|| after_logout(entry))
    }

    /// The `seq` of the first message sent after this moment.
    fn first_sent_after(&self, moment: Instant) -> Option<u64> {
        let sent = |row: &&MessageEvent| self.sessions.sent.get(&row.key);
        let mut rows = self.rows.iter();
        let first = rows.find(|row| sent(row).is_some_and(|sent| *sent > moment));
        first.map(|row| row.seq)
    }

    const fn session_key(&self, session: u32) -> SessionKey {
        (self.conversation, self.user_id, session)
    }
}

fn after_logout(entry: &LogEntry) -> (Violation, String) {
    (
        Violation::DeliveredAfterLogout,
        format!("the session was revoked: {entry:?}"),
    )
}

impl Socket {
    /// Whether this entry must not follow the logout.
    fn is_forbidden(&mut self, entry: &LogEntry) -> bool {
        match *entry {
            LogEntry::Pinged { at } => {
                self.pings.push_back(at);
                false
            }
            LogEntry::Ponged => {
                let pinged = self.pings.pop_front();
                self.is_admitted && pinged.is_some_and(|pinged| pinged > self.revoked_at)
            }
            LogEntry::Sent { key, at } => {
                self.sent.entry(key).or_insert(at);
                false
            }
            LogEntry::Acknowledged { key, .. } => {
                let sent = self.sent.get(&key);
                sent.is_some_and(|sent| *sent > self.revoked_at)
            }
            LogEntry::MessageReceived(MessageEvent { seq, .. }) => self.event(seq),
            LogEntry::ChangeReceived { change, .. } => self.event(change.seq),
            _ => false,
        }
    }

    fn event(&mut self, seq: u64) -> bool {
        self.is_admitted = true;
        self.is_late || self.first_forbidden_seq.is_some_and(|first| first <= seq)
    }
}
