//! Catching up: a connection that missed events (`resume`), and a Room that missed events another
//! Room of the conversation stored (gap recovery).
//!
//! Both read from the database by one load at a time, paced by [`super::event_loader`]. A resume is
//! served from the replay buffer where it reaches back far enough. `sync` follows only when every
//! requested event has been sent.
//!
//! A resume is sent in parts, so that a short command does not make the server queue megabytes. The
//! next part is read and encoded when the host reports that the client has taken the last one
//! ([`super::Input::Drained`]). Until the resume is complete, live events are not queued for the
//! connection but read like the missed ones. INVARIANT: at most one part of a connection, of
//! [`RESUME_PART_BYTES`] and one event, is queued at a time.

use super::commands::CommandError;
use super::connections::{Connection, PendingResume};
use super::fanout::{v1_frames, v2_frames};
use super::replay_buffer::{EncodedEvent, ReplayBuffer};
use super::resume_budget::RESUME_COST_BYTES;
use super::{ConnectionId, Effect, Effects, EncodedFrame, Room};
use crate::domain::{Epoch, Seq, Timestamp, UserId};
use crate::protocol::{ErrorCode, Event, EventPage, MAX_RESUME_EVENTS, ResetReason, Sync};

/// The events of one part of a resume, in bytes. A single larger event is a part of its own.
pub const RESUME_PART_BYTES: usize = 64 * 1024;

/// A complete resume of at most this size does not wait to be taken: most resumes are that short.
const UNTRACKED_BYTES: usize = 16 * 1024;

impl Room {
    /// Executes a `resume`, unless its user has received too much by resumes lately.
    pub(super) fn resume_within_budget(
        &mut self,
        id: ConnectionId,
        since: Seq,
        epoch: Option<&Epoch>,
        now: Timestamp,
        effects: &mut Effects,
    ) {
        let Some(user_id) = self
            .connections
            .get(id)
            .map(|connection| connection.user_id)
        else {
            return;
        };
        if let Err(retry_after_ms) = self.resume_budget.check(user_id, now) {
            let text = "Too many events were requested. Please resume later.";
            let mut error = CommandError::new(ErrorCode::Throttled, text, None);
            error.retry_after_ms = Some(retry_after_ms);
            self.send_error(id, error, now, effects);
            return;
        }
        self.resume_budget.spend(user_id, RESUME_COST_BYTES, now);
        self.resume(id, since, epoch, now, effects);
    }

    /// Delivers every event after `since`, or resets.
    fn resume(
        &mut self,
        id: ConnectionId,
        since: Seq,
        epoch: Option<&Epoch>,
        now: Timestamp,
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
        self.start_resume(id, since, now, effects);
    }

    /// Starts delivering every event after `since`. Live events are withheld until it is complete.
    pub(super) fn start_resume(
        &mut self,
        id: ConnectionId,
        since: Seq,
        now: Timestamp,
        effects: &mut Effects,
    ) {
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
        self.serve_resume(id, &[], now, effects);
    }

    /// The client has taken the queued part: sends the next one.
    pub(super) fn drained(&mut self, id: ConnectionId, now: Timestamp, effects: &mut Effects) {
        self.connections.set_awaits_drain(id, false);
        self.serve_resume(id, &[], now, effects);
    }

    /// Ends a resume without delivering its events: the connection continues at the head.
    pub(super) fn skip_to_head(&mut self, id: ConnectionId) {
        self.connections.set_pending_resume(id, None);
        if let (Some(head), Some(connection)) = (&self.head, self.connections.get_mut(id)) {
            connection.delivered = head.seq;
        }
    }

