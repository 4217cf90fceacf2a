//! What the hosts of one process share: connection ids and the sessions revoked recently.
//!
//! A socket is admitted by a statement and connects a moment later. A revocation between the two
//! finds no connection to close, so it is remembered here, and [`super::Host::connect`] refuses the
//! socket. INVARIANT: a session is remembered before any Room is notified, so that a socket is found
//! either in its Room or here.
//!
//! Clones share their contents. Natively all Rooms have one; a Durable Object has one of its own. The
//! lock is taken when a socket connects and when a session is revoked, not for a message.

use std::collections::{HashSet, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::super::ConnectionId;
use crate::domain::{Seconds, SessionId, Timestamp};

/// How long a revocation is remembered: longer than any admitted socket takes to connect.
pub const REVOCATION_MEMORY: Seconds = Seconds(120);

/// The most sessions remembered; beyond that the oldest is forgotten.
pub const MAX_REVOKED: usize = 65_536;

/// The state that outlives a single Room of a process.
#[derive(Debug, Clone, Default)]
pub struct ProcessState(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    last_connection: AtomicU64,
    revoked: Mutex<RevokedSessions>,
}

impl ProcessState {
    /// The state of a process that has assigned ids up to this one.
    pub fn after(last: ConnectionId) -> Self {
        let last_connection = AtomicU64::new(last.0);
        let revoked = Mutex::default();
        Self(Arc::new(Shared {
            last_connection,
            revoked,
        }))
    }

    /// An id that no connection of this process has had.
    pub fn next_connection_id(&self) -> ConnectionId {
        let last = self.0.last_connection.fetch_add(1, Ordering::Relaxed);
        ConnectionId(last + 1)
    }

    /// Remembers a session for [`REVOCATION_MEMORY`]. Repeating the call has no effect.
    pub fn remember_revoked(&self, session_id: &SessionId, now: Timestamp) {
        self.revoked().insert(session_id, now);
    }

    /// Whether the session was revoked recently.
    pub fn is_revoked(&self, session_id: &SessionId) -> bool {
        self.revoked().sessions.contains(session_id)
    }

    fn revoked(&self) -> MutexGuard<'_, RevokedSessions> {
        // A panic while the lock is held may lose one entry and breaks nothing else.
        let revoked = &self.0.revoked;
        revoked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Bounded in time and in number.
#[derive(Debug, Default)]
struct RevokedSessions {
    sessions: HashSet<SessionId>,
    /// In the order of their revocation.
    order: VecDeque<(Timestamp, SessionId)>,
}

impl RevokedSessions {
    fn insert(&mut self, session_id: &SessionId, now: Timestamp) {
        while let Some((revoked_at, _)) = self.order.front()
            && (self.order.len() >= MAX_REVOKED
                || now.millis_since(*revoked_at) >= REVOCATION_MEMORY.as_millis())
            && let Some((_, oldest)) = self.order.pop_front()
        {
            self.sessions.remove(&oldest);
        }
        if self.sessions.insert(session_id.clone()) {
            self.order.push_back((now, session_id.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(number: usize) -> SessionId {
        SessionId(format!("s{number}").into())
    }

    #[test]
    fn revoked_session_is_remembered_by_every_clone_until_its_time_is_over() {
        let process = ProcessState::default();
        let other = process.clone();
        process.remember_revoked(&session(1), Timestamp(0));
        process.remember_revoked(&session(1), Timestamp(100_000));
        assert!(other.is_revoked(&session(1)));
        assert!(!other.is_revoked(&session(2)));
        other.remember_revoked(&session(2), Timestamp(119_999));
        assert!(process.is_revoked(&session(1)));
        other.remember_revoked(&session(3), Timestamp(120_000));
        assert!(!process.is_revoked(&session(1)));
        assert!(process.is_revoked(&session(2)));
    }

    #[test]
    fn number_of_remembered_sessions_is_bounded() {
        let process = ProcessState::default();
        for number in 0..=MAX_REVOKED {
            process.remember_revoked(&session(number), Timestamp(0));
        }
        assert!(!process.is_revoked(&session(0)));
        assert!(process.is_revoked(&session(1)));
        assert!(process.is_revoked(&session(MAX_REVOKED)));
    }

    #[test]
    fn connection_ids_are_never_given_twice() {
        let process = ProcessState::after(ConnectionId(7));
        let other = process.clone();
        let ids = [&process, &other, &process].map(ProcessState::next_connection_id);
        assert_eq!(ids, [8, 9, 10].map(ConnectionId));
    }
}
