//! One connection of a Room: its user and session, its protocol version, how far it has been
//! served, and when its token or its heartbeat expires.

use crate::domain::{Seconds, Seq, SessionId, Timestamp, UserId};
use crate::protocol::HEARTBEAT_TIMEOUT_SECONDS;
use crate::room::{ConnectionId, NewConnection};

/// How long before the expiry of a token it is announced.
const EXPIRY_NOTICE: Seconds = Seconds(60);

/// The longest time until a lost heartbeat is detected. The check wakes a hibernating Room, so it
/// is much rarer than pings, and with default settings not earlier than the expiry of the token,
/// which wakes the Room anyway.
const HEARTBEAT_CHECK_AFTER: Seconds = Seconds(900);

/// The window in which errors are counted.
const ERROR_WINDOW_MS: i64 = 10_000;

/// The most errors in one window; the next one closes the connection.
const MAX_ERRORS: u32 = 100;

/// A resume in progress. The connection receives no live events until it is complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::room) struct PendingResume {
    /// The requested position.
    pub(in crate::room) from: Seq,
    /// Whether `from` is beyond the head of the Room. The database is read before it is rejected.
    pub(in crate::room) ahead: bool,
    /// Events sent so far.
    pub(in crate::room) count: usize,
}

#[derive(Debug)]
pub(in crate::room) struct Connection {
    pub(in crate::room) user_id: UserId,
    pub(in crate::room) session_id: SessionId,
    /// INVARIANT: since the last `hello`, `resume` or `reset` of the connection, every event after
    /// its starting point and up to here has been queued for it, in order, exactly once.
    pub(in crate::room) delivered: Seq,
    /// The position at which the user was last known to be a member.
    pub(in crate::room) membership_seen_at: Seq,
    // `Connections` indexes the fields below this line, so only it writes them.
    pub(super) v2: bool,
    pub(super) pending_resume: Option<PendingResume>,
    pub(super) expires_at: Timestamp,
    pub(super) expiry_announced: bool,
    /// The last heartbeat; `None` when the host enforces heartbeats itself.
    pub(super) last_heartbeat: Option<Timestamp>,
    errors: u32,
    errors_since: Timestamp,
}

/// The persisted state of a connection.
pub(in crate::room) struct RestoredConnection {
    pub(in crate::room) user_id: UserId,
    pub(in crate::room) session_id: SessionId,
    pub(in crate::room) v2: bool,
    pub(in crate::room) delivered: Seq,
    pub(in crate::room) membership_seen_at: Seq,
    pub(in crate::room) pending_resume: Option<PendingResume>,
    pub(in crate::room) expires_at: Timestamp,
    pub(in crate::room) expiry_announced: bool,
    pub(in crate::room) last_heartbeat: Option<Timestamp>,
}

impl Connection {
    pub(super) fn new(new: NewConnection, delivered: Seq, now: Timestamp) -> Self {
        Self {
            user_id: new.caller.user_id,
            session_id: new.caller.session_id,
            v2: new.v2,
            delivered,
            membership_seen_at: new.admission.position.seq,
            pending_resume: None,
            expires_at: new.caller.expires_at,
            expiry_announced: false,
            last_heartbeat: None,
            errors: 0,
            errors_since: now,
        }
    }

    pub(in crate::room) const fn is_v2(&self) -> bool {
        self.v2
    }

    pub(in crate::room) const fn pending_resume(&self) -> Option<PendingResume> {
        self.pending_resume
    }

    pub(in crate::room) const fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    pub(in crate::room) const fn expiry_announced(&self) -> bool {
        self.expiry_announced
    }

    pub(in crate::room) const fn last_heartbeat(&self) -> Option<Timestamp> {
        self.last_heartbeat
    }

    pub(super) fn is_silent(&self, now: Timestamp) -> bool {
        let is_lost = |at: Timestamp| at.plus(Seconds(HEARTBEAT_TIMEOUT_SECONDS)) <= now;
        self.last_heartbeat.is_some_and(is_lost)
    }

    /// Counts an error; true when the connection exceeds the limit.
    pub(in crate::room) fn count_error(&mut self, now: Timestamp) -> bool {
        if !(0..ERROR_WINDOW_MS).contains(&now.millis_since(self.errors_since)) {
            self.errors_since = now;
            self.errors = 0;
        }
        self.errors += 1;
        self.errors > MAX_ERRORS
    }

    /// When this connection needs a tick: the announcement of the expiry (v2 only), the expiry, or
    /// the heartbeat check, the earliest of them.
    pub(super) fn deadline(&self) -> Timestamp {
        let token = if self.v2 && !self.expiry_announced {
            self.expires_at.plus(Seconds(-EXPIRY_NOTICE.0))
        } else {
            self.expires_at
        };
        self.last_heartbeat
            .map_or(token, |at| token.min(at.plus(HEARTBEAT_CHECK_AFTER)))
    }
}

impl From<RestoredConnection> for Connection {
    fn from(restored: RestoredConnection) -> Self {
        Self {
            user_id: restored.user_id,
            session_id: restored.session_id,
            v2: restored.v2,
            delivered: restored.delivered,
            membership_seen_at: restored.membership_seen_at,
            pending_resume: restored.pending_resume,
            expires_at: restored.expires_at,
            expiry_announced: restored.expiry_announced,
            last_heartbeat: restored.last_heartbeat,
            errors: 0,
            errors_since: Timestamp(0),
        }
    }
}

/// A deadline that has passed.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::room) enum Due {
    /// Announce that the token expires in this many seconds.
    ExpiryNotice(ConnectionId, i64),
    /// The token has expired.
    Expired(ConnectionId),
    /// The heartbeat is lost.
    HeartbeatLost(ConnectionId),
}