    /// Sends the next part of a pending resume from loaded and buffered events, as far as they reach.
    fn serve_resume(
        &mut self,
        id: ConnectionId,
        loaded: &[EncodedEvent],
        now: Timestamp,
        effects: &mut Effects,
    ) {
        let Some(head) = self.head.as_ref().map(|head| head.seq) else {
            return;
        };
        let Some(connection) = self.connections.get_mut(id) else {
            return;
        };
        let ready = connection.pending_resume().filter(|resume| !resume.ahead);
        let Some(mut resume) = ready.filter(|_| !connection.awaits_drain()) else {
            return;
        };
        let part = ResumePart::next(connection.delivered, head, loaded, &self.replay_buffer);
        resume.count = resume.count.saturating_add(part.events.len());
        connection.delivered = part.end;
        let user_id = connection.user_id;
        let is_complete = part.end == head;
        self.connections
            .set_pending_resume(id, (!is_complete).then_some(resume));
        let mut frames = if self.connections.is_v2(id) {
            v2_frames(&part.events)
        } else {
            v1_frames(&part.events)
        };
        if is_complete && self.connections.is_v2(id) {
            let sync = Sync {
                from: resume.from,
                to: part.end,
                count: resume.count,
                complete: true,
            };
            frames.push(sync.encode());
        }
        let is_tracked = !is_complete || part.bytes > UNTRACKED_BYTES;
        self.send_part(
            (id, user_id),
            (frames, part.bytes),
            is_tracked,
            now,
            effects,
        );
    }

    fn send_part(
        &mut self,
        (to, user_id): (ConnectionId, UserId),
        (frames, bytes): (Vec<EncodedFrame>, usize),
        is_tracked: bool,
        now: Timestamp,
        effects: &mut Effects,
    ) {
        // Events that v1 does not have leave no frame.
        if frames.is_empty() {
            return;
        }
        if bytes > 0 {
            self.resume_budget.spend(user_id, bytes, now);
        }
        if is_tracked {
            self.connections.set_awaits_drain(to, true);
            effects.push(Effect::ResumePart { to, frames });
        } else {
            effects.push(Effect::Reply { to, frames });
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
            let limit = self.event_loader.limit();
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
        self.event_loader
            .observe(old.iter().map(|event| event.frame.len()));
        for id in self.resuming_ids() {
            self.serve_resume(id, &old, now, effects);
        }
        if new.first().map(Event::seq) == Some(old_head.next()) {
            self.apply_events(&new, effects);
        }
        self.settle_resumes(now, effects);
        if is_empty && self.wanted_load(now).is_some() {
            // The database does not yet return what it has confirmed: retry after the pause.
            self.event_loader.failed(now);
        }
    }

    /// After a load: decides the resumes that were ahead of the head, and serves the others.
    fn settle_resumes(&mut self, now: Timestamp, effects: &mut Effects) {
        let Some(head) = &self.head else { return };
        let (seq, epoch) = (head.seq, head.epoch.clone());
        for id in self.resuming_ids() {
            let resume = self
                .connections
                .get(id)
                .and_then(Connection::pending_resume);
            let Some(resume) = resume else { continue };
            if !resume.ahead {
                self.serve_resume(id, &[], now, effects);
            } else if resume.from <= seq {
                self.resume(id, resume.from, None, now, effects);
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

/// The events of one part, and where it ends.
struct ResumePart {
    events: Vec<EncodedEvent>,
    bytes: usize,
    end: Seq,
}

impl ResumePart {
    /// The events after `delivered` up to the head, as far as `loaded` and the buffer contain them
    /// without a gap, and as many as a part holds.
    fn next(
        delivered: Seq,
        head: Seq,
        loaded: &[EncodedEvent],
        replay_buffer: &ReplayBuffer,
    ) -> Self {
        let mut part = Self {
            events: Vec::new(),
            bytes: 0,
            end: delivered,
        };
        let reaches = loaded
            .first()
            .is_some_and(|first| first.seq <= delivered.next());
        let loaded = loaded
            .iter()
            .filter(|event| reaches && event.seq > delivered);
        if part.fill(loaded)
            && part.end < head
            && let Some(buffered) = replay_buffer.after(part.end)
        {
            part.fill(buffered);
        }
        part
    }

    /// Adds events; false when the part is full.
    fn fill<'a>(&mut self, mut events: impl Iterator<Item = &'a EncodedEvent>) -> bool {
        events.all(|event| {
            let bytes = self.bytes + event.frame.len();
            let fits = self.events.is_empty() || bytes <= RESUME_PART_BYTES;
            if fits {
                self.bytes = bytes;
                self.end = event.seq;
                self.events.push(event.clone());
            }
            fits
        })
    }
}

fn is_dense(since: Seq, events: &[Event]) -> bool {
    let mut expected = since;
    events.iter().all(|event| {
        expected = expected.next();
        event.seq() == expected
    })
}
