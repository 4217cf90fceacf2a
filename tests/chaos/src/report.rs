//! The report of a run: violations, the table of counts, and the command that replays it.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;

use crate::checker::{Findings, Violation, tally};
use crate::client_log::{ClientKind, Log, LogEntry};
use crate::faults::Injected;
use crate::message_key::{MessageKey, MessageText};
use crate::plan::FaultKind;

/// The outcome of a run.
pub(crate) struct Outcome<'a> {
    pub(crate) host: &'a str,
    pub(crate) seed: u64,
    pub(crate) minutes: f64,
    pub(crate) logs: &'a [Log],
    pub(crate) injected: &'a Injected,
    /// All kinds of faults that the host supports.
    pub(crate) supported: &'a [FaultKind],
    pub(crate) findings: &'a Findings,
    /// Deliveries read back from the database.
    pub(crate) probed: u64,
}

#[derive(Default)]
struct Totals {
    clients: BTreeMap<ClientKind, u64>,
    sent: u64,
    times: u64,
    acknowledged: u64,
    acknowledged_to_sdk: u64,
    changes_sent: HashSet<(MessageKey, MessageText)>,
    changes_acknowledged: HashSet<(MessageKey, MessageText)>,
    removed: u64,
    logouts: u64,
    refreshes_lost: u64,
    delivered: u64,
    sockets: u64,
    resumes: u64,
    resets: u64,
    loaded: u64,
    closes: BTreeMap<u16, u32>,
    refusals: BTreeMap<String, u32>,
}

impl Totals {
    fn of(logs: &[Log]) -> Self {
        let mut totals = Self::default();
        for log in logs {
            *totals.clients.entry(log.client_kind).or_default() += 1;
            let (sent, times, acknowledged) = tally(log);
            totals.sent += sent;
            totals.times += times;
            totals.acknowledged += acknowledged;
            if log.client_kind == ClientKind::Sdk {
                totals.acknowledged_to_sdk += acknowledged;
            }
            for entry in &log.entries {
                match entry {
                    LogEntry::Opened { .. } => totals.sockets += 1,
                    LogEntry::MessageReceived(_) | LogEntry::ChangeReceived { .. } => {
                        totals.delivered += 1;
                    }
                    LogEntry::ChangeSent { key, text } => {
                        totals.changes_sent.insert((*key, *text));
                    }
                    LogEntry::ChangeAcknowledged { key, text, .. } => {
                        totals.changes_acknowledged.insert((*key, *text));
                    }
                    LogEntry::RemovalAcknowledged { .. } => totals.removed += 1,
                    LogEntry::LogoutAcknowledged { .. } => totals.logouts += 1,
                    LogEntry::RefreshLost { .. } => totals.refreshes_lost += 1,
                    LogEntry::Synced { .. } => totals.resumes += 1,
                    LogEntry::Reset { .. } => totals.resets += 1,
                    LogEntry::HistoryRead(_) => totals.loaded += 1,
                    LogEntry::Sent { .. }
                    | LogEntry::Acknowledged { .. }
                    | LogEntry::AddSent { .. }
                    | LogEntry::LogoutSent { .. }
                    | LogEntry::SessionRefused { .. }
                    | LogEntry::RequestAccepted { .. }
                    | LogEntry::Pinged { .. }
                    | LogEntry::Ponged
                    | LogEntry::ResumeSent { .. } => {}
                }
            }
            for (code, count) in &log.closes {
                *totals.closes.entry(*code).or_default() += count;
            }
            for (code, count) in &log.refusals {
                *totals.refusals.entry(code.clone()).or_default() += count;
            }
        }
        totals
    }
}

