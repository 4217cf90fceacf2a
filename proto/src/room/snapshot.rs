//! Hibernation: what a Room persists, so that a restored Room behaves like one never evicted.
//!
//! A runtime may evict a Room while its sockets stay open. Each socket then carries a [`Snapshot`]
//! of its connection, and [`Room::restore`] rebuilds the Room from all of them. This module decides
//! what a snapshot contains and when it is dirty; the host writes it
//! ([`Room::take_dirty_snapshots`]).
//!
//! An event does not change every snapshot, or a message would cost one write per receiver. The
//! head is kept up to date by the *checkpoint connection* (the oldest one) and by the connection
//! that sent last; the highest head among the snapshots is current. This suffices because an idle
//! Room has delivered every event up to the head to every connection, except those with a pending
//! resume, whose snapshots contain their own position. Queued sends are not persisted: their
//! clients repeat them. Error counts are not either: their window is short.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::connections::{Connection, PendingResume, RestoredConnection};
use super::event_loader::EventLoader;
use super::send_queue::ReplyTo;
use super::{ConnectionId, Room};
use crate::domain::{
    ClientMessageId, ConversationId, Epoch, MessageId, MessageNumber, Position, Seq, SessionId,
    StoredMessage, Timestamp, UserId,
};

/// How many stored sends of its user a snapshot contains, to recognise duplicates. With ids and
/// names of maximum length, a snapshot stays below 2 KB.
const MAX_RECENT_SENDS: usize = 4;

/// The persisted state of one connection. The JSON is read by [`Room::restore`] only, possibly of
/// another version of the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    #[serde(rename = "c")]
    connection_id: u64,
    #[serde(rename = "u")]
    user_id: UserId,
    #[serde(rename = "s")]
    session_id: SessionId,
    #[serde(rename = "x")]
    expires_at_ms: i64,
    #[serde(rename = "v2", default, skip_serializing_if = "is_false")]
    v2: bool,
    #[serde(rename = "n", default, skip_serializing_if = "is_false")]
    expiry_announced: bool,
    /// Absent when the host enforces heartbeats itself.
    #[serde(rename = "l", default, skip_serializing_if = "Option::is_none")]
    last_heartbeat_ms: Option<i64>,
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    pending_resume: Option<ResumeSnapshot>,
    /// The position at which the user was last known to be a member, if it is beyond the head.
    #[serde(rename = "m", default, skip_serializing_if = "Option::is_none")]
    membership_seen_at: Option<Seq>,
    #[serde(rename = "h", default, skip_serializing_if = "Option::is_none")]
    head: Option<(Epoch, Seq, MessageNumber)>,
    /// The planned rechecks; of the checkpoint connection only.
    #[serde(rename = "o", default, skip_serializing_if = "Vec::is_empty")]
    recheck_at_ms: Vec<i64>,
    /// The start of the user's running throttle period.
    #[serde(rename = "t", default, skip_serializing_if = "Option::is_none")]
    throttle_period_start_ms: Option<i64>,
    /// The username, if there are recent sends.
    #[serde(rename = "w", default, skip_serializing_if = "Option::is_none")]
    sender: Option<Arc<str>>,
    /// The user's stored sends, newest first.
    #[serde(rename = "k", default, skip_serializing_if = "Vec::is_empty")]
    recent_sends: Vec<SendSnapshot>,
}

/// A pending resume: requested position, whether it is ahead of the head, events sent, and the
/// position of the last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct ResumeSnapshot(Seq, bool, usize, Seq);

/// A stored send: client message id, message id, position, number, and time in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct SendSnapshot(ClientMessageId, MessageId, Seq, MessageNumber, i64);

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes fields by reference"
)]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

impl Snapshot {
    /// The connection of this snapshot.
    pub const fn connection_id(&self) -> ConnectionId {
        ConnectionId(self.connection_id)
    }

    /// The user of this connection.
    pub const fn user_id(&self) -> UserId {
        self.user_id
    }
}

impl Room {
    /// The current snapshot of a connection.
    pub fn snapshot(&self, id: ConnectionId, now: Timestamp) -> Option<Snapshot> {
        let connection = self.connections.get(id)?;
        let user_id = connection.user_id;
        let is_checkpoint = self.connections.checkpoint_connection() == Some(id);
        let mut recent_sends = self.recent_sends.of_user(user_id).peekable();
        Some(Snapshot {
            connection_id: id.0,
            user_id,
            session_id: connection.session_id.clone(),
            expires_at_ms: connection.expires_at().0,
            v2: connection.is_v2(),
            expiry_announced: connection.expiry_announced(),
            last_heartbeat_ms: connection.last_heartbeat().map(|at| at.0),
            pending_resume: ResumeSnapshot::of(connection),
            membership_seen_at: self.head.as_ref().and_then(|head| {
                let seen_at = connection.membership_seen_at;
                (seen_at > head.seq).then_some(seen_at)
            }),
            head: self
                .head
                .as_ref()
                .map(|head| (head.epoch.clone(), head.seq, head.number)),
            recheck_at_ms: if is_checkpoint {
                self.recheck_at_ms(now)
            } else {
                Vec::new()
            },
            throttle_period_start_ms: self
                .throttle
                .period_start(user_id, now)
                .map(|started_at| started_at.0),
            sender: recent_sends.peek().map(|(_, stored)| stored.sender.clone()),
            recent_sends: recent_sends
                .take(MAX_RECENT_SENDS)
                .map(|(id, stored)| SendSnapshot::new(id, stored))
                .collect(),
        })
    }

