//! What a Room keeps outside its memory, so that it can wake as if nothing had happened.
//!
//! A runtime may drop a Room while its sockets stay open. Each socket then carries a [`Snapshot`]
//! of its connection; [`Room::restore`] makes the Room again out of those. Owns what is kept and
//! when it is out of date; does not own where it is written ([`Room::take_dirty_snapshots`] hands it out).
//!
//! Not every snapshot is renewed with every event, or a message would cost as many writes as it
//! has receivers. Where the Room stands is kept by one connection, the *keeper* (the oldest one),
//! and by whoever has just sent; the newest of them is right. That suffices because at rest every
//! connection has been handed everything up to there, but for those with an unanswered resume,
//! which say so themselves. SendQueue on their way are not kept: who waits for one sends it again.
//! Nor are refusals: their window is short.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::connection::{Kept, Mode, Resuming};
use super::resume::Loads;
use super::send_queue::Origin;
use super::{ConnectionId, Head, Room};
use crate::domain::{
    ClientMessageId, ConversationId, Epoch, MessageId, MessageNumber, Seq, SessionId,
    StoredMessage, Timestamp, UserId,
};

/// How many stored sends of its user a connection keeps, so that a repeat is known again. With
/// ids and names as long as they may be, a snapshot stays within 2 KB.
const MAX_KNOWN: usize = 4;

/// One connection as it is kept. Its JSON is for [`Room::restore`] alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    #[serde(rename = "c")]
    connection: u64,
    #[serde(rename = "u")]
    user_id: UserId,
    #[serde(rename = "s")]
    session_id: SessionId,
    /// Milliseconds.
    #[serde(rename = "x")]
    expires_at: i64,
    #[serde(rename = "v2", default, skip_serializing_if = "is_false")]
    v2: bool,
    /// Whether the end of the token has been announced.
    #[serde(rename = "n", default, skip_serializing_if = "is_false")]
    noticed: bool,
    /// The first sign of life, in milliseconds, of a connection that is watched over.
    #[serde(rename = "l", default, skip_serializing_if = "Option::is_none")]
    heard: Option<i64>,
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    resume: Option<Resume>,
    /// Where its user was seen to be a member, if that lies ahead of where the Room stands.
    #[serde(rename = "m", default, skip_serializing_if = "Option::is_none")]
    member_at: Option<Seq>,
    #[serde(rename = "h", default, skip_serializing_if = "Option::is_none")]
    head: Option<(Epoch, Seq, MessageNumber)>,
    /// When to look for what nobody told of, in milliseconds; told by the keeper alone.
    #[serde(rename = "o", default, skip_serializing_if = "Vec::is_empty")]
    looks: Vec<i64>,
    /// When the user's running throttle began, in milliseconds.
    #[serde(rename = "t", default, skip_serializing_if = "Option::is_none")]
    throttled_since: Option<i64>,
    /// The user's name, where sends are kept.
    #[serde(rename = "w", default, skip_serializing_if = "Option::is_none")]
    sender: Option<Arc<str>>,
    /// Stored sends, the newest first.
    #[serde(rename = "k", default, skip_serializing_if = "Vec::is_empty")]
    known: Vec<Known>,
}

/// An unanswered resume: the position asked for, whether it lies ahead, events sent, the last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Resume(Seq, bool, usize, Seq);

/// A stored send: its client's id and where it ended up; the time in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Known(ClientMessageId, MessageId, Seq, MessageNumber, i64);

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands fields over by reference"
)]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

impl Snapshot {
    /// The connection it is of.
    pub const fn connection_id(&self) -> ConnectionId {
        ConnectionId(self.connection)
    }
}

impl Room {
    /// What is to be kept of a connection now.
    pub fn snapshot(&self, id: ConnectionId, now: Timestamp) -> Option<Snapshot> {
        let connection = self.connections.get(id)?;
        let user_id = connection.user_id;
        let known = || self.send_queue.known_of(user_id).take(MAX_KNOWN);
        let resume = connection.resuming().map(|resuming| {
            let Resuming { from, ahead, count } = resuming;
            Resume(from, ahead, count, connection.delivered)
        });
        Some(Snapshot {
            connection: id.0,
            user_id,
            session_id: connection.session_id.clone(),
            expires_at: connection.expires_at.0,
            v2: connection.mode == Mode::V2,
            noticed: connection.noticed(),
            heard: connection.heard().map(|at| at.0),
            resume,
            member_at: self
                .head
                .as_ref()
                .and_then(|head| (connection.member_at > head.seq).then_some(connection.member_at)),
            head: self
                .head
                .as_ref()
                .map(|head| (head.epoch.clone(), head.seq, head.number)),
            looks: if self.connections.keeper() == Some(id) {
                self.looks(now)
            } else {
                Vec::new()
            },
            throttled_since: self
                .throttle
                .running_since(user_id, now)
                .map(|since| since.0),
            sender: known().next().map(|(_, stored)| stored.sender.clone()),
            known: known()
                .map(|(id, stored)| {
                    let at = stored.timestamp.0;
                    Known(id.clone(), stored.message_id, stored.seq, stored.number, at)
                })
                .collect(),
        })
    }

