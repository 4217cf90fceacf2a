//! Holds everything the clients were told against what is stored, and tells every contradiction.
//!
//! A pure function of logs and rows: it knows no server, and its own tests feed it doctored ones.
//! The promises are those of `docs/protocol.md`: what was acknowledged or delivered is stored, once
//! for each `client_message_id`, in one order for everyone; `seq` is dense; and after its last
//! resume every member has everything.

mod order;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};

use crate::key::Key;
use crate::log::{Entry, Event, Log, Manner, Room};
use order::{Break, Order};

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
    /// Anything else the contract does not allow.
    Other,
}

/// A conversation as the database has it: its own counters, and its messages by `seq`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stored {
    pub(crate) seq: u64,
    pub(crate) number: u64,
    pub(crate) rows: Vec<Event>,
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
    let mut indices = HashMap::new();
    for (room, stored) in stored {
        indices.insert(*room, index(*room, stored, &mut findings));
    }
    let nothing = Stored::default();
    for log in logs {
        let kept = Kept {
            stored: stored.get(&log.room).unwrap_or(&nothing),
            by_key: indices.get(&log.room),
        };
        Reader::new(log, kept, &mut findings).read();
    }
    findings
}

/// The rows of a conversation by key; also finds what is wrong with the rows themselves.
fn index(room: Room, stored: &Stored, findings: &mut Findings) -> HashMap<Key, Event> {
    let mut by_key: HashMap<Key, Event> = HashMap::new();
    let mut place = (0, 0);
    for row in &stored.rows {
        if (row.seq, row.number) != (place.0 + 1, place.1 + 1) {
            findings.add(Fault::Reordered, || {
                format!("{room:?}: after seq and number {place:?} comes {row:?}")
            });
        }
        place = (row.seq, row.number);
        if let Some(before) = by_key.insert(row.key, *row) {
            findings.add(Fault::Duplicated, || {
                format!("{room:?}: {} is stored as {before:?} and {row:?}", row.key)
            });
        }
    }
    let count = u64::try_from(stored.rows.len()).unwrap_or(u64::MAX);
    if (stored.seq, stored.number) != (count, count) {
        findings.add(Fault::Other, || {
            let (seq, number) = (stored.seq, stored.number);
            format!("{room:?}: at seq {seq} and number {number} with {count} messages")
        });
    }
    by_key
}

#[derive(Clone, Copy)]
struct Kept<'a> {
    stored: &'a Stored,
    by_key: Option<&'a HashMap<Key, Event>>,
}

impl Kept<'_> {
    /// Which row has this `seq`.
    fn at(&self, seq: u64) -> Option<usize> {
        let rows = &self.stored.rows;
        rows.binary_search_by_key(&seq, |row| row.seq).ok()
    }

    fn named(&self, key: Key) -> Option<Event> {
        self.by_key?.get(&key).copied()
    }
}

/// Reads one log from its beginning to its end.
struct Reader<'a> {
    log: &'a Log,
    kept: Kept<'a>,
    findings: &'a mut Findings,
    order: Order,
    /// Which rows the client has.
    has: Vec<bool>,
    sent: HashMap<Key, u32>,
    /// What was acknowledged as new.
    made: HashMap<Key, u32>,
}

impl<'a> Reader<'a> {
    fn new(log: &'a Log, kept: Kept<'a>, findings: &'a mut Findings) -> Self {
        Self {
            log,
            kept,
            findings,
            order: Order::default(),
            has: vec![false; kept.stored.rows.len()],
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
        let rows = self.kept.stored.rows.iter().zip(&self.has);
        let missing: Vec<u64> = rows
            .filter(|(_, has)| !**has)
            .map(|(row, _)| row.seq)
            .collect();
        if let Some(first) = missing.first() {
            let count = missing.len();
            self.find(Fault::Missing, || {
                format!("never had {count} events, the first of them {first}")
            });
        }
    }

    fn entry(&mut self, entry: &Entry) {
        match *entry {
            Entry::Opened { at } => self.order.opened(at),
            Entry::Sent { key } => *self.sent.entry(key).or_default() += 1,
            Entry::Acknowledged { key, .. } => self.acknowledged(key, entry),
            Entry::Asked { since } => self.order.asked(since),
            Entry::Heard(event) => {
                let broken = self.order.event(event.seq);
                self.broken(broken, entry);
                self.had(event);
            }
            Entry::Synced { from, to } => {
                let broken = self.order.synced(from, to);
                self.broken(broken, entry);
            }
            Entry::Reset { to } => self.order.reset(to),
            Entry::Loaded(event) => self.had(event),
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
        let is_so = |row: Event| (row.message_id, row.seq, row.number) == (message_id, seq, number);
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

    /// An event came, by whatever way.
    fn had(&mut self, event: Event) {
        let at = self.kept.at(event.seq);
        let row = at.and_then(|at| self.kept.stored.rows.get(at));
        if row == Some(&event) {
            if let Some(has) = at.and_then(|at| self.has.get_mut(at)) {
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

    fn broken(&mut self, broken: Option<Break>, entry: &Entry) {
        let Some(broken) = broken else { return };
        let fault = match broken {
            Break::Again { .. } => Fault::Duplicated,
            Break::Gap { .. } | Break::Answer(_) => Fault::Reordered,
        };
        self.find(fault, || format!("{broken:?} at {entry:?}"));
    }

    fn find(&mut self, fault: Fault, sentence: impl FnOnce() -> String) {
        let (client, manner, room) = (self.log.client, self.log.manner, self.log.room);
        self.findings.add(fault, || {
            format!("client {client} ({manner:?}, {room:?}): {}", sentence())
        });
    }
}

/// How many of a log's messages were sent, how often in all, and how many were acknowledged.
pub(crate) fn tally(log: &Log) -> (u64, u64, u64) {
    let mut sent: HashMap<Key, bool> = HashMap::new();
    let mut times = 0;
    for entry in &log.entries {
        match *entry {
            Entry::Sent { key } => {
                times += 1;
                sent.entry(key).or_default();
            }
            Entry::Acknowledged { key, .. } => *sent.entry(key).or_default() = true,
            // To a v1 client, its own message coming back is the acknowledgement.
            Entry::Heard(Event { key, .. }) if log.manner == Manner::V1 => {
                if let Some(acknowledged) = sent.get_mut(&key) {
                    *acknowledged = true;
                }
            }
            _ => {}
        }
    }
    let acknowledged = sent.values().filter(|acknowledged| **acknowledged).count();
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    (count(sent.len()), times, count(acknowledged))
}
