//! Who was removed and added again, by the database and by the logs of who did it, and the rule that
//! follows: a socket that was let in before a departure gets nothing from there on.
//!
//! When a socket was let in is told by where it was greeted, but a Room that lags greets further
//! back than it lets in. So the rule is kept to where nobody can have come back: an n-th return needs
//! n requests to add that were sent before the socket was open.

use std::collections::{BTreeMap, HashMap};
use std::time::Instant;

use super::{Fault, Findings, Stored};
use crate::log::{Entry, Kind, Log, Room};

#[derive(Debug, Default)]
pub(super) struct Members {
    /// When requests were sent that may have added somebody.
    admissions: HashMap<(Room, u64), Vec<Instant>>,
    /// How many removals of somebody were acknowledged; between two of them they were added again.
    removed: BTreeMap<(Room, u64), usize>,
}

impl Members {
    pub(super) fn of(logs: &[Log]) -> Self {
        let mut members = Self::default();
        for log in logs {
            for entry in &log.entries {
                match *entry {
                    Entry::Admitting { user_id, sent } => {
                        let admissions = members.admissions.entry((log.room, user_id));
                        admissions.or_default().push(sent);
                    }
                    Entry::Removed { user_id } => {
                        *members.removed.entry((log.room, user_id)).or_default() += 1;
                    }
                    _ => {}
                }
            }
        }
        members
    }

    /// Each acknowledged removal is stored.
    pub(super) fn check(&self, all: &BTreeMap<Room, Stored>, findings: &mut Findings) {
        for ((room, user_id), removed) in &self.removed {
            let stored = all
                .get(room)
                .map_or(0, |stored| left(stored, *user_id).len());
            if stored < *removed {
                findings.add(Fault::Lost, || {
                    format!("{room:?}: {user_id} was removed {removed} times, stored are {stored}")
                });
            }
        }
    }

    /// What one client may hear.
    pub(super) fn hearing(&self, log: &Log, stored: &Stored) -> Hearing<'_> {
        let admissions = self.admissions.get(&(log.room, log.user_id));
        Hearing {
            left: left(stored, log.user_id),
            admissions: admissions.map_or(&[], Vec::as_slice),
            returns: 0,
            at: None,
        }
    }
}

/// Where this member's departures are, ascending.
fn left(stored: &Stored, user_id: u64) -> Vec<u64> {
    let changes = stored.changes.iter();
    let left = changes.filter(|change| change.kind == Kind::Left && change.user_id == user_id);
    left.map(|change| change.seq).collect()
}

/// One client's departures, and its socket.
#[derive(Debug)]
pub(super) struct Hearing<'a> {
    left: Vec<u64>,
    admissions: &'a [Instant],
    /// How often it can have come back before its socket was open.
    returns: usize,
    /// Where its socket was greeted; a v1 socket is not, and was let in before the first it heard.
    at: Option<u64>,
}

impl Hearing<'_> {
    pub(super) fn was_removed(&self) -> bool {
        !self.left.is_empty()
    }

    pub(super) fn opened(&mut self, at: Option<u64>, came: Instant) {
        self.at = at;
        let before = self.admissions.iter().filter(|sent| **sent < came);
        self.returns = before.count();
    }

    /// The departure after which this event must not have come.
    pub(super) fn event(&mut self, seq: u64) -> Option<u64> {
        let at = *self.at.get_or_insert(seq);
        let mut for_good = self.left.iter().skip(self.returns).copied();
        for_good.find(|left| at < *left && *left <= seq)
    }
}
