//! The fan-out: applies stored events to the Room and sends them to its connections and the cache.

use super::connections::Connection;
use super::replay_buffer::EncodedEvent;
use super::{Effect, Effects, EncodedFrame, Room};
use crate::domain::{Seq, UserId};
use crate::protocol::{CloseCode, Event, encode_batch};

/// The approximate maximum size of a `batch` frame, so that no client receives frames of megabytes.
const MAX_BATCH_BYTES: usize = 64 * 1024;

impl Room {
    /// Applies the events right after the head and sends them to every connection that has been
    /// served up to it. A removed member receives the events before the removal, not the removal
    /// itself or anything after it.
    pub(super) fn apply_events(&mut self, events: &[Event], effects: &mut Effects) {
        for part in events.chunk_by(|_, next| next.removed_user().is_none()) {
            if let Some(first) = part.first()
                && let Some(user_id) = first.removed_user()
            {
                self.close_removed_member(user_id, first.seq(), effects);
            }
            self.advance_head(part, effects);
        }
    }

    fn close_removed_member(&mut self, user_id: UserId, seq: Seq, effects: &mut Effects) {
        self.recent_removals.push(seq, user_id);
        let is_removed = |c: &Connection| c.user_id == user_id && c.membership_seen_at < seq;
        self.close_where(CloseCode::NotMember, is_removed, effects);
    }

    fn advance_head(&mut self, events: &[Event], effects: &mut Effects) {
        let (Some(head), Some(last)) = (&mut self.head, events.last()) else {
            return;
        };
        let before = head.seq;
        head.seq = last.seq();
        for event in events {
            if let Event::Message(message) = event {
                head.number = head.number.max(message.number);
            }
        }
        self.highest_seen = self.highest_seen.max(head.seq);
        self.connections.mark_checkpoint_dirty();
        let epoch = head.epoch.clone();
        let encoded: Vec<EncodedEvent> = events.iter().map(EncodedEvent::from).collect();
        for event in &encoded {
            self.replay_buffer.push(event.clone());
        }
        self.fan_out(before, &encoded, effects);
        let events = encoded.into_iter();
        let events = events.map(|event| (event.seq, event.frame)).collect();
        effects.push(Effect::CacheEvents { epoch, events });
    }

    fn fan_out(&mut self, before: Seq, events: &[EncodedEvent], effects: &mut Effects) {
        let Some(after) = events.last().map(|last| last.seq) else {
            return;
        };
        let (mut v1, mut v2) = (Vec::new(), Vec::new());
        for (id, connection) in self.connections.iter_mut() {
            if connection.delivered == before && connection.pending_resume().is_none() {
                connection.delivered = after;
                if connection.is_v2() {
                    v2.push(id);
                } else {
                    v1.push(id);
                }
            }
        }
        if !v1.is_empty() && events.iter().any(|event| event.v1) {
            let frames = v1_frames(events);
            effects.push(Effect::Fanout { to: v1, frames });
        }
        if !v2.is_empty() {
            let frames = v2_frames(events);
            effects.push(Effect::Fanout { to: v2, frames });
        }
    }
}

/// The frames of these events for v1 sockets: messages only, one per frame.
pub(super) fn v1_frames(events: &[EncodedEvent]) -> Vec<EncodedFrame> {
    let messages = events.iter().filter(|event| event.v1);
    messages.map(|event| event.frame.clone()).collect()
}

/// The frames of these events for v2 sockets: in order, several as one `batch`.
pub(super) fn v2_frames(events: &[EncodedEvent]) -> Vec<EncodedFrame> {
    let mut frames = Vec::new();
    let mut group: Vec<EncodedFrame> = Vec::new();
    let mut bytes = 0;
    let mut flush = |group: &mut Vec<EncodedFrame>| match group.as_slice() {
        [] => {}
        [single] => {
            frames.push(single.clone());
            group.clear();
        }
        several => {
            frames.push(encode_batch(several));
            group.clear();
        }
    };
    for EncodedEvent { frame, .. } in events {
        if bytes + frame.len() > MAX_BATCH_BYTES {
            flush(&mut group);
            bytes = 0;
        }
        bytes += frame.len();
        group.push(frame.clone());
    }
    flush(&mut group);
    frames
}
