//! All connections of a Room, with indexes for their deadlines, pending resumes and dirty
//! snapshots. Ordered by id, so that runs are deterministic.

mod connection;

use std::collections::{BTreeMap, BTreeSet};

use super::input::{ConnectionId, NewConnection};
use crate::domain::{Seq, Timestamp, UserId};
pub(super) use connection::{Connection, Due, PendingResume, RestoredConnection};

#[derive(Debug, Default)]
pub(super) struct Connections {
    all: BTreeMap<ConnectionId, Connection>,
    deadlines: BTreeSet<(Timestamp, ConnectionId)>,
    /// The connections whose pending resume can go on, so that a busy Room need not search for them.
    resuming: BTreeSet<ConnectionId>,
    /// The connections whose snapshot has changed since it was last taken.
    dirty: BTreeSet<ConnectionId>,
}

impl Connections {
    pub(super) fn insert(&mut self, id: ConnectionId, new: NewConnection, delivered: Seq) {
        self.add(id, Connection::new(new, delivered));
        self.mark_dirty(id);
    }

    /// Adds a connection from its snapshot, which is not dirty.
    pub(super) fn restore(&mut self, id: ConnectionId, restored: RestoredConnection) {
        self.add(id, restored.into());
    }

    fn add(&mut self, id: ConnectionId, connection: Connection) {
        // An id twice among the snapshots must not leave a deadline without a connection, which
        // would be due forever.
        if let Some(replaced) = self.all.remove(&id) {
            self.deadlines.remove(&(replaced.deadline(), id));
            self.resuming.remove(&id);
        }
        if connection.pending_resume.is_some() {
            self.resuming.insert(id);
        }
        self.deadlines.insert((connection.deadline(), id));
        self.all.insert(id, connection);
    }

    /// Marks the snapshot of a connection as changed.
    pub(super) fn mark_dirty(&mut self, id: ConnectionId) {
        if self.all.contains_key(&id) {
            self.dirty.insert(id);
        }
    }

    pub(super) fn mark_dirty_where(&mut self, predicate: impl Fn(&Connection) -> bool) {
        let ids = self.ids_where(predicate);
        self.dirty.extend(ids);
    }

    /// The checkpoint connection: the oldest one, whose snapshot always has the current head.
    pub(super) fn checkpoint_connection(&self) -> Option<ConnectionId> {
        self.all.first_key_value().map(|(id, _)| *id)
    }

    pub(super) fn mark_checkpoint_dirty(&mut self) {
        self.dirty.extend(self.checkpoint_connection());
    }

    /// The connections marked since the last call.
    pub(super) fn take_dirty(&mut self) -> BTreeSet<ConnectionId> {
        std::mem::take(&mut self.dirty)
    }

    pub(super) fn remove(&mut self, id: ConnectionId) -> Option<Connection> {
        let was_checkpoint = self.checkpoint_connection() == Some(id);
        let connection = self.all.remove(&id)?;
        self.deadlines.remove(&(connection.deadline(), id));
        self.resuming.remove(&id);
        self.dirty.remove(&id);
        if was_checkpoint {
            self.mark_checkpoint_dirty();
        }
        Some(connection)
    }

    /// Starts, updates or (with `None`) ends a resume.
    pub(super) fn set_pending_resume(
        &mut self,
        id: ConnectionId,
        pending_resume: Option<PendingResume>,
    ) {
        let Some(connection) = self.all.get_mut(&id) else {
            return;
        };
        connection.pending_resume = pending_resume;
        self.dirty.insert(id);
        self.index_resume(id);
    }

    /// Records that a part of a resume is queued, or that the client has taken it.
    pub(super) fn set_awaits_drain(&mut self, id: ConnectionId, awaits_drain: bool) {
        if let Some(connection) = self.all.get_mut(&id) {
            connection.awaits_drain = awaits_drain;
            self.index_resume(id);
        }
    }

    fn index_resume(&mut self, id: ConnectionId) {
        let is_ready = |connection: &Connection| {
            connection.pending_resume.is_some() && !connection.awaits_drain
        };
        if self.all.get(&id).is_some_and(is_ready) {
            self.resuming.insert(id);
        } else {
            self.resuming.remove(&id);
        }
    }

