//! One connection of a Room: its user and session, its protocol version, how far it has been
//! served, and when its token or its heartbeat expires.

use crate::domain::{Seconds, Seq, SessionId, Timestamp, UserId};
use crate::protocol::HEARTBEAT_TIMEOUT_SECONDS;
use crate::room::frame_rate::FrameRate;
use crate::room::{ConnectionId, NewConnection};

/// How long before the expiry of a token it is announced.
const EXPIRY_NOTICE: Seconds = Seconds(60);

/// The longest time until a lost heartbeat is detected. The check wakes a hibernating Room, so it
/// is much rarer than pings, and with default settings not earlier than the expiry of the token,
/// which wakes the Room anyway.
const HEARTBEAT_CHECK_AFTER: Seconds = Seconds(900);

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
    /// What it has sent lately.
    pub(in crate::room) frame_rate: FrameRate,
    // `Connections` indexes the fields below this line, so only it writes them.
    pub(super) v2: bool,
    pub(super) pending_resume: Option<PendingResume>,
    /// Whether a part of a resume is queued that the client has not taken.
    pub(super) awaits_drain: bool,
    pub(super) expires_at: Timestamp,
    pub(super) expiry_announced: bool,
    /// The last heartbeat; `None` when the host enforces heartbeats itself.
    pub(super) last_heartbeat: Option<Timestamp>,
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
    pub(super) fn new(new: NewConnection, delivered: Seq) -> Self {
        Self {
            user_id: new.caller.user_id,
            session_id: new.caller.session_id,
            v2: new.v2,
            delivered,
            membership_seen_at: new.admission.position.seq,
            frame_rate: FrameRate::default(),
            pending_resume: None,
            awaits_drain: false,
            expires_at: new.caller.expires_at,
            expiry_announced: false,
            last_heartbeat: None,
        }
    }

    pub(in crate::room) const fn is_v2(&self) -> bool {
        self.v2
    }

    pub(in crate::room) const fn pending_resume(&self) -> Option<PendingResume> {
        self.pending_resume
    }

    pub(in crate::room) const fn awaits_drain(&self) -> bool {
        self.awaits_drain
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
            frame_rate: FrameRate::default(),
            pending_resume: restored.pending_resume,
            // Unknown after the memory was lost: the resume goes on.
            awaits_drain: false,
            expires_at: restored.expires_at,
            expiry_announced: restored.expiry_announced,
            last_heartbeat: restored.last_heartbeat,
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
