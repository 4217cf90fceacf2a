//! The sockets of a Room: who they are, what they speak, how far they have been served.

use std::collections::{BTreeMap, BTreeSet};

use super::input::{ConnectionId, NewConnection};
use crate::domain::{Seconds, Seq, SessionId, Timestamp, UserId};
use crate::protocol::HEARTBEAT_TIMEOUT_SECONDS;

/// How long before its end a token's end is announced.
pub(super) const EXPIRY_NOTICE: Seconds = Seconds(60);

/// How long it takes at most until a connection that was heard of is looked at again. Looking
/// wakes a Room that sleeps, so it is done far less often than clients ping, and by default not
/// before the end of a token wakes it anyway.
const LOOK_AFTER: Seconds = Seconds(900);

/// The window in which refused frames are counted, and how many end the connection.
const REFUSAL_WINDOW_MS: i64 = 10_000;
const MAX_REFUSALS: u32 = 100;

/// Which frames a socket is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    V1,
    V2,
}

/// A resume that has not been answered yet. No live event goes out meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Resuming {
    /// The position asked for.
    pub(super) from: Seq,
    /// Whether `from` lies ahead of what the Room knows: the database is asked before refusing.
    pub(super) ahead: bool,
    /// Events sent so far.
    pub(super) count: usize,
}

#[derive(Debug)]
pub(super) struct Connection {
    pub(super) user_id: UserId,
    pub(super) session_id: SessionId,
    pub(super) mode: Mode,
    /// INVARIANT: every event up to here, from the connection's starting point, has been queued
    /// for it in order, exactly once, since its last `hello`, `resume` or `reset`.
    pub(super) delivered: Seq,
    /// Where its user was seen to be a member.
    pub(super) member_at: Seq,
    resuming: Option<Resuming>,
    pub(super) expires_at: Timestamp,
    noticed: bool,
    /// The last sign of life; none while somebody else watches over it.
    heard: Option<Timestamp>,
    refusals: u32,
    refusals_since: Timestamp,
}

/// What of a connection outlives the Room's memory.
pub(super) struct Kept {
    pub(super) user_id: UserId,
    pub(super) session_id: SessionId,
    pub(super) v2: bool,
    pub(super) delivered: Seq,
    pub(super) member_at: Seq,
    pub(super) resuming: Option<Resuming>,
    pub(super) expires_at: Timestamp,
    pub(super) noticed: bool,
    pub(super) heard: Option<Timestamp>,
}

impl Connection {
    pub(super) const fn noticed(&self) -> bool {
        self.noticed
    }

    pub(super) const fn heard(&self) -> Option<Timestamp> {
        self.heard
    }

    fn is_silent(&self, now: Timestamp) -> bool {
        let lost = |heard: Timestamp| heard.plus(Seconds(HEARTBEAT_TIMEOUT_SECONDS)) <= now;
        self.heard.is_some_and(lost)
    }

    pub(super) const fn resuming(&self) -> Option<Resuming> {
        self.resuming
    }

    /// Counts a refused frame; true when it was one too many.
    pub(super) fn refuse(&mut self, now: Timestamp) -> bool {
        if !(0..REFUSAL_WINDOW_MS).contains(&now.millis_since(self.refusals_since)) {
            self.refusals_since = now;
            self.refusals = 0;
        }
        self.refusals += 1;
        self.refusals > MAX_REFUSALS
    }

    /// When time next concerns this connection: the notice (v2 only), then the end; or a look
    /// whether it is still there.
    fn deadline(&self) -> Timestamp {
        let token = if self.mode == Mode::V2 && !self.noticed {
            self.expires_at.plus(Seconds(-EXPIRY_NOTICE.0))
        } else {
            self.expires_at
        };
        self.heard
            .map_or(token, |heard| token.min(heard.plus(LOOK_AFTER)))
    }
}

/// What time brought to a connection.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// Announce the end, so many seconds away.
    Notice(ConnectionId, i64),
    /// It is over.
    Expired(ConnectionId),
    /// Nothing was heard of it for too long.
    Silent(ConnectionId),
}

/// All connections of a Room, ordered so that every run is the same.
#[derive(Debug, Default)]
pub(super) struct Connections {
    all: BTreeMap<ConnectionId, Connection>,
    deadlines: BTreeSet<(Timestamp, ConnectionId)>,
    /// Those with an unanswered resume, so that a busy Room need not look for them among all.
    resuming: BTreeSet<ConnectionId>,
    /// Those whose snapshot would differ from the one last taken.
    unsaved: BTreeSet<ConnectionId>,
}

impl Connections {
    pub(super) fn insert(
        &mut self,
        id: ConnectionId,
        new: NewConnection,
        delivered: Seq,
        now: Timestamp,
    ) {
        let connection = Connection {
            user_id: new.caller.user_id,
            session_id: new.caller.session_id,
            mode: if new.v2 { Mode::V2 } else { Mode::V1 },
            delivered,
            member_at: new.admission.position.seq,
            resuming: None,
            expires_at: new.caller.expires_at,
            noticed: false,
            heard: None,
            refusals: 0,
            refusals_since: now,
        };
        self.add(id, connection);
        self.touch(id);
    }

    /// A connection as it was kept.
    pub(super) fn restore(&mut self, id: ConnectionId, kept: Kept) {
        let connection = Connection {
            user_id: kept.user_id,
            session_id: kept.session_id,
            mode: if kept.v2 { Mode::V2 } else { Mode::V1 },
            delivered: kept.delivered,
            member_at: kept.member_at,
            resuming: None,
            expires_at: kept.expires_at,
            noticed: kept.noticed,
            heard: kept.heard,
            refusals: 0,
            refusals_since: Timestamp(0),
        };
        self.add(id, connection);
        if kept.resuming.is_some() {
            self.set_resuming(id, kept.resuming);
            self.unsaved.remove(&id);
        }
    }

