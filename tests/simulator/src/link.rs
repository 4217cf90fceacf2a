//! One connection as the simulated network and the host's socket layer see it.

use fastrand::Rng;

use colloquy_proto::domain::{Seq, Timestamp, UserId};
use colloquy_proto::protocol::{HEARTBEAT_SECONDS, HEARTBEAT_TIMEOUT_SECONDS};
use colloquy_proto::room::{Delivery, EncodedFrame, RESUME_PART_BYTES};

/// What `batch` and `sync` add to the events of a part, in bytes.
const MAX_FRAMING: usize = 1_024;

/// A token that outlives every world.
pub(super) const FAR_AWAY: Timestamp = Timestamp(i64::MAX / 4);

/// One connection, as the network and the host's socket layer see it.
pub(super) struct Link {
    pub(super) client: usize,
    pub(super) user: UserId,
    pub(super) host: u64,
    /// When the last frame in each direction arrives.
    pub(super) up: Timestamp,
    pub(super) down: Timestamp,
    pub(super) rng: Rng,
    pub(super) stage: AdmissionStage,
    /// Whether the host has it open; the client's side is known by the client.
    pub(super) open: bool,
    pub(super) heartbeat: HeartbeatState,
    /// The client reads nothing before this time.
    pub(super) reads_from: Timestamp,
    /// Frames that have not been read, and the step in which they became too many.
    pub(super) unread: Unread,
    pub(super) slow_since: Option<u64>,
    /// The Room that has sent a part of a resume which the client has not taken, as the number of its
    /// host's evictions.
    pub(super) part_of: Option<u64>,
    /// By the host's clock.
    pub(super) expires_at: Timestamp,
    /// The position of the conversation when the socket was admitted.
    pub(super) admitted_at: Seq,
}

/// How far an admitted socket has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AdmissionStage {
    /// Authorized by the database; its Room does not know of it.
    Admitted,
    /// Registered with the session's object; its Room is about to connect it.
    Opening,
    /// Passed to its Room.
    Connected,
}

impl Link {
    /// Of each connection, one part of a resume is queued at a time, and it has a bounded size. A Room
    /// that lost its memory does not know of the last one.
    pub(super) fn check_part(
        &mut self,
        frames: &[EncodedFrame],
        evictions: u64,
    ) -> Result<(), String> {
        if self.part_of.replace(evictions) == Some(evictions) {
            return Err("a part of a resume was queued before the last one was taken".into());
        }
        let bytes: usize = frames.iter().map(|frame| frame.len()).sum();
        if bytes > RESUME_PART_BYTES + MAX_FRAMING {
            return Err(format!("a part of a resume has {bytes} bytes"));
        }
        Ok(())
    }

    /// Whether this host is about to connect it.
    pub(super) fn is_opening(&self, host: u64) -> bool {
        self.host == host && self.stage == AdmissionStage::Opening
    }
}

/// Whether a connection's queue took the frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SendResult {
    Queued,
    QueueFull,
}

/// Unread frames by kind: each has a bound of its own, as in the send queue of a native socket. There
/// it is in bytes, here in frames.
#[derive(Default)]
pub(super) struct Unread {
    pub(super) fanout: usize,
    pub(super) replies: usize,
}

impl Unread {
    pub(super) const fn of(&mut self, delivery: Delivery) -> &mut usize {
        match delivery {
            Delivery::Fanout => &mut self.fanout,
            Delivery::Reply | Delivery::ResumePart => &mut self.replies,
        }
    }
}

/// The longest time until the Room checks a connection again.
pub(super) const RECHECK_AFTER_MS: i64 = 900_000;

/// When a v1 client that pings does so first: it has received no `hello` with the interval.
const FIRST_V1_MS: i64 = 2_000;
const PING_MS: i64 = HEARTBEAT_SECONDS * 1_000;
const LOST_MS: i64 = HEARTBEAT_TIMEOUT_SECONDS * 1_000;

/// The pings and frames of one client, by the world's clock.
pub(super) struct HeartbeatState {
    /// The time from the connection to the first ping; none if the client never pings.
    first_ping_ms: Option<i64>,
    pub(super) connected_at: Option<Timestamp>,
    /// Since when no frame passes.
    pub(super) dead_since: Option<Timestamp>,
    last_frame: Option<Timestamp>,
    /// Since when the Room watches it.
    pub(super) watched_since: Option<Timestamp>,
}

impl HeartbeatState {
    pub(super) fn of(v2: bool, pings: bool) -> Self {
        Self {
            first_ping_ms: pings.then_some(if v2 { PING_MS } else { FIRST_V1_MS }),
            connected_at: None,
            dead_since: None,
            last_frame: None,
            watched_since: None,
        }
    }

    pub(super) const fn frame_arrived(&mut self, now: Timestamp) {
        self.last_frame = Some(now);
    }

    pub(super) fn last_ping(&self, now: Timestamp) -> Option<Timestamp> {
        let first = Timestamp(self.connected_at?.0 + self.first_ping_ms?);
        let until = self.dead_since.map_or(now, |dead| dead.min(now));
        let pinging = until.millis_since(first);
        (pinging >= 0).then(|| Timestamp(first.0 + pinging - pinging % PING_MS))
    }

    /// The last time at which the Room must take the client for alive.
    pub(super) fn must_be_alive_at(&self, now: Timestamp) -> Option<Timestamp> {
        self.last_ping(now).max(self.connected_at)
    }

    /// The last time at which the Room may take the client for alive.
    pub(super) fn may_be_alive_at(&self, now: Timestamp) -> Option<Timestamp> {
        self.must_be_alive_at(now).max(self.last_frame)
    }

    pub(super) fn is_silent(&self, alive_at: Option<Timestamp>, now: Timestamp) -> bool {
        let is_lost = |at: Timestamp| now.millis_since(at) >= LOST_MS;
        self.watched_since.is_some() && alive_at.is_some_and(is_lost)
    }
}