    /// When to look for what was missed: at once for what this Room knows of and could not read.
    fn looks(&self, now: Timestamp) -> Vec<i64> {
        let behind = self.head.as_ref().is_some_and(|head| self.known > head.seq);
        let at_once = behind.then_some(now);
        let later = self.loads.looks().iter().copied();
        at_once.into_iter().chain(later).map(|at| at.0).collect()
    }

    /// The snapshots that have changed since this was last called. To be written before anything
    /// else is waited for: a Room may lose its memory whenever it waits.
    pub fn take_dirty_snapshots(&mut self, now: Timestamp) -> Vec<Snapshot> {
        let ids = self.connections.take_dirty_snapshots();
        ids.into_iter()
            .filter_map(|id| self.snapshot(id, now))
            .collect()
    }

    /// The Room whose connections these are. What their resumes still wait for is taken up with
    /// the next input.
    pub fn restore(
        conversation_id: ConversationId,
        throttle_ms: i64,
        snapshots: impl IntoIterator<Item = Snapshot>,
    ) -> Self {
        let snapshots: Vec<Snapshot> = snapshots.into_iter().collect();
        let head = snapshots
            .iter()
            .filter_map(|snapshot| snapshot.head.clone())
            .max_by_key(|(_, seq, _)| *seq)
            .map(|(epoch, seq, number)| Head { epoch, seq, number });
        let mut room = Self::new(conversation_id, throttle_ms);
        let delivered = head.as_ref().map_or(Seq(0), |head| head.seq);
        room.known = delivered;
        room.head = head;
        // Whoever is connected has outlived every departure up to here.
        room.removals.begin(delivered);
        if let Some(keeper) = snapshots.iter().min_by_key(|kept| kept.connection) {
            room.loads = Loads::planned(keeper.looks.iter().copied().map(Timestamp));
        }
        let mut known = Vec::new();
        for snapshot in snapshots {
            let id = snapshot.connection_id();
            let user_id = snapshot.user_id;
            if let Some(since) = snapshot.throttled_since {
                room.throttle.restore(user_id, Timestamp(since));
            }
            if let Some(sender) = snapshot.sender {
                let sends = snapshot.known.into_iter();
                known.extend(sends.map(|send| (user_id, sender.clone(), send)));
            }
            let resume = snapshot.resume;
            let kept = Kept {
                user_id,
                session_id: snapshot.session_id,
                v2: snapshot.v2,
                delivered: resume.map_or(delivered, |Resume(.., delivered)| delivered),
                member_at: snapshot.member_at.unwrap_or(delivered),
                resuming: resume.map(|Resume(from, ahead, count, _)| Resuming {
                    from,
                    ahead,
                    count,
                }),
                expires_at: Timestamp(snapshot.expires_at),
                noticed: snapshot.noticed,
                heard: snapshot.heard.map(Timestamp),
            };
            room.connections.restore(id, kept);
        }
        // In the order in which they were stored, since the oldest are forgotten first.
        known.sort_by_key(|(.., Known(_, _, seq, ..))| *seq);
        for (user, sender, Known(id, message_id, seq, number, at)) in known {
            let stored = StoredMessage {
                message_id,
                seq,
                number,
                timestamp: Timestamp(at),
                sender,
            };
            room.send_queue.remember(user, id, stored);
        }
        room
    }

    /// Marks who keeps what became of a send: the connection it came by, or, of one over REST,
    /// some connection of its user.
    pub(super) fn touch_sender(&mut self, user: UserId, origin: Origin) {
        let id = match origin {
            Origin::Connection(id) => Some(id),
            Origin::RequestId(_) => self
                .connections
                .iter()
                .find(|(_, connection)| connection.user_id == user)
                .map(|(id, _)| id),
        };
        if let Some(id) = id {
            self.connections.touch(id);
        }
    }
}
