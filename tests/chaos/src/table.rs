//! The end of a run: the table, the contradictions in words, and the line that replays it.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;

use crate::checker::{Fault, Findings, tally};
use crate::faults::Injected;
use crate::key::{Key, Text};
use crate::log::{Entry, Log, Manner};
use crate::plan::Kind;

/// What a run came to.
pub(crate) struct Outcome<'a> {
    pub(crate) host: &'a str,
    pub(crate) seed: u64,
    pub(crate) minutes: f64,
    pub(crate) logs: &'a [Log],
    pub(crate) injected: &'a Injected,
    /// All that the host can have.
    pub(crate) possible: &'a [Kind],
    pub(crate) findings: &'a Findings,
    /// Deliveries looked up in the database at once.
    pub(crate) witnessed: u64,
}

#[derive(Default)]
struct Sums {
    clients: BTreeMap<Manner, u64>,
    sent: u64,
    times: u64,
    acknowledged: u64,
    rewriting: HashSet<(Key, Text)>,
    rewritten: HashSet<(Key, Text)>,
    removed: u64,
    logouts: u64,
    heard: u64,
    sockets: u64,
    resumes: u64,
    resets: u64,
    loaded: u64,
    closes: BTreeMap<u16, u32>,
    refusals: BTreeMap<String, u32>,
}

impl Sums {
    fn of(logs: &[Log]) -> Self {
        let mut sums = Self::default();
        for log in logs {
            *sums.clients.entry(log.manner).or_default() += 1;
            let (sent, times, acknowledged) = tally(log);
            sums.sent += sent;
            sums.times += times;
            sums.acknowledged += acknowledged;
            for entry in &log.entries {
                match entry {
                    Entry::Opened { .. } => sums.sockets += 1,
                    Entry::Heard(_) | Entry::Changed { .. } => sums.heard += 1,
                    Entry::Rewriting { key, text } => {
                        sums.rewriting.insert((*key, *text));
                    }
                    Entry::Rewritten { key, text, .. } => {
                        sums.rewritten.insert((*key, *text));
                    }
                    Entry::Removed { .. } => sums.removed += 1,
                    Entry::LoggedOut { .. } => sums.logouts += 1,
                    Entry::Synced { .. } => sums.resumes += 1,
                    Entry::Reset { .. } => sums.resets += 1,
                    Entry::Loaded(_) => sums.loaded += 1,
                    Entry::Sent { .. }
                    | Entry::Acknowledged { .. }
                    | Entry::Admitting { .. }
                    | Entry::LoggingOut { .. }
                    | Entry::Denied { .. }
                    | Entry::Granted { .. }
                    | Entry::Pinged { .. }
                    | Entry::Ponged
                    | Entry::Asked { .. } => {}
                }
            }
            for (code, count) in &log.closes {
                *sums.closes.entry(*code).or_default() += count;
            }
            for (code, count) in &log.refusals {
                *sums.refusals.entry(code.clone()).or_default() += count;
            }
        }
        sums
    }
}