    /// The planned rechecks, the first one now if the Room is missing events it could not read.
    fn recheck_at_ms(&self, now: Timestamp) -> Vec<i64> {
        let is_behind = self
            .head
            .as_ref()
            .is_some_and(|head| self.highest_seen > head.seq);
        let planned = self.event_loader.recheck_at().iter().copied();
        let at_once = is_behind.then_some(now).into_iter();
        at_once.chain(planned).map(|at| at.0).collect()
    }

    /// The snapshots that have changed since the last call. The host writes them before it awaits
    /// anything, because the Room may be evicted whenever it waits.
    pub fn take_dirty_snapshots(&mut self, now: Timestamp) -> Vec<Snapshot> {
        let ids = self.connections.take_dirty();
        ids.into_iter()
            .filter_map(|id| self.snapshot(id, now))
            .collect()
    }

    /// Rebuilds a Room from the snapshots of its connections. Pending resumes continue with the
    /// next input.
    pub fn restore(
        conversation_id: ConversationId,
        throttle_ms: i64,
        snapshots: impl IntoIterator<Item = Snapshot>,
    ) -> Self {
        let snapshots: Vec<Snapshot> = snapshots.into_iter().collect();
        let mut room = Self::new(conversation_id, throttle_ms);
        room.head = snapshots
            .iter()
            .filter_map(|snapshot| snapshot.head.clone())
            .max_by_key(|(_, seq, _)| *seq)
            .map(|(epoch, seq, number)| Position { epoch, seq, number });
        let head_seq = room.head.as_ref().map_or(Seq(0), |head| head.seq);
        room.highest_seen = head_seq;
        // Removals are not persisted, so a new socket admitted before the head has to be admitted
        // again. Restored connections need no check: each was open when the last removal was
        // applied.
        room.recent_removals.reset(head_seq);
        if let Some(checkpoint) = snapshots.iter().min_by_key(|one| one.connection_id) {
            let recheck_at = checkpoint.recheck_at_ms.iter().copied().map(Timestamp);
            room.event_loader = EventLoader::restore(recheck_at);
        }
        room.restore_recent_sends(&snapshots);
        for snapshot in snapshots {
            room.restore_connection(snapshot, head_seq);
        }
        room
    }

    /// Restores the dedup window in the order in which the messages were stored, because the
    /// oldest are evicted first.
    fn restore_recent_sends(&mut self, snapshots: &[Snapshot]) {
        let mut sends = Vec::new();
        for snapshot in snapshots {
            if let Some(sender) = &snapshot.sender {
                let of_user = snapshot.recent_sends.iter();
                sends.extend(of_user.map(|send| (snapshot.user_id, sender, send)));
            }
        }
        sends.sort_by_key(|(.., SendSnapshot(_, _, seq, ..))| *seq);
        for (user_id, sender, send) in sends {
            let SendSnapshot(id, message_id, seq, number, timestamp_ms) = send.clone();
            let stored = StoredMessage {
                message_id,
                seq,
                number,
                timestamp: Timestamp(timestamp_ms),
                sender: sender.clone(),
                mentions: Vec::new(),
            };
            self.recent_sends.insert(user_id, id, stored);
        }
    }

    fn restore_connection(&mut self, snapshot: Snapshot, head_seq: Seq) {
        let id = snapshot.connection_id();
        let user_id = snapshot.user_id;
        if let Some(started_at) = snapshot.throttle_period_start_ms {
            self.throttle.restore(user_id, Timestamp(started_at));
        }
        let resume = snapshot.pending_resume;
        let restored = RestoredConnection {
            user_id,
            session_id: snapshot.session_id,
            v2: snapshot.v2,
            delivered: resume.map_or(head_seq, |ResumeSnapshot(.., delivered)| delivered),
            membership_seen_at: snapshot.membership_seen_at.unwrap_or(head_seq),
            pending_resume: resume.map(|ResumeSnapshot(from, ahead, count, _)| PendingResume {
                from,
                ahead,
                count,
            }),
            expires_at: Timestamp(snapshot.expires_at_ms),
            expiry_announced: snapshot.expiry_announced,
            last_heartbeat: snapshot.last_heartbeat_ms.map(Timestamp),
        };
        self.connections.restore(id, restored);
    }

    /// Marks the connection that persists the outcome of a send: the one that sent it, or, for a
    /// REST send, one connection of the user.
    pub(super) fn mark_sender_dirty(&mut self, user_id: UserId, reply_to: ReplyTo) {
        let id = match reply_to {
            ReplyTo::Connection(id) => Some(id),
            ReplyTo::Request(_) => self
                .connections
                .iter()
                .find(|(_, connection)| connection.user_id == user_id)
                .map(|(id, _)| id),
        };
        if let Some(id) = id {
            self.connections.mark_dirty(id);
        }
    }
}

impl ResumeSnapshot {
    fn of(connection: &Connection) -> Option<Self> {
        let PendingResume { from, ahead, count } = connection.pending_resume()?;
        Some(Self(from, ahead, count, connection.delivered))
    }
}

impl SendSnapshot {
    fn new(id: &ClientMessageId, stored: &StoredMessage) -> Self {
        let timestamp_ms = stored.timestamp.0;
        Self(
            id.clone(),
            stored.message_id,
            stored.seq,
            stored.number,
            timestamp_ms,
        )
    }
}
