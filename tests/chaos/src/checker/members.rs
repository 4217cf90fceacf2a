//! Which members were removed and added again, by the database and the group admins' logs, and the
//! rule that follows: a socket admitted before a removal receives no event from the removal on.
//!
//! A socket is admitted at the `seq` of its `hello`, but a room that lags reports an older `seq`. So
//! the rule applies only where the user cannot have been added again: the n-th return needs n add
//! requests sent before the socket was open.

use std::collections::{BTreeMap, HashMap};
use std::time::Instant;

use super::{Findings, StoredConversation, Violation};
use crate::client_log::{ChangeKind, ConversationKey, Log, LogEntry};

#[derive(Debug, Default)]
pub(super) struct Memberships {
    /// When requests were sent that may have added a user.
    admissions: HashMap<(ConversationKey, u64), Vec<Instant>>,
    /// Acknowledged removals of each user; between two of them the user was added again.
    removed: BTreeMap<(ConversationKey, u64), usize>,
}

impl Memberships {
    pub(super) fn of(logs: &[Log]) -> Self {
        let mut members = Self::default();
        for log in logs {
            for entry in &log.entries {
                match *entry {
                    LogEntry::AddSent { user_id, sent } => {
                        let admissions = members.admissions.entry((log.conversation, user_id));
                        admissions.or_default().push(sent);
                    }
                    LogEntry::RemovalAcknowledged { user_id } => {
                        *members
                            .removed
                            .entry((log.conversation, user_id))
                            .or_default() += 1;
                    }
                    _ => {}
                }
            }
        }
        members
    }

    /// Checks that each acknowledged removal is stored.
    pub(super) fn check(
        &self,
        all: &BTreeMap<ConversationKey, StoredConversation>,
        findings: &mut Findings,
    ) {
        for ((conversation, user_id), removed) in &self.removed {
            let stored = all
                .get(conversation)
                .map_or(0, |stored| removals(stored, *user_id).len());
            if stored < *removed {
                findings.add(Violation::Lost, || {
                    format!("{conversation:?}: {user_id} was removed {removed} times, stored are {stored}")
                });
            }
        }
    }

    /// What one client may receive.
    pub(super) fn member_view(&self, log: &Log, stored: &StoredConversation) -> MemberView<'_> {
        let admissions = self.admissions.get(&(log.conversation, log.user_id));
        MemberView {
            removals: removals(stored, log.user_id),
            admissions: admissions.map_or(&[], Vec::as_slice),
            returns: 0,
            at: None,
        }
    }
}

/// The `seq`s of this member's removals, ascending.
fn removals(stored: &StoredConversation, user_id: u64) -> Vec<u64> {
    let changes = stored.changes.iter();
    let removals =
        changes.filter(|change| change.kind == ChangeKind::Left && change.user_id == user_id);
    removals.map(|change| change.seq).collect()
}

/// The removals of one client's user, and the client's socket.
#[derive(Debug)]
pub(super) struct MemberView<'a> {
    removals: Vec<u64>,
    admissions: &'a [Instant],
    /// How often the user can have been added again before the socket was open.
    returns: usize,
    /// The `seq` of its `hello`; for a v1 socket, that of its first event.
    at: Option<u64>,
}

impl MemberView<'_> {
    pub(super) fn was_removed(&self) -> bool {
        !self.removals.is_empty()
    }

    pub(super) fn opened(&mut self, at: Option<u64>, established_at: Instant) {
        self.at = at;
        let before = self
            .admissions
            .iter()
            .filter(|sent| **sent < established_at);
        self.returns = before.count();
    }

    /// The removal that forbids this event.
    pub(super) fn event(&mut self, seq: u64) -> Option<u64> {
        let at = *self.at.get_or_insert(seq);
        let mut permanent = self.removals.iter().skip(self.returns).copied();
        permanent.find(|removal| at < *removal && *removal <= seq)
    }
}
