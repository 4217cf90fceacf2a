//! Holds everything the clients were told against what is stored, and tells every contradiction.
//!
//! A pure function of logs and rows: it knows no server, and its own tests feed it doctored ones.
//! The promises are those of `docs/protocol.md`: what was acknowledged or delivered is stored, once
//! for each `client_message_id`, in one order for everyone; `seq` is dense; after its last resume
//! every member has everything, and of each message the newest version; and who is removed or logged
//! out hears nothing more.

#[cfg(test)]
mod changes_tests;
mod logins;
#[cfg(test)]
mod logins_tests;
mod members;
mod order;
mod rows;
mod tally;
#[cfg(test)]
mod tests;
mod texts;

use std::collections::{BTreeMap, HashMap};

use crate::key::Key;
use crate::log::{Change, Entry, Event, Log, Manner, Reading, Room};
use logins::{Logins, Tracked};
use members::{Hearing, Members};
use order::{Break, Order};
use rows::{Index, Kept};
pub(crate) use tally::tally;
use texts::Texts;

/// How many contradictions of a kind are told in words; all are counted.
const TOLD: u64 = 8;

/// What kind of promise is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// Acknowledged or delivered, and not stored so.
    Lost,
    /// Stored or delivered twice, or acknowledged as new twice.
    Duplicated,
    /// Delivered in another order than it is stored in, or with a gap.
    Reordered,
    /// Never came to a member, not by the last resume either.
    Missing,
    /// Delivered to who was no member any more.
    Overheard,
    /// Delivered or granted to a login that was over.
    Outlived,
    /// Anything else the contract does not allow.
    Other,
}

/// A conversation as the database has it: its own counters, its messages and its other events by
/// `seq`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stored {
    pub(crate) seq: u64,
    pub(crate) number: u64,
    pub(crate) rows: Vec<Event>,
    pub(crate) changes: Vec<Change>,
}

/// All contradictions.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub(crate) counts: BTreeMap<Fault, u64>,
    pub(crate) sentences: Vec<String>,
}

impl Findings {
    pub(crate) fn add(&mut self, fault: Fault, sentence: impl FnOnce() -> String) {
        let count = self.counts.entry(fault).or_default();
        *count += 1;
        if *count <= TOLD {
            self.sentences.push(format!("{fault:?}: {}", sentence()));
        }
    }

    pub(crate) fn count(&self, fault: Fault) -> u64 {
        self.counts.get(&fault).copied().unwrap_or_default()
    }
}

/// Compares all logs with all conversations.
pub(crate) fn check(stored: &BTreeMap<Room, Stored>, logs: &[Log]) -> Findings {
    let mut findings = Findings::default();
    let (texts, members, logins) = (Texts::of(logs), Members::of(logs), Logins::of(logs));
    let mut indices = HashMap::new();
    for (room, stored) in stored {
        indices.insert(*room, rows::index(*room, stored, &texts, &mut findings));
    }
    members.check(stored, &mut findings);
    let (nothing, nowhere) = (Stored::default(), Index::default());
    for log in logs {
        let kept = Kept {
            stored: stored.get(&log.room).unwrap_or(&nothing),
            index: indices.get(&log.room).unwrap_or(&nowhere),
        };
        let hearing = members.hearing(log, kept.stored);
        let rules = (&texts, hearing, logins.track(log, kept.stored));
        Reader::new(log, kept, rules, &mut findings).read();
    }
    findings
}

/// Reads one log from its beginning to its end.
struct Reader<'a> {
    log: &'a Log,
    kept: Kept<'a>,
    findings: &'a mut Findings,
    texts: &'a Texts,
    hearing: Hearing<'a>,
    tracked: Tracked<'a>,
    order: Order,
    /// Which messages the client has, and which version of each it knows.
    has: Vec<bool>,
    knows: Vec<u64>,
    /// Which of the other events it has.
    told: Vec<bool>,
    sent: HashMap<Key, u32>,
    /// What was acknowledged as new.
    made: HashMap<Key, u32>,
}

