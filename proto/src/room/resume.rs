//! Catching up: a connection that missed events (`resume`), and a Room that missed events another
//! Room of the conversation stored (gap recovery).
//!
//! Both read from the database by one load at a time, paced by [`super::event_loader`]. A resume is
//! served from the replay buffer where it reaches back far enough. `sync` follows only when every
//! requested event has been sent.

use super::connections::{Connection, PendingResume};
use super::fanout::{v1_frames, v2_frames};
use super::replay_buffer::{EncodedEvent, ReplayBuffer};
use super::{ConnectionId, Effect, Effects, Room};
use crate::domain::{Epoch, Seq, Timestamp};
use crate::protocol::{Event, EventPage, MAX_RESUME_EVENTS, ResetReason, Sync};

/// The limit of one load: a whole resume and the events stored in the meantime.
const LOAD_LIMIT: i64 = 500;

impl Room {
    /// Executes a `resume`: delivers every event after `since`, or resets.
    pub(super) fn resume(
        &mut self,
        id: ConnectionId,
        since: Seq,
        epoch: Option<&Epoch>,
        effects: &mut Effects,
    ) {
        let Some(head) = &self.head else { return };
        let (head_seq, head_epoch) = (head.seq, head.epoch.clone());
        if epoch.is_some_and(|epoch| *epoch != head_epoch) {
            let reason = ResetReason::EpochChanged;
            self.reset(id, reason, (head_seq, &head_epoch), effects);
            return;
        }
        let missed = head_seq.0.saturating_sub(since.0);
        if missed > i64::try_from(MAX_RESUME_EVENTS).unwrap_or(i64::MAX) {
            let reason = ResetReason::TooOld;
            self.reset(id, reason, (head_seq, &head_epoch), effects);
            return;
        }
        self.start_resume(id, since, effects);
    }

    /// Starts delivering every event after `since`. Live events are withheld until it is complete.
    pub(super) fn start_resume(&mut self, id: ConnectionId, since: Seq, effects: &mut Effects) {
        let Some(head) = self.head.as_ref().map(|head| head.seq) else {
            return;
        };
        if let Some(connection) = self.connections.get_mut(id) {
            connection.delivered = since;
        }
        let pending_resume = PendingResume {
            from: since,
            // Another Room may have stored events beyond this head: the database decides.
            ahead: since > head,
            count: 0,
        };
        self.connections
            .set_pending_resume(id, Some(pending_resume));
        self.serve_resume(id, &[], effects);
    }

    /// Ends a resume without delivering its events: the connection continues at the head.
    pub(super) fn skip_to_head(&mut self, id: ConnectionId) {
        self.connections.set_pending_resume(id, None);
        if let (Some(head), Some(connection)) = (&self.head, self.connections.get_mut(id)) {
            connection.delivered = head.seq;
        }
    }

    /// Serves a pending resume from loaded and buffered events, as far as they reach.
    fn serve_resume(&mut self, id: ConnectionId, loaded: &[EncodedEvent], effects: &mut Effects) {
        let Some(head) = self.head.as_ref().map(|head| head.seq) else {
            return;
        };
        let Some(connection) = self.connections.get_mut(id) else {
            return;
        };
        let Some(mut resume) = connection.pending_resume().filter(|resume| !resume.ahead) else {
            return;
        };
        let events = missed_events(connection.delivered, head, loaded, &self.replay_buffer);
        let at = events.last().map_or(connection.delivered, |last| last.seq);
        resume.count = resume.count.saturating_add(events.len());
        connection.delivered = at;
        let is_complete = at == head;
        self.connections
            .set_pending_resume(id, (!is_complete).then_some(resume));
        let v2 = self.connections.is_v2(id);
        let mut frames = if v2 {
            v2_frames(&events)
        } else {
            v1_frames(&events)
        };
        if v2 && is_complete {
            let sync = Sync {
                from: resume.from,
                to: at,
                count: resume.count,
                complete: true,
            };
            frames.push(sync.encode());
        }
        if !frames.is_empty() {
            effects.push(Effect::Reply { to: id, frames });
        }
    }

    /// An event may have been stored of which the Room was not notified: rechecks now and later.
    pub(super) fn schedule_recheck(&mut self, now: Timestamp) {
        self.event_loader.schedule_rechecks(now);
        self.event_loader.recheck_now(now);
        self.connections.mark_checkpoint_dirty();
    }

