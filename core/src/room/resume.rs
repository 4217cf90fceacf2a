//! Catching up: a connection that was away, and a Room that missed what another one wrote.
//!
//! Both read events from the database by the same load, one at a time. A resume is answered from
//! the recent events where they reach back far enough, and never with a part that looks whole.

use super::connection::Resuming;
use super::delivery::batches;
use super::{ConnectionId, Effect, Effects, Frame, Room};
use crate::domain::{Epoch, Seq, Timestamp};
use crate::protocol::{Event, Events, MAX_RESUME_EVENTS, ResetReason, Sync};

/// Events one load asks for: a whole resume and some that arrive meanwhile.
const PAGE: i64 = 500;

/// How long to wait after a load failed, or a commit's answer was lost.
const RETRY_MS: i64 = 500;

/// The state of reading from the database.
#[derive(Debug, Default)]
pub(super) struct Loads {
    /// The load under way, by its starting point.
    since: Option<Seq>,
    /// Not before this time.
    not_before: Option<Timestamp>,
    /// Something may have been stored that nobody told of.
    suspicious: bool,
}

impl Loads {
    pub(super) const fn in_flight(&self) -> bool {
        self.since.is_some()
    }

    pub(super) const fn retry_at(&self) -> Option<Timestamp> {
        self.not_before
    }

    pub(super) fn failed(&mut self, now: Timestamp) {
        self.since = None;
        self.not_before = Some(Timestamp(now.0 + RETRY_MS));
    }

    pub(super) fn suspect(&mut self, now: Timestamp) {
        self.suspicious = true;
        self.not_before = Some(Timestamp(now.0 + RETRY_MS));
    }

    pub(super) fn finished(&mut self) -> Option<Seq> {
        self.not_before = None;
        self.suspicious = false;
        self.since.take()
    }
}

impl Room {
    /// A v2 connection asks for everything after `since`.
    pub(super) fn resume(
        &mut self,
        id: ConnectionId,
        since: Seq,
        epoch: Option<&Epoch>,
        fx: &mut Effects,
    ) {
        let Some(head) = &self.head else { return };
        let (head_seq, head_epoch) = (head.seq, head.epoch.clone());
        if epoch.is_some_and(|epoch| *epoch != head_epoch) {
            self.reset(id, ResetReason::EpochChanged, (head_seq, &head_epoch), fx);
            return;
        }
        let missed = head_seq.0.saturating_sub(since.0);
        if missed > i64::try_from(MAX_RESUME_EVENTS).unwrap_or(i64::MAX) {
            self.reset(id, ResetReason::TooOld, (head_seq, &head_epoch), fx);
            return;
        }
        let Some(connection) = self.connections.get_mut(id) else {
            return;
        };
        // Ahead of what this Room knows: another Room may have written it. The database decides.
        let ahead = since > head_seq;
        connection.resuming = Some(Resuming {
            from: since,
            ahead,
            count: 0,
        });
        connection.delivered = since;
        self.catch_up(id, &[], fx);
    }

    /// Serves a resuming connection from loaded and recent events as far as they go.
    fn catch_up(&mut self, id: ConnectionId, loaded: &[(Seq, Frame)], fx: &mut Effects) {
        let (Some(head), Some(connection)) = (&self.head, self.connections.get_mut(id)) else {
            return;
        };
        let Some(resuming) = connection
            .resuming
            .as_mut()
            .filter(|resuming| !resuming.ahead)
        else {
            return;
        };
        let mut events: Vec<(Seq, Frame)> = Vec::new();
        let mut at = connection.delivered;
        if loaded.first().is_some_and(|(first, _)| *first <= at.next()) {
            events.extend(loaded.iter().filter(|(seq, _)| *seq > at).cloned());
            at = events.last().map_or(at, |(seq, _)| *seq);
        }
        if at < head.seq
            && let Some(rest) = self.recent.after(at)
        {
            at = rest.last().map_or(at, |(seq, _)| *seq);
            events.extend(rest);
        }
        resuming.count += events.len();
        connection.delivered = at;
        let (from, count, done) = (resuming.from, resuming.count, at == head.seq);
        if done {
            connection.resuming = None;
        }
        for frame in batches(&events) {
            fx.reply(id, frame);
        }
        if done {
            fx.reply(
                id,
                Sync {
                    from,
                    to: at,
                    count,
                    complete: true,
                }
                .encode(),
            );
        }
    }

    /// Where the next load would start; `None` when nothing is missing.
    pub(super) fn wants_load(&self) -> Option<Seq> {
        let head = self.head.as_ref()?.seq;
        // While a commit is in flight its own events explain why `known` is ahead.
        let gap = !self.sends.committing() && (self.known > head || self.loads.suspicious);
        let ahead = self
            .connections
            .iter()
            .filter_map(|(_, c)| c.resuming)
            .any(|r| r.ahead);
        let behind = self
            .connections
            .iter()
            .filter(|(_, c)| c.resuming.is_some_and(|resuming| !resuming.ahead))
            .map(|(_, c)| c.delivered)
            .min();
        let own = (gap || ahead).then_some(head);
        [own, behind].into_iter().flatten().min()
    }

    pub(super) fn start_load(&mut self, now: Timestamp, fx: &mut Effects) {
        if self.loads.in_flight() || self.loads.not_before.is_some_and(|at| now < at) {
            return;
        }
        if let Some(since) = self.wants_load() {
            self.loads.since = Some(since);
            fx.push(Effect::Load { since, limit: PAGE });
        }
    }

    /// Events were read: first those who lag behind get theirs, then what is news to the Room
    /// goes to everyone.
    pub(super) fn loaded(&mut self, page: Events, now: Timestamp, fx: &mut Effects) {
        let Some(since) = self.loads.finished() else {
            return;
        };
        let Some(head) = &self.head else { return };
        let Events { events, position } = page;
        if position.epoch != head.epoch {
            self.change_epoch(position, fx);
            return;
        }
        if !is_dense(since, &events) {
            // Never to be seen; delivering it would break the order, so it is asked for again.
            self.loads.failed(now);
            return;
        }
        let old_head = head.seq;
        self.known = self.known.max(position.seq);
        let (known, news): (Vec<Event>, Vec<Event>) = events
            .into_iter()
            .partition(|event| event.seq() <= old_head);
        let loaded: Vec<(Seq, Frame)> = known
            .iter()
            .map(|event| (event.seq(), event.encode()))
            .collect();
        for id in self.connections.ids_where(|c| c.resuming.is_some()) {
            self.catch_up(id, &loaded, fx);
        }
        if news
            .first()
            .is_some_and(|event| event.seq() == old_head.next())
        {
            self.ingest(&news, fx);
        }
        self.settle_resumes(fx);
    }

    /// After a load: those ahead can be judged now, those behind may be within reach.
    fn settle_resumes(&mut self, fx: &mut Effects) {
        let Some(head) = &self.head else { return };
        let (seq, epoch) = (head.seq, head.epoch.clone());
        for id in self.connections.ids_where(|c| c.resuming.is_some()) {
            let Some(resuming) = self.connections.get(id).and_then(|c| c.resuming) else {
                continue;
            };
            if !resuming.ahead {
                self.catch_up(id, &[], fx);
            } else if resuming.from <= seq {
                self.resume(id, resuming.from, None, fx);
            } else if self.known <= seq {
                self.reset(id, ResetReason::EpochChanged, (seq, &epoch), fx);
            }
        }
    }
}

fn is_dense(since: Seq, events: &[Event]) -> bool {
    let mut expected = since;
    events.iter().all(|event| {
        expected = expected.next();
        event.seq() == expected
    })
}
