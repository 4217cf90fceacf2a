//! Catching up: a connection that was away, and a Room that missed what another one wrote.
//!
//! Both read events from the database by the same load, one at a time. A resume is answered from
//! the recent events where they reach back far enough, and never with a part that looks whole.

use super::connection::{Connection, Mode, Resuming};
use super::fanout::{batches, v1_frames};
use super::replay_buffer::Encoded;
use super::{ConnectionId, Effect, Effects, Room};
use crate::domain::{Epoch, Seq, Timestamp};
use crate::protocol::{Event, EventPage, MAX_RESUME_EVENTS, ResetReason, Sync};

/// Events one load asks for: a whole resume and some that arrive meanwhile.
const PAGE: i64 = 500;

/// How long to wait after a load failed.
const RETRY_MS: i64 = 500;

/// When to look for what a commit may have stored whose answer was lost: the database may still
/// be at it for a while.
const CHECK_AFTER_MS: [i64; 3] = [500, 2_000, 8_000];

/// The state of reading from the database.
#[derive(Debug, Default)]
pub(super) struct Loads {
    /// The load under way: its starting point, and when it was begun.
    under_way: Option<(Seq, Timestamp)>,
    /// After a failure, not before this time.
    retry_at: Option<Timestamp>,
    /// When to look for what nobody told of, the next time first.
    checks: Vec<Timestamp>,
    /// The time of the last input; none before the first.
    seen: Option<Timestamp>,
}

impl Loads {
    pub(super) const fn in_flight(&self) -> bool {
        self.under_way.is_some()
    }

    /// When time next matters here; `wanted` tells whether a load is wanted already.
    pub(super) fn next_wakeup(&self, wanted: bool) -> Option<Timestamp> {
        if self.in_flight() {
            return None;
        }
        let due = if wanted {
            Some(Timestamp(0))
        } else {
            self.checks.first().copied()
        };
        // After a failure neither is taken up before the pause is over.
        due.map(|at| self.retry_at.map_or(at, |pause| at.max(pause)))
    }

    /// A clock that was set back must stretch no pause: what is planned moves with it.
    pub(super) fn observe(&mut self, now: Timestamp) {
        let back = match (self.seen.replace(now), self.checks.last()) {
            (Some(seen), _) => seen.millis_since(now),
            // It may have been set back while the Room slept: no look is planned further ahead.
            (None, Some(last)) => last.millis_since(now).saturating_sub(CHECK_AFTER_MS[2]),
            (None, None) => 0,
        };
        if back <= 0 {
            return;
        }
        let begun = self.under_way.iter_mut().map(|(_, begun)| begun);
        let planned = self.checks.iter_mut().chain(&mut self.retry_at);
        for at in planned.chain(begun) {
            at.0 = at.0.saturating_sub(back);
        }
    }

    pub(super) fn failed(&mut self, now: Timestamp) {
        self.under_way = None;
        self.retry_at = Some(Timestamp(now.0 + RETRY_MS));
    }

    /// As a Room that slept had it planned.
    pub(super) fn planned(looks: impl Iterator<Item = Timestamp>) -> Self {
        Self {
            checks: looks.collect(),
            ..Self::default()
        }
    }

    /// When to look for what nobody told of.
    pub(super) fn looks(&self) -> &[Timestamp] {
        &self.checks
    }

    pub(super) fn suspect(&mut self, now: Timestamp) {
        self.checks = CHECK_AFTER_MS
            .iter()
            .map(|after| Timestamp(now.0 + after))
            .collect();
    }

    /// Looks once, now.
    pub(super) fn check(&mut self, now: Timestamp) {
        self.checks.insert(0, now);
    }

    /// The load under way has its answer. Only now are the checks that were due at its beginning
    /// done with: one that failed has checked nothing.
    pub(super) fn finished(&mut self) -> Option<Seq> {
        self.retry_at = None;
        let (since, begun) = self.under_way.take()?;
        self.checks.retain(|at| *at > begun);
        Some(since)
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
        self.start_catching_up(id, since, fx);
    }

    /// Delivers everything after `since`, and nothing live before that is done.
    pub(super) fn start_catching_up(&mut self, id: ConnectionId, since: Seq, fx: &mut Effects) {
        let Some(head) = self.head.as_ref().map(|head| head.seq) else {
            return;
        };
        if let Some(connection) = self.connections.get_mut(id) {
            connection.delivered = since;
        }
        // Ahead of what this Room knows: another Room may have written it. The database decides.
        let ahead = since > head;
        let resuming = Resuming {
            from: since,
            ahead,
            count: 0,
        };
        self.connections.set_resuming(id, Some(resuming));
        self.catch_up(id, &[], fx);
    }

    /// Something may have been stored of which nobody tells: looks now, and again later.
    pub(super) fn look(&mut self, now: Timestamp) {
        self.loads.suspect(now);
        self.loads.check(now);
        self.connections.touch_keeper();
    }

    /// Gives up catching up: the connection continues with what comes next.
    pub(super) fn skip_to_head(&mut self, id: ConnectionId) {
        self.connections.set_resuming(id, None);
        if let (Some(head), Some(connection)) = (&self.head, self.connections.get_mut(id)) {
            connection.delivered = head.seq;
        }
    }

