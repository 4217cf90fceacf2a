//! Compares the logs of all clients with the databases and reports every contradiction.
//!
//! A pure function of logs and rows: it knows no server, and its own tests feed it doctored logs.
//! It checks the guarantees of `docs/protocol.md`: acknowledged and delivered messages are stored,
//! once for each `client_message_id`, in one order for all clients; `seq` is dense; after its last
//! resume every member has every event and the newest version of every message; a removed member or
//! a revoked session receives nothing more.

#[cfg(test)]
mod changes_tests;
mod log_checker;
mod members;
#[cfg(test)]
mod members_tests;
mod order;
mod rows;
mod sessions;
#[cfg(test)]
mod sessions_tests;
mod tally;
#[cfg(test)]
mod tests;
mod texts;

use std::collections::{BTreeMap, HashMap};

use crate::client_log::{ChangeEvent, ConversationKey, Log, MessageEvent};
use log_checker::LogChecker;
use members::Memberships;
use rows::{RowIndex, StoredRows};
use sessions::Sessions;
pub(crate) use tally::tally;
use texts::Texts;

/// How many violations of a kind are described; all are counted.
const MAX_DESCRIBED: u64 = 8;

/// The kinds of violations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Violation {
    /// Acknowledged or delivered, but not stored like this.
    Lost,
    /// Stored or delivered twice, or acknowledged as new twice.
    Duplicated,
    /// Delivered in another order than stored, or with a gap.
    Reordered,
    /// Not delivered to a member, not even by the last resume.
    Missing,
    /// Delivered to a removed member.
    DeliveredAfterRemoval,
    /// Delivered to, or accepted from, a revoked session.
    DeliveredAfterLogout,
    /// Any other violation of the protocol.
    Other,
}

/// A conversation as stored: its counters, its messages, and its other events by `seq`.
#[derive(Clone, Debug, Default)]
pub(crate) struct StoredConversation {
    pub(crate) seq: u64,
    pub(crate) number: u64,
    pub(crate) rows: Vec<MessageEvent>,
    pub(crate) changes: Vec<ChangeEvent>,
}

/// All violations found.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub(crate) counts: BTreeMap<Violation, u64>,
    pub(crate) sentences: Vec<String>,
}

impl Findings {
    pub(crate) fn add(&mut self, violation: Violation, sentence: impl FnOnce() -> String) {
        let count = self.counts.entry(violation).or_default();
        *count += 1;
        if *count <= MAX_DESCRIBED {
            self.sentences
                .push(format!("{violation:?}: {}", sentence()));
        }
    }

    pub(crate) fn count(&self, violation: Violation) -> u64 {
        self.counts.get(&violation).copied().unwrap_or_default()
    }
}

/// Compares all logs with all conversations.
pub(crate) fn check(
    stored: &BTreeMap<ConversationKey, StoredConversation>,
    logs: &[Log],
) -> Findings {
    let mut findings = Findings::default();
    let (texts, members, sessions) = (Texts::of(logs), Memberships::of(logs), Sessions::of(logs));
    let mut indices = HashMap::new();
    for (conversation, stored) in stored {
        indices.insert(
            *conversation,
            rows::index(*conversation, stored, &texts, &mut findings),
        );
    }
    members.check(stored, &mut findings);
    let (no_rows, no_index) = (StoredConversation::default(), RowIndex::default());
    for log in logs {
        let stored_rows = StoredRows {
            stored: stored.get(&log.conversation).unwrap_or(&no_rows),
            index: indices.get(&log.conversation).unwrap_or(&no_index),
        };
        let member_view = members.member_view(log, stored_rows.stored);
        let checks = (&texts, member_view, sessions.track(log, stored_rows.stored));
        LogChecker::new(log, stored_rows, checks, &mut findings).run();
    }
    findings
}