    /// The position after which the next load reads; `None` when nothing is missing.
    pub(super) fn wanted_load(&self, now: Timestamp) -> Option<Seq> {
        let head = self.head.as_ref()?.seq;
        // While a commit is in flight, its own events may be why `highest_seen` is ahead.
        let gap = !self.send_queue.is_committing()
            && (self.highest_seen > head || self.event_loader.is_recheck_due(now));
        let mut ahead = false;
        let mut behind: Option<Seq> = None;
        for (_, resume, delivered) in self.connections.pending_resumes() {
            if resume.ahead {
                ahead = true;
            } else {
                behind = Some(behind.map_or(delivered, |lowest| lowest.min(delivered)));
            }
        }
        let own = (gap || ahead).then_some(head);
        [own, behind].into_iter().flatten().min()
    }

    pub(super) fn start_load(&mut self, now: Timestamp, effects: &mut Effects) {
        if !self.event_loader.may_start(now) {
            return;
        }
        if let Some(since) = self.wanted_load(now) {
            self.event_loader.started(since, now);
            let limit = LOAD_LIMIT;
            effects.push(Effect::Load { since, limit });
        }
    }

    /// A load failed. The Room still has to load, also after hibernation.
    pub(super) fn load_failed(&mut self, now: Timestamp) {
        self.event_loader.failed(now);
        self.connections.mark_checkpoint_dirty();
    }

    /// A load returned events: serves the pending resumes, then applies the events beyond the head.
    pub(super) fn loaded(&mut self, page: EventPage, now: Timestamp, effects: &mut Effects) {
        let Some(since) = self.event_loader.finished() else {
            return;
        };
        self.connections.mark_checkpoint_dirty();
        let Some(head) = &self.head else { return };
        let EventPage { events, position } = page;
        if position.epoch != head.epoch {
            self.change_epoch(position, effects);
            return;
        }
        self.highest_seen = self.highest_seen.max(position.seq);
        if !is_dense(since, &events) {
            // The store broke its contract. Delivering the page would break the order: retry.
            self.event_loader.failed(now);
            return;
        }
        let old_head = head.seq;
        let is_empty = events.is_empty();
        let (old, new): (Vec<Event>, Vec<Event>) = events
            .into_iter()
            .partition(|event| event.seq() <= old_head);
        let old: Vec<EncodedEvent> = old.iter().map(EncodedEvent::from).collect();
        for id in self.resuming_ids() {
            self.serve_resume(id, &old, effects);
        }
        if new.first().map(Event::seq) == Some(old_head.next()) {
            self.apply_events(&new, effects);
        }
        self.settle_resumes(effects);
        if is_empty && self.wanted_load(now).is_some() {
            // The database does not yet return what it has confirmed: retry after the pause.
            self.event_loader.failed(now);
        }
    }

    /// After a load: decides the resumes that were ahead of the head, and serves the others.
    fn settle_resumes(&mut self, effects: &mut Effects) {
        let Some(head) = &self.head else { return };
        let (seq, epoch) = (head.seq, head.epoch.clone());
        for id in self.resuming_ids() {
            let resume = self
                .connections
                .get(id)
                .and_then(Connection::pending_resume);
            let Some(resume) = resume else { continue };
            if !resume.ahead {
                self.serve_resume(id, &[], effects);
            } else if resume.from <= seq {
                self.resume(id, resume.from, None, effects);
            } else if self.highest_seen <= seq {
                self.reset(id, ResetReason::EpochChanged, (seq, &epoch), effects);
            }
        }
    }

    fn resuming_ids(&self) -> Vec<ConnectionId> {
        self.connections
            .pending_resumes()
            .map(|(id, ..)| id)
            .collect()
    }
}

/// The events after `delivered` up to the head, as far as `loaded` and the buffer contain them
/// without a gap.
fn missed_events(
    delivered: Seq,
    head: Seq,
    loaded: &[EncodedEvent],
    replay_buffer: &ReplayBuffer,
) -> Vec<EncodedEvent> {
    let mut events: Vec<EncodedEvent> = Vec::new();
    let mut at = delivered;
    if loaded.first().is_some_and(|first| first.seq <= at.next()) {
        events.extend(loaded.iter().filter(|event| event.seq > at).cloned());
        at = events.last().map_or(at, |last| last.seq);
    }
    if at < head
        && let Some(buffered) = replay_buffer.after(at)
    {
        events.extend(buffered);
    }
    events
}

fn is_dense(since: Seq, events: &[Event]) -> bool {
    let mut expected = since;
    events.iter().all(|event| {
        expected = expected.next();
        event.seq() == expected
    })
}
