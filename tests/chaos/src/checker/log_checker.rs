//! Checks the log of one client against the rows of its conversation.

use std::collections::HashMap;

use super::members::MemberView;
use super::order::{SeqOrder, SeqViolation};
use super::rows::StoredRows;
use super::sessions::SessionTracker;
use super::texts::Texts;
use super::{Findings, Violation};
use crate::client_log::{ChangeEvent, ClientKind, Log, LogEntry, MessageContent, MessageEvent};
use crate::message_key::MessageKey;

/// Checks one log from start to end.
pub(super) struct LogChecker<'a> {
    log: &'a Log,
    stored_rows: StoredRows<'a>,
    findings: &'a mut Findings,
    texts: &'a Texts,
    member_view: MemberView<'a>,
    session_tracker: SessionTracker<'a>,
    order: SeqOrder,
    /// Which messages the client has, and the newest version of each that it received.
    messages_received: Vec<bool>,
    newest_versions: Vec<u64>,
    /// Which of the other events it has.
    changes_received: Vec<bool>,
    sent: HashMap<MessageKey, u32>,
    /// Messages acknowledged as new.
    acknowledged_new: HashMap<MessageKey, u32>,
}

impl<'a> LogChecker<'a> {
    pub(super) fn new(
        log: &'a Log,
        stored_rows: StoredRows<'a>,
        (texts, member_view, session_tracker): (&'a Texts, MemberView<'a>, SessionTracker<'a>),
        findings: &'a mut Findings,
    ) -> Self {
        Self {
            log,
            stored_rows,
            findings,
            texts,
            member_view,
            session_tracker,
            order: SeqOrder::default(),
            messages_received: vec![false; stored_rows.stored.rows.len()],
            newest_versions: vec![0; stored_rows.stored.rows.len()],
            changes_received: vec![false; stored_rows.stored.changes.len()],
            sent: HashMap::new(),
            acknowledged_new: HashMap::new(),
        }
    }

    pub(super) fn run(mut self) {
        for entry in &self.log.entries {
            self.check_entry(entry);
        }
        for sentence in &self.log.violations {
            self.report(Violation::Other, || sentence.clone());
        }
        if self.log.was_refused_as_non_member() && !self.member_view.was_removed() {
            self.report(Violation::Other, || {
                "a member was refused as a non-member".to_owned()
            });
        }
        if self.log.client_kind != ClientKind::GroupAdmin {
            self.check_completeness();
        }
    }

    /// Reports the events that the client does not have at the end.
    fn check_completeness(&mut self) {
        let rows = self
            .stored_rows
            .stored
            .rows
            .iter()
            .zip(&self.messages_received);
        let mut missing: Vec<u64> = rows
            .filter(|(_, received)| !**received)
            .map(|(row, _)| row.seq)
            .collect();
        // Only v2 clients receive events other than messages.
        if self.log.client_kind == ClientKind::V2 {
            let changes = self
                .stored_rows
                .stored
                .changes
                .iter()
                .zip(&self.changes_received);
            missing.extend(
                changes
                    .filter(|(_, received)| !**received)
                    .map(|(change, _)| change.seq),
            );
        }
        if let Some(first) = missing.iter().min() {
            let count = missing.len();
            self.report(Violation::Missing, || {
                format!("{count} events never received, the first of them {first}")
            });
        }
        let rows = self
            .stored_rows
            .stored
            .rows
            .iter()
            .zip(&self.newest_versions);
        let is_old = |(row, newest_version): &(&MessageEvent, &u64)| {
            (1..row.content.version).contains(*newest_version)
        };
        let old: Vec<u64> = rows.filter(is_old).map(|(row, _)| row.message_id).collect();
        if let Some(first) = old.first() {
            let count = old.len();
            self.report(Violation::Missing, || {
                format!("{count} messages in an old version, the first of them {first}")
            });
        }
    }

    fn check_entry(&mut self, entry: &LogEntry) {
        if let Some((violation, sentence)) = self.session_tracker.entry(entry) {
            self.report(violation, || sentence);
        }
        match *entry {
            LogEntry::Opened {
                hello_seq,
                established_at,
                ..
            } => {
                self.order.opened(hello_seq);
                self.member_view.opened(hello_seq, established_at);
            }
            LogEntry::Sent { key, .. } => *self.sent.entry(key).or_default() += 1,
            LogEntry::Acknowledged { key, .. } => self.check_ack(key, entry),
            LogEntry::ChangeAcknowledged {
                message_id,
                seq: Some(seq),
                ..
            } => self.check_edit_ack(message_id, seq, entry),
            LogEntry::ChangeSent { .. }
            | LogEntry::ChangeAcknowledged { .. }
            | LogEntry::RemovalAcknowledged { .. }
            | LogEntry::AddSent { .. }
            | LogEntry::LogoutSent { .. }
            | LogEntry::LogoutAcknowledged { .. }
            | LogEntry::SessionRefused { .. }
            | LogEntry::RefreshLost { .. }
            | LogEntry::RequestAccepted { .. }
            | LogEntry::Pinged { .. }
            | LogEntry::Ponged => {}
            LogEntry::ResumeSent { since } => self.order.resume_sent(since),
            LogEntry::MessageReceived(event) => {
                self.check_delivery(event.seq, entry);
                self.check_message(event);
            }
            LogEntry::ChangeReceived { change, content } => {
                self.check_delivery(change.seq, entry);
                self.check_change(change, content);
            }
            LogEntry::Synced { from, to } => {
                let broken = self.order.synced(from, to);
                self.report_seq(broken, entry);
            }
            LogEntry::Reset { to } => {
                self.order.reset(to);
                // The history contains their effects.
                let before = self
                    .stored_rows
                    .stored
                    .changes
                    .partition_point(|change| change.seq <= to);
                self.changes_received
                    .iter_mut()
                    .take(before)
                    .for_each(|received| *received = true);
            }
            LogEntry::HistoryRead(event) => self.check_message(event),
        }
    }

    /// An event must be the next one of its socket, and must not follow the member's removal.
    fn check_delivery(&mut self, seq: u64, entry: &LogEntry) {
        let broken = self.order.event(seq);
        self.report_seq(broken, entry);
        if let Some(removal) = self.member_view.event(seq) {
            self.report(Violation::DeliveredAfterRemoval, || {
                format!("removed at {removal}, {entry:?}")
            });
        }
    }

    fn check_ack(&mut self, key: MessageKey, entry: &LogEntry) {
        let LogEntry::Acknowledged {
            message_id,
            seq,
            number,
            duplicate,
            ..
        } = *entry
        else {
            return;
        };
        let row = self.stored_rows.named(key);
        let is_stored =
            |row: &MessageEvent| (row.message_id, row.seq, row.number) == (message_id, seq, number);
        if !row.is_some_and(is_stored) {
            self.report(Violation::Lost, || {
                format!("{entry:?}, but stored is {row:?}")
            });
        }
        let sent = self.sent.get(&key).copied().unwrap_or_default();
        if duplicate && sent < 2 {
            self.report(Violation::Other, || format!("{entry:?}, sent {sent} times"));
        }
        if !duplicate {
            let times = self.acknowledged_new.entry(key).or_default();
            *times += 1;
            if *times > 1 {
                self.report(Violation::Duplicated, || {
                    format!("acknowledged as new twice: {entry:?}")
                });
            }
        }
    }

    /// The `seq` of an acknowledged edit must be that of its event.
    fn check_edit_ack(&mut self, message_id: u64, seq: u64, entry: &LogEntry) {
        let at = self.stored_rows.change_at(seq);
        let change = at.and_then(|at| self.stored_rows.stored.changes.get(at));
        if change.is_none_or(|change| change.message_id != Some(message_id)) {
            self.report(Violation::Lost, || {
                format!("{entry:?}, but stored is {change:?}")
            });
        }
    }

    /// A received or loaded message must be stored like this.
    fn check_message(&mut self, event: MessageEvent) {
        let at = self.stored_rows.at(event.seq);
        let row = at.and_then(|at| self.stored_rows.row(at));
        let is_same = |row: &MessageEvent| {
            MessageEvent {
                content: event.content,
                ..*row
            } == event
        };
        if let Some(at) = at.filter(|_| row.is_some_and(is_same)) {
            self.check_version(at, event.content);
            if let Some(received) = self.messages_received.get_mut(at) {
                *received = true;
            }
            return;
        }
        // Stored at another position, the order differs; not stored at all, it is lost.
        let violation = match self.stored_rows.named(event.key) {
            Some(_) => Violation::Reordered,
            None => Violation::Lost,
        };
        self.report(violation, || {
            format!("received {event:?}, but stored is {row:?}")
        });
    }

    /// A received change must be stored like this.
    fn check_change(&mut self, change: ChangeEvent, content: Option<MessageContent>) {
        let at = self.stored_rows.change_at(change.seq);
        let stored = at.and_then(|at| self.stored_rows.stored.changes.get(at));
        if stored != Some(&change) {
            let there = stored.is_some() || self.stored_rows.at(change.seq).is_some();
            let violation = if there {
                Violation::Reordered
            } else {
                Violation::Lost
            };
            self.report(violation, || {
                format!("received {change:?}, but stored is {stored:?}")
            });
            return;
        }
        if let Some(received) = at.and_then(|at| self.changes_received.get_mut(at)) {
            *received = true;
        }
        let row = change
            .message_id
            .and_then(|id| self.stored_rows.with_id(id));
        if let (Some(at), Some(content)) = (row, content) {
            self.check_version(at, content);
        }
    }

    /// A received version must be the stored one or an earlier one.
    fn check_version(&mut self, at: usize, content: MessageContent) {
        let Some(row) = self.stored_rows.row(at) else {
            return;
        };
        let newest = row.content;
        if content.version > newest.version
            || (content.version == newest.version && content != newest)
        {
            self.report(Violation::Lost, || {
                format!("received {content:?} of {row:?}")
            });
        } else if !self.texts.allows(row.key, content) {
            self.report(Violation::Other, || {
                format!("received {content:?} of {row:?}, which no client sent")
            });
        }
        if let Some(newest_version) = self.newest_versions.get_mut(at) {
            *newest_version = content.version.max(*newest_version);
        }
    }

    fn report_seq(&mut self, broken: Option<SeqViolation>, entry: &LogEntry) {
        let Some(broken) = broken else { return };
        let violation = match broken {
            // A v1 socket receives messages only.
            SeqViolation::Gap { position }
                if self.log.client_kind == ClientKind::V1
                    && !self.is_gap_of_messages(position, entry) =>
            {
                return;
            }
            SeqViolation::Repeated { .. } => Violation::Duplicated,
            SeqViolation::Gap { .. } | SeqViolation::SyncMismatch(_) => Violation::Reordered,
        };
        self.report(violation, || format!("{broken:?} at {entry:?}"));
    }

    fn is_gap_of_messages(&self, position: u64, entry: &LogEntry) -> bool {
        match *entry {
            LogEntry::MessageReceived(event) => {
                self.stored_rows.has_message_between(position, event.seq)
            }
            _ => true,
        }
    }

    fn report(&mut self, violation: Violation, sentence: impl FnOnce() -> String) {
        let (client, client_kind, conversation) =
            (self.log.client, self.log.client_kind, self.log.conversation);
        self.findings.add(violation, || {
            format!(
                "client {client} ({client_kind:?}, {conversation:?}): {}",
                sentence()
            )
        });
    }
}