impl Outcome<'_> {
    /// Whether nothing is wrong, and everything was tried.
    pub(crate) fn is_good(&self) -> bool {
        self.findings.counts.is_empty() && self.untried(&Sums::of(self.logs)).is_empty()
    }

    /// What did not come about: a run that did not try it shows nothing.
    fn untried(&self, sums: &Sums) -> Vec<String> {
        let mut untried = Vec::new();
        if sums.acknowledged == 0 {
            untried.push("no message was acknowledged".to_owned());
        }
        if sums.logouts == 0 {
            untried.push("nobody logged out".to_owned());
        }
        if self.injected.is_empty() {
            untried.push("no fault was injected".to_owned());
            return untried;
        }
        let never = self.possible.iter();
        let never = never.filter(|kind| !self.injected.contains_key(kind));
        untried.extend(never.map(|kind| format!("a fault never came: {kind}")));
        untried
    }

    /// The table and what belongs to it.
    pub(crate) fn text(&self) -> String {
        let sums = Sums::of(self.logs);
        let mut text = String::new();
        for sentence in &self.findings.sentences {
            let _ = writeln!(text, "{sentence}");
        }
        for sentence in self.untried(&sums) {
            let _ = writeln!(text, "Not tried: {sentence}");
        }
        let _ = writeln!(text, "\ntorture, {}", self.host);
        let mut row = |name: &str, value: String| {
            let _ = writeln!(text, "  {name:<32} {value:>10}");
        };
        let manners = [
            (Manner::V2, "v2"),
            (Manner::V1, "v1"),
            (Manner::Rest, "REST"),
            (Manner::Maker, "who made a group"),
        ];
        for (manner, name) in manners {
            let count = sums.clients.get(&manner).copied().unwrap_or_default();
            row(&format!("clients, {name}"), count.to_string());
        }
        row("messages sent", sums.sent.to_string());
        row("  with repeats", sums.times.to_string());
        row("messages acknowledged", sums.acknowledged.to_string());
        let (edits, deletions) = edits_and_deletions(&sums.rewriting);
        row("edits sent", edits);
        row("  deletions sent", deletions);
        let (edits, deletions) = edits_and_deletions(&sums.rewritten);
        row("edits acknowledged", edits);
        row("  deletions acknowledged", deletions);
        row("members removed", sums.removed.to_string());
        row("logouts", sums.logouts.to_string());
        row("events delivered", sums.heard.to_string());
        row("  looked up at once", self.witnessed.to_string());
        row("messages read over REST", sums.loaded.to_string());
        row("sockets opened", sums.sockets.to_string());
        row("resumes answered", sums.resumes.to_string());
        row("resets", sums.resets.to_string());
        row(
            "faults injected",
            self.injected.values().sum::<u64>().to_string(),
        );
        for (kind, count) in self.injected {
            row(&format!("  {kind}"), count.to_string());
        }
        for (code, count) in &sums.closes {
            row(&format!("sockets closed with {code}"), count.to_string());
        }
        for (code, count) in &sums.refusals {
            row(&format!("refused as {code}"), count.to_string());
        }
        let faults = [
            (Fault::Lost, "lost"),
            (Fault::Duplicated, "duplicated"),
            (Fault::Reordered, "reordered"),
            (Fault::Missing, "members that miss something"),
            (Fault::Overheard, "heard after leaving"),
            (Fault::Outlived, "heard after logging out"),
            (Fault::Other, "other contradictions"),
        ];
        for (fault, name) in faults {
            row(name, self.findings.count(fault).to_string());
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

/// How many of each.
fn edits_and_deletions(texts: &HashSet<(Key, Text)>) -> (String, String) {
    let deletions = texts.iter().filter(|(_, text)| *text == Text::Gone).count();
    ((texts.len() - deletions).to_string(), deletions.to_string())
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::log::Room;

    const POSSIBLE: [Kind; 2] = [Kind::ServerKilled, Kind::Storm];

    /// A client that sent a message, had it acknowledged, and logged out.
    fn log() -> Log {
        let key = Key {
            client: 1,
            number: 1,
        };
        let mut log = Log::new(1, Manner::V2, Room { server: 0, id: 1 }, 5);
        log.note(Entry::sent(key));
        log.note(Entry::Acknowledged {
            key,
            message_id: 1,
            seq: 1,
            number: 1,
            duplicate: false,
        });
        let at = Instant::now();
        log.note(Entry::LoggedOut { login: 1, at });
        log
    }

    /// Whether it is good; what it says was not tried.
    fn told(log: &Log, injected: &[Kind], findings: &Findings) -> (bool, Vec<String>) {
        let injected = injected.iter().map(|kind| (*kind, 1)).collect();
        let outcome = Outcome {
            host: "sqlite",
            seed: 7,
            minutes: 0.5,
            logs: std::slice::from_ref(log),
            injected: &injected,
            possible: &POSSIBLE,
            findings,
            witnessed: 0,
        };
        let text = outcome.text();
        let replay = "replay: cargo xtask torture --host sqlite --minutes 0.5 --clients 1 --seed 7";
        assert!(text.contains(replay));
        let untried = text
            .lines()
            .filter_map(|line| line.strip_prefix("Not tried: "));
        (outcome.is_good(), untried.map(str::to_owned).collect())
    }

    #[test]
    fn a_run_is_good_when_nothing_is_wrong_and_everything_was_tried() {
        let mut findings = Findings::default();
        assert_eq!(told(&log(), &POSSIBLE, &findings), (true, vec![]));
        findings.add(Fault::Lost, || "it is gone".to_owned());
        assert_eq!(told(&log(), &POSSIBLE, &findings), (false, vec![]));
    }

    #[test]
    fn a_run_that_did_not_try_everything_is_not_good() {
        let bad = |sentence: &str| (false, vec![sentence.to_owned()]);
        let findings = Findings::default();
        let told = |log: &Log, injected: &[Kind]| told(log, injected, &findings);
        assert_eq!(told(&log(), &[]), bad("no fault was injected"));
        let never = bad("a fault never came: all connections cut");
        assert_eq!(told(&log(), &[Kind::ServerKilled]), never);
        let (mut silent, mut stays) = (log(), log());
        silent.entries.remove(1);
        assert_eq!(told(&silent, &POSSIBLE), bad("no message was acknowledged"));
        stays.entries.pop();
        assert_eq!(told(&stays, &POSSIBLE), bad("nobody logged out"));
    }
}