impl Outcome<'_> {
    /// Whether there is no violation and everything was exercised.
    pub(crate) fn is_good(&self) -> bool {
        self.findings.counts.is_empty() && self.not_exercised(&Totals::of(self.logs)).is_empty()
    }

    /// What the run did not exercise; a run that skipped it proves nothing.
    fn not_exercised(&self, totals: &Totals) -> Vec<String> {
        let mut not_exercised = Vec::new();
        if totals.acknowledged == 0 {
            not_exercised.push("no message was acknowledged".to_owned());
        }
        let has_sdk = totals.clients.contains_key(&ClientKind::Sdk);
        if has_sdk && totals.acknowledged_to_sdk == 0 {
            not_exercised.push("no message of the SDK was acknowledged".to_owned());
        }
        if totals.logouts == 0 {
            not_exercised.push("no client logged out".to_owned());
        }
        if totals.refreshes_lost == 0 {
            not_exercised.push("no response of a refresh was lost".to_owned());
        }
        if self.injected.is_empty() {
            not_exercised.push("no fault was injected".to_owned());
            return not_exercised;
        }
        let never = self.supported.iter();
        let never = never.filter(|kind| !self.injected.contains_key(kind));
        not_exercised.extend(never.map(|kind| format!("fault never injected: {kind}")));
        not_exercised
    }

    /// The whole report.
    pub(crate) fn text(&self) -> String {
        let totals = Totals::of(self.logs);
        let mut text = String::new();
        for sentence in &self.findings.sentences {
            let _ = writeln!(text, "{sentence}");
        }
        for sentence in self.not_exercised(&totals) {
            let _ = writeln!(text, "Not exercised: {sentence}");
        }
        let _ = writeln!(text, "\ntorture, {}", self.host);
        let mut row = |name: &str, value: String| {
            let _ = writeln!(text, "  {name:<32} {value:>10}");
        };
        let client_kinds = [
            (ClientKind::V2, "v2"),
            (ClientKind::V1, "v1"),
            (ClientKind::Rest, "REST"),
            (ClientKind::Sdk, "SDK"),
            (ClientKind::GroupAdmin, "group admin"),
        ];
        for (client_kind, name) in client_kinds {
            let count = totals
                .clients
                .get(&client_kind)
                .copied()
                .unwrap_or_default();
            row(&format!("clients, {name}"), count.to_string());
        }
        row("messages sent", totals.sent.to_string());
        row("  with repeats", totals.times.to_string());
        row("messages acknowledged", totals.acknowledged.to_string());
        row("  to the SDK", totals.acknowledged_to_sdk.to_string());
        let (edits, deletions) = edits_and_deletions(&totals.changes_sent);
        row("edits sent", edits);
        row("  deletions sent", deletions);
        let (edits, deletions) = edits_and_deletions(&totals.changes_acknowledged);
        row("edits acknowledged", edits);
        row("  deletions acknowledged", deletions);
        row("members removed", totals.removed.to_string());
        row("logouts", totals.logouts.to_string());
        row(
            "refresh responses dropped",
            totals.refreshes_lost.to_string(),
        );
        row("events delivered", totals.delivered.to_string());
        row("  read back at once", self.probed.to_string());
        row("messages read over REST", totals.loaded.to_string());
        row("sockets opened", totals.sockets.to_string());
        row("resumes answered", totals.resumes.to_string());
        row("resets", totals.resets.to_string());
        row(
            "faults injected",
            self.injected.values().sum::<u64>().to_string(),
        );
        for (kind, count) in self.injected {
            row(&format!("  {kind}"), count.to_string());
        }
        for (code, count) in &totals.closes {
            row(&format!("sockets closed with {code}"), count.to_string());
        }
        for (code, count) in &totals.refusals {
            row(&format!("refused as {code}"), count.to_string());
        }
        let violations = [
            (Violation::Lost, "lost"),
            (Violation::Duplicated, "duplicated"),
            (Violation::Reordered, "reordered"),
            (Violation::Missing, "clients with missing events"),
            (Violation::DeliveredAfterRemoval, "delivered after removal"),
            (Violation::DeliveredAfterLogout, "delivered after logout"),
            (Violation::Other, "other violations"),
        ];
        for (violation, name) in violations {
            row(name, self.findings.count(violation).to_string());
        }
        let _ = writeln!(text, "{}", self.replay());
        text
    }

    fn replay(&self) -> String {
        let clients = self.logs.len();
        format!(
            "replay: cargo xtask torture --host {} --minutes {} --clients {clients} --seed {}",
            self.host, self.minutes, self.seed
        )
    }
}