    fn add(&mut self, id: ConnectionId, connection: Connection) {
        let deadline = connection.deadline();
        // A deadline that nobody has any more would be due for ever.
        if let Some(before) = self.all.insert(id, connection) {
            self.deadlines.remove(&(before.deadline(), id));
            self.resuming.remove(&id);
        }
        self.deadlines.insert((deadline, id));
    }

    /// Marks a connection whose snapshot has changed.
    pub(super) fn touch(&mut self, id: ConnectionId) {
        if self.all.contains_key(&id) {
            self.unsaved.insert(id);
        }
    }

    /// Marks all connections like this.
    pub(super) fn touch_where(&mut self, wanted: impl Fn(&Connection) -> bool) {
        let ids = self.ids_where(wanted);
        self.unsaved.extend(ids);
    }

    /// The keeper: the connection that always knows where the Room stands.
    pub(super) fn keeper(&self) -> Option<ConnectionId> {
        self.all.first_key_value().map(|(id, _)| *id)
    }

    /// Marks the keeper.
    pub(super) fn touch_keeper(&mut self) {
        self.unsaved.extend(self.keeper());
    }

    /// Those marked since this was last asked.
    pub(super) fn take_dirty_snapshots(&mut self) -> BTreeSet<ConnectionId> {
        std::mem::take(&mut self.unsaved)
    }

    pub(super) fn remove(&mut self, id: ConnectionId) -> Option<Connection> {
        let was_keeper = self
            .all
            .first_key_value()
            .is_some_and(|(first, _)| *first == id);
        let connection = self.all.remove(&id)?;
        self.deadlines.remove(&(connection.deadline(), id));
        self.resuming.remove(&id);
        self.unsaved.remove(&id);
        if was_keeper {
            self.touch_keeper();
        }
        Some(connection)
    }

    /// Begins, changes or (with `None`) ends a resume.
    pub(super) fn set_resuming(&mut self, id: ConnectionId, resuming: Option<Resuming>) {
        let Some(connection) = self.all.get_mut(&id) else {
            return;
        };
        connection.resuming = resuming;
        if resuming.is_some() {
            self.resuming.insert(id);
        } else {
            self.resuming.remove(&id);
        }
        self.unsaved.insert(id);
    }

    /// Every connection with an unanswered resume.
    pub(super) fn resuming(&self) -> impl Iterator<Item = (ConnectionId, Resuming, Seq)> {
        self.resuming.iter().filter_map(|id| {
            let connection = self.all.get(id)?;
            Some((*id, connection.resuming?, connection.delivered))
        })
    }

    pub(super) fn get(&self, id: ConnectionId) -> Option<&Connection> {
        self.all.get(&id)
    }

    pub(super) fn get_mut(&mut self, id: ConnectionId) -> Option<&mut Connection> {
        self.all.get_mut(&id)
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (ConnectionId, &mut Connection)> {
        self.all
            .iter_mut()
            .map(|(id, connection)| (*id, connection))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (ConnectionId, &Connection)> {
        self.all.iter().map(|(id, connection)| (*id, connection))
    }

    pub(super) fn ids_where(&self, wanted: impl Fn(&Connection) -> bool) -> Vec<ConnectionId> {
        self.iter()
            .filter(|(_, connection)| wanted(connection))
            .map(|(id, _)| id)
            .collect()
    }

    pub(super) fn of_user(&self, user: UserId) -> usize {
        self.all
            .values()
            .filter(|connection| connection.user_id == user)
            .count()
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// Makes it a v2 socket; true when it was none before.
    pub(super) fn become_v2(&mut self, id: ConnectionId) -> bool {
        self.change(id, |connection| {
            let was_v1 = connection.mode == Mode::V1;
            connection.mode = Mode::V2;
            was_v1
        })
        .unwrap_or(false)
    }

    pub(super) fn extend(&mut self, id: ConnectionId, expires_at: Timestamp) {
        self.change(id, |connection| {
            connection.expires_at = expires_at;
            connection.noticed = false;
        });
    }

    /// A sign of life. Not worth a write: the next look finds out again.
    pub(super) fn heard(&mut self, id: ConnectionId, at: Timestamp) {
        let was_unsaved = self.unsaved.contains(&id);
        let is_first = self.change(id, |connection| {
            let before = connection
                .heard
                .replace(at.max(connection.heard.unwrap_or(at)));
            before.is_none()
        });
        if !was_unsaved && is_first == Some(false) {
            self.unsaved.remove(&id);
        }
    }

    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// What is due now; each is returned once. Expired connections stay until removed.
    pub(super) fn due(&mut self, now: Timestamp) -> Vec<Due> {
        let silent = self.ids_where(|connection| connection.is_silent(now));
        let mut due: Vec<Due> = silent.into_iter().map(Due::Silent).collect();
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
                let left = connection.expires_at.millis_since(now).div_euclid(1_000);
                self.change(id, |connection| connection.noticed = true);
                due.push(Due::Notice(id, left));
            }
        }
        due
    }

    /// Every change that may move a deadline goes through here.
    fn change<T>(&mut self, id: ConnectionId, f: impl FnOnce(&mut Connection) -> T) -> Option<T> {
        let connection = self.all.get_mut(&id)?;
        self.deadlines.remove(&(connection.deadline(), id));
        let result = f(connection);
        self.deadlines.insert((connection.deadline(), id));
        self.unsaved.insert(id);
        Some(result)
    }
}