    /// Serves a resuming connection from loaded and recent events as far as they go.
    fn catch_up(&mut self, id: ConnectionId, loaded: &[Encoded], fx: &mut Effects) {
        let Some(head) = self.head.as_ref().map(|head| head.seq) else {
            return;
        };
        let Some(connection) = self.connections.get_mut(id) else {
            return;
        };
        let Some(mut resuming) = connection.resuming().filter(|resuming| !resuming.ahead) else {
            return;
        };
        let mut events: Vec<Encoded> = Vec::new();
        let mut at = connection.delivered;
        if loaded.first().is_some_and(|first| first.seq <= at.next()) {
            events.extend(loaded.iter().filter(|event| event.seq > at).cloned());
            at = events.last().map_or(at, |last| last.seq);
        }
        if at < head
            && let Some(rest) = self.replay_buffer.after(at)
        {
            at = rest.last().map_or(at, |last| last.seq);
            events.extend(rest);
        }
        resuming.count = resuming.count.saturating_add(events.len());
        connection.delivered = at;
        let done = at == head;
        self.connections
            .set_resuming(id, (!done).then_some(resuming));
        let v2 = self.connections.get(id).is_some_and(|c| c.mode == Mode::V2);
        let mut frames = if v2 {
            batches(&events)
        } else {
            v1_frames(&events)
        };
        if v2 && done {
            let Resuming { from, count, .. } = resuming;
            let (to, complete) = (at, true);
            frames.push(
                Sync {
                    from,
                    to,
                    count,
                    complete,
                }
                .encode(),
            );
        }
        if !frames.is_empty() {
            fx.push(Effect::Reply { to: id, frames });
        }
    }

    /// Where the next load would start; `None` when nothing is missing.
    pub(super) fn wants_load(&self, now: Timestamp) -> Option<Seq> {
        let head = self.head.as_ref()?.seq;
        // While a commit is in flight its own events explain why `known` is ahead.
        let check = self.loads.checks.first().is_some_and(|at| *at <= now);
        let gap = !self.send_queue.committing() && (self.known > head || check);
        let ahead = self
            .connections
            .resuming()
            .any(|(_, resuming, _)| resuming.ahead);
        let behind = self
            .connections
            .resuming()
            .filter(|(_, resuming, _)| !resuming.ahead)
            .map(|(_, _, delivered)| delivered)
            .min();
        let own = (gap || ahead).then_some(head);
        [own, behind].into_iter().flatten().min()
    }

    pub(super) fn start_load(&mut self, now: Timestamp, fx: &mut Effects) {
        if self.loads.in_flight() || self.loads.retry_at.is_some_and(|at| now < at) {
            return;
        }
        if let Some(since) = self.wants_load(now) {
            self.loads.under_way = Some((since, now));
            fx.push(Effect::Load { since, limit: PAGE });
        }
    }

    /// What is missing stays missing for now, also over a sleep.
    pub(super) fn load_failed(&mut self, now: Timestamp) {
        self.loads.failed(now);
        self.connections.touch_keeper();
    }

    /// Events were read: first those who lag behind get theirs, then what is news to the Room
    /// goes to everyone.
    pub(super) fn loaded(&mut self, page: EventPage, now: Timestamp, fx: &mut Effects) {
        let Some(since) = self.loads.finished() else {
            return;
        };
        self.connections.touch_keeper();
        let Some(head) = &self.head else { return };
        let EventPage { events, position } = page;
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
        let progress = !events.is_empty();
        self.known = self.known.max(position.seq);
        let (old, news): (Vec<Event>, Vec<Event>) = events
            .into_iter()
            .partition(|event| event.seq() <= old_head);
        let old: Vec<Encoded> = old.iter().map(Encoded::from).collect();
        for id in self.resuming_ids() {
            self.catch_up(id, &old, fx);
        }
        if news
            .first()
            .is_some_and(|event| event.seq() == old_head.next())
        {
            self.ingest(&news, fx);
        }
        self.settle_resumes(fx);
        if !progress && self.wants_load(now).is_some() {
            // A database that lags behind what it confirmed is asked again, but not at once.
            self.loads.failed(now);
        }
    }

    /// After a load: those ahead can be judged now, those behind may be within reach.
    fn settle_resumes(&mut self, fx: &mut Effects) {
        let Some(head) = &self.head else { return };
        let (seq, epoch) = (head.seq, head.epoch.clone());
        for id in self.resuming_ids() {
            let resuming = self.connections.get(id).and_then(Connection::resuming);
            let Some(resuming) = resuming else { continue };
            if !resuming.ahead {
                self.catch_up(id, &[], fx);
            } else if resuming.from <= seq {
                self.resume(id, resuming.from, None, fx);
            } else if self.known <= seq {
                self.reset(id, ResetReason::EpochChanged, (seq, &epoch), fx);
            }
        }
    }

    fn resuming_ids(&self) -> Vec<ConnectionId> {
        self.connections.resuming().map(|(id, ..)| id).collect()
    }
}

fn is_dense(since: Seq, events: &[Event]) -> bool {
    let mut expected = since;
    events.iter().all(|event| {
        expected = expected.next();
        event.seq() == expected
    })
}