/// The numbers of edits and of deletions.
fn edits_and_deletions(texts: &HashSet<(MessageKey, MessageText)>) -> (String, String) {
    let deletions = texts
        .iter()
        .filter(|(_, text)| *text == MessageText::Deleted)
        .count();
    ((texts.len() - deletions).to_string(), deletions.to_string())
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::client_log::ConversationKey;

    const SUPPORTED: [FaultKind; 2] = [FaultKind::ServerKilled, FaultKind::AllConnectionsReset];

    /// A client that sent a message, had it acknowledged, and logged out.
    fn log() -> Log {
        let key = MessageKey {
            client: 1,
            number: 1,
        };
        let mut log = Log::new(1, ClientKind::V2, ConversationKey { server: 0, id: 1 }, 5);
        log.record(LogEntry::sent(key));
        log.record(LogEntry::Acknowledged {
            key,
            message_id: 1,
            seq: 1,
            number: 1,
            duplicate: false,
        });
        log.record(LogEntry::RefreshLost { session: 1 });
        let at = Instant::now();
        log.record(LogEntry::LogoutAcknowledged { session: 1, at });
        log
    }

    /// Whether the outcome is good, and what it reports as not exercised.
    fn outcome(log: &Log, injected: &[FaultKind], findings: &Findings) -> (bool, Vec<String>) {
        let injected = injected.iter().map(|kind| (*kind, 1)).collect();
        let outcome = Outcome {
            host: "sqlite",
            seed: 7,
            minutes: 0.5,
            logs: std::slice::from_ref(log),
            injected: &injected,
            supported: &SUPPORTED,
            findings,
            probed: 0,
        };
        let text = outcome.text();
        let replay = "replay: cargo xtask torture --host sqlite --minutes 0.5 --clients 1 --seed 7";
        assert!(text.contains(replay));
        let not_exercised = text
            .lines()
            .filter_map(|line| line.strip_prefix("Not exercised: "));
        (
            outcome.is_good(),
            not_exercised.map(str::to_owned).collect(),
        )
    }

    #[test]
    fn run_is_good_without_violations_and_with_everything_exercised() {
        let mut findings = Findings::default();
        assert_eq!(outcome(&log(), &SUPPORTED, &findings), (true, vec![]));
        findings.add(Violation::Lost, || "it is gone".to_owned());
        assert_eq!(outcome(&log(), &SUPPORTED, &findings), (false, vec![]));
    }

    #[test]
    fn run_that_did_not_exercise_everything_is_not_good() {
        let bad = |sentence: &str| (false, vec![sentence.to_owned()]);
        let findings = Findings::default();
        let outcome = |log: &Log, injected: &[FaultKind]| outcome(log, injected, &findings);
        assert_eq!(outcome(&log(), &[]), bad("no fault was injected"));
        let never = bad("fault never injected: all connections reset");
        assert_eq!(outcome(&log(), &[FaultKind::ServerKilled]), never);
        let (mut silent, mut stays, mut fresh) = (log(), log(), log());
        fresh.entries.remove(2);
        assert_eq!(
            outcome(&fresh, &SUPPORTED),
            bad("no response of a refresh was lost")
        );
        silent.entries.remove(1);
        assert_eq!(
            outcome(&silent, &SUPPORTED),
            bad("no message was acknowledged")
        );
        stays.entries.pop();
        assert_eq!(outcome(&stays, &SUPPORTED), bad("no client logged out"));
    }
}