impl<'a> Reader<'a> {
    fn new(
        log: &'a Log,
        kept: Kept<'a>,
        (texts, hearing, tracked): (&'a Texts, Hearing<'a>, Tracked<'a>),
        findings: &'a mut Findings,
    ) -> Self {
        Self {
            log,
            kept,
            findings,
            texts,
            hearing,
            tracked,
            order: Order::default(),
            has: vec![false; kept.stored.rows.len()],
            knows: vec![0; kept.stored.rows.len()],
            told: vec![false; kept.stored.changes.len()],
            sent: HashMap::new(),
            made: HashMap::new(),
        }
    }

    fn read(mut self) {
        for entry in &self.log.entries {
            self.entry(entry);
        }
        for trouble in &self.log.troubles {
            self.find(Fault::Other, || trouble.clone());
        }
        if self.log.was_shut_out() && !self.hearing.was_removed() {
            self.find(Fault::Other, || "a member was told it is none".to_owned());
        }
        if self.log.manner != Manner::Maker {
            self.missing();
        }
    }

    /// What it does not have at the end.
    fn missing(&mut self) {
        let rows = self.kept.stored.rows.iter().zip(&self.has);
        let mut missing: Vec<u64> = rows
            .filter(|(_, has)| !**has)
            .map(|(row, _)| row.seq)
            .collect();
        // The others read of no event but messages.
        if self.log.manner == Manner::V2 {
            let changes = self.kept.stored.changes.iter().zip(&self.told);
            missing.extend(
                changes
                    .filter(|(_, told)| !**told)
                    .map(|(change, _)| change.seq),
            );
        }
        if let Some(first) = missing.iter().min() {
            let count = missing.len();
            self.find(Fault::Missing, || {
                format!("never had {count} events, the first of them {first}")
            });
        }
        let rows = self.kept.stored.rows.iter().zip(&self.knows);
        let is_old = |(row, knows): &(&Event, &u64)| (1..row.reading.version).contains(*knows);
        let old: Vec<u64> = rows.filter(is_old).map(|(row, _)| row.message_id).collect();
        if let Some(first) = old.first() {
            let count = old.len();
            self.find(Fault::Missing, || {
                format!("knows {count} messages as they were before, the first of them {first}")
            });
        }
    }

    fn entry(&mut self, entry: &Entry) {
        if let Some((fault, sentence)) = self.tracked.entry(entry) {
            self.find(fault, || sentence);
        }
        match *entry {
            Entry::Opened { at, came, .. } => {
                self.order.opened(at);
                self.hearing.opened(at, came);
            }
            Entry::Sent { key, .. } => *self.sent.entry(key).or_default() += 1,
            Entry::Acknowledged { key, .. } => self.acknowledged(key, entry),
            Entry::Rewritten {
                message_id,
                seq: Some(seq),
                ..
            } => self.rewritten(message_id, seq, entry),
            Entry::Rewriting { .. }
            | Entry::Rewritten { .. }
            | Entry::Removed { .. }
            | Entry::Admitting { .. }
            | Entry::LoggingOut { .. }
            | Entry::LoggedOut { .. }
            | Entry::Denied { .. }
            | Entry::Granted { .. }
            | Entry::Pinged { .. }
            | Entry::Ponged => {}
            Entry::Asked { since } => self.order.asked(since),
            Entry::Heard(event) => {
                self.heard(event.seq, entry);
                self.had(event);
            }
            Entry::Changed { change, reading } => {
                self.heard(change.seq, entry);
                self.changed(change, reading);
            }
            Entry::Synced { from, to } => {
                let broken = self.order.synced(from, to);
                self.broken(broken, entry);
            }
            Entry::Reset { to } => {
                self.order.reset(to);
                // What they did is read in the history.
                let before = self
                    .kept
                    .stored
                    .changes
                    .partition_point(|change| change.seq <= to);
                self.told
                    .iter_mut()
                    .take(before)
                    .for_each(|told| *told = true);
            }
            Entry::Loaded(event) => self.had(event),
        }
    }

    /// An event came by socket, after all before it and before this member had left.
    fn heard(&mut self, seq: u64, entry: &Entry) {
        let broken = self.order.event(seq);
        self.broken(broken, entry);
        if let Some(left) = self.hearing.event(seq) {
            self.find(Fault::Overheard, || format!("left at {left}, {entry:?}"));
        }
    }

    fn acknowledged(&mut self, key: Key, entry: &Entry) {
        let Entry::Acknowledged {
            message_id,
            seq,
            number,
            duplicate,
            ..
        } = *entry
        else {
            return;
        };
        let row = self.kept.named(key);
        let is_so =
            |row: &Event| (row.message_id, row.seq, row.number) == (message_id, seq, number);
        if !row.is_some_and(is_so) {
            self.find(Fault::Lost, || format!("{entry:?}, and stored is {row:?}"));
        }
        let sent = self.sent.get(&key).copied().unwrap_or_default();
        if duplicate && sent < 2 {
            self.find(Fault::Other, || format!("{entry:?}, sent {sent} times"));
        }
        if !duplicate {
            let made = self.made.entry(key).or_default();
            *made += 1;
            if *made > 1 {
                self.find(Fault::Duplicated, || {
                    format!("made a second time: {entry:?}")
                });
            }
        }
    }

    /// The event that an answer names is that of the edit.
    fn rewritten(&mut self, message_id: u64, seq: u64, entry: &Entry) {
        let at = self.kept.change_at(seq);
        let change = at.and_then(|at| self.kept.stored.changes.get(at));
        if change.is_none_or(|change| change.message_id != Some(message_id)) {
            self.find(Fault::Lost, || {
                format!("{entry:?}, stored there is {change:?}")
            });
        }
    }

    /// A message came, by whatever way.
    fn had(&mut self, event: Event) {
        let at = self.kept.at(event.seq);
        let row = at.and_then(|at| self.kept.row(at));
        let is_it = |row: &Event| {
            Event {
                reading: event.reading,
                ..*row
            } == event
        };
        if let Some(at) = at.filter(|_| row.is_some_and(is_it)) {
            self.reads(at, event.reading);
            if let Some(has) = self.has.get_mut(at) {
                *has = true;
            }
            return;
        }
        // Another event in its place is another order; none at all is a loss.
        let fault = match self.kept.named(event.key) {
            Some(_) => Fault::Reordered,
            None => Fault::Lost,
        };
        self.find(fault, || format!("told {event:?}, stored there is {row:?}"));
    }

    /// An event came that is no message.
    fn changed(&mut self, change: Change, reading: Option<Reading>) {
        let at = self.kept.change_at(change.seq);
        let stored = at.and_then(|at| self.kept.stored.changes.get(at));
        if stored != Some(&change) {
            let there = stored.is_some() || self.kept.at(change.seq).is_some();
            let fault = if there { Fault::Reordered } else { Fault::Lost };
            self.find(fault, || {
                format!("told {change:?}, stored there is {stored:?}")
            });
            return;
        }
        if let Some(told) = at.and_then(|at| self.told.get_mut(at)) {
            *told = true;
        }
        let row = change.message_id.and_then(|id| self.kept.with_id(id));
        if let (Some(at), Some(reading)) = (row, reading) {
            self.reads(at, reading);
        }
    }

    /// A version of a message was told: the one that is stored, or an earlier one.
    fn reads(&mut self, at: usize, reading: Reading) {
        let Some(row) = self.kept.row(at) else { return };
        let newest = row.reading;
        if reading.version > newest.version
            || (reading.version == newest.version && reading != newest)
        {
            self.find(Fault::Lost, || format!("told {reading:?} of {row:?}"));
        } else if !self.texts.has(row.key, reading) {
            self.find(Fault::Other, || {
                format!("told {reading:?} of {row:?}, which nobody sent so")
            });
        }
        if let Some(knows) = self.knows.get_mut(at) {
            *knows = reading.version.max(*knows);
        }
    }

    fn broken(&mut self, broken: Option<Break>, entry: &Entry) {
        let Some(broken) = broken else { return };
        let fault = match broken {
            // A v1 socket hears of messages alone.
            Break::Gap { position }
                if self.log.manner == Manner::V1 && !self.is_gap_of_messages(position, entry) =>
            {
                return;
            }
            Break::Again { .. } => Fault::Duplicated,
            Break::Gap { .. } | Break::Answer(_) => Fault::Reordered,
        };
        self.find(fault, || format!("{broken:?} at {entry:?}"));
    }

    fn is_gap_of_messages(&self, position: u64, entry: &Entry) -> bool {
        match *entry {
            Entry::Heard(event) => self.kept.has_message_between(position, event.seq),
            _ => true,
        }
    }

    fn find(&mut self, fault: Fault, sentence: impl FnOnce() -> String) {
        let (client, manner, room) = (self.log.client, self.log.manner, self.log.room);
        self.findings.add(fault, || {
            format!("client {client} ({manner:?}, {room:?}): {}", sentence())
        });
    }
}