    /// Every pending resume that can go on, with how far its connection has been served.
    pub(super) fn pending_resumes(
        &self,
    ) -> impl Iterator<Item = (ConnectionId, PendingResume, Seq)> {
        self.resuming.iter().filter_map(|id| {
            let connection = self.all.get(id)?;
            Some((*id, connection.pending_resume?, connection.delivered))
        })
    }

    pub(super) fn get(&self, id: ConnectionId) -> Option<&Connection> {
        self.all.get(&id)
    }

    pub(super) fn get_mut(&mut self, id: ConnectionId) -> Option<&mut Connection> {
        self.all.get_mut(&id)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (ConnectionId, &Connection)> {
        self.all.iter().map(|(id, connection)| (*id, connection))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (ConnectionId, &mut Connection)> {
        self.all
            .iter_mut()
            .map(|(id, connection)| (*id, connection))
    }

    pub(super) fn ids_where(&self, predicate: impl Fn(&Connection) -> bool) -> Vec<ConnectionId> {
        self.iter()
            .filter(|(_, connection)| predicate(connection))
            .map(|(id, _)| id)
            .collect()
    }

    pub(super) fn count_of_user(&self, user_id: UserId) -> usize {
        self.all
            .values()
            .filter(|connection| connection.user_id == user_id)
            .count()
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn is_v2(&self, id: ConnectionId) -> bool {
        self.get(id).is_some_and(Connection::is_v2)
    }

    /// Switches a socket to v2; true when it was v1 before.
    pub(super) fn upgrade_to_v2(&mut self, id: ConnectionId) -> bool {
        self.update(id, |connection| {
            !std::mem::replace(&mut connection.v2, true)
        })
        .unwrap_or(false)
    }

    pub(super) fn extend_expiry(&mut self, id: ConnectionId, expires_at: Timestamp) {
        self.update(id, |connection| {
            connection.expires_at = expires_at;
            connection.expiry_announced = false;
        });
    }

    /// Records a heartbeat. Only the first one marks the snapshot dirty: an older time restored
    /// from it is corrected by the heartbeats passed before the next check.
    pub(super) fn record_heartbeat(&mut self, id: ConnectionId, at: Timestamp) {
        let was_dirty = self.dirty.contains(&id);
        let is_first = self.update(id, |connection| {
            let before = connection
                .last_heartbeat
                .replace(at.max(connection.last_heartbeat.unwrap_or(at)));
            before.is_none()
        });
        if !was_dirty && is_first == Some(false) {
            self.dirty.remove(&id);
        }
    }

    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// Takes the deadlines that have passed. Each is returned once; expired connections stay until
    /// they are removed.
    pub(super) fn take_due(&mut self, now: Timestamp) -> Vec<Due> {
        let silent = self.ids_where(|connection| connection.is_silent(now));
        let mut due: Vec<Due> = silent.into_iter().map(Due::HeartbeatLost).collect();
        while let Some((at, id)) = self.deadlines.first().copied().filter(|(at, _)| *at <= now) {
            let Some(connection) = self.all.get_mut(&id) else {
                self.deadlines.remove(&(at, id));
                continue;
            };
            if connection.is_silent(now) {
                self.deadlines.remove(&(at, id));
            } else if connection.expires_at <= now {
                self.deadlines.remove(&(at, id));
                due.push(Due::Expired(id));
            } else {
                let left_ms = connection.expires_at.millis_since(now);
                self.update(id, |connection| connection.expiry_announced = true);
                due.push(Due::ExpiryNotice(id, left_ms.div_euclid(1_000)));
            }
        }
        due
    }

    /// Applies a change that may move the deadline of a connection, and marks it dirty.
    fn update<T>(&mut self, id: ConnectionId, f: impl FnOnce(&mut Connection) -> T) -> Option<T> {
        let connection = self.all.get_mut(&id)?;
        self.deadlines.remove(&(connection.deadline(), id));
        let result = f(connection);
        self.deadlines.insert((connection.deadline(), id));
        self.dirty.insert(id);
        Some(result)
    }
}
