//! From committed to delivered: the gap check, the fan-out, the cache.

use super::connection::{Connection, Mode};
use super::replay_buffer::Encoded;
use super::{ConnectionId, Effect, Effects, EncodedFrame, Room};
use crate::domain::{
    AppendOutcome, BatchOutcome, Epoch, MessageNumber, Position, SendOutcome, Seq, StoredMessage,
    Timestamp, UserId,
};
use crate::protocol::{
    CloseCode, Event, MessageEvent, Reset, ResetReason, StoredEvent, encode_batch,
};

/// A `batch` frame is cut at about this size, so that no client meets a frame of megabytes.
const MAX_BATCH_BYTES: usize = 64 * 1024;

impl Room {
    /// A commit succeeded: answers its senders, then delivers what it stored.
    pub(super) fn committed(&mut self, stored: BatchOutcome, now: Timestamp, fx: &mut Effects) {
        self.written_into(&stored, fx);
        let batch = self.send_queue.finish_batch();
        let mut events = Vec::new();
        for (sent, outcome) in batch.into_iter().zip(stored.outcomes) {
            match &outcome {
                AppendOutcome::Stored(stored) => {
                    self.known = self.known.max(stored.seq);
                    events.push(event_of(&sent.append, stored));
                }
                // Stored by a call whose answer was lost, or by another Room: it may be news.
                AppendOutcome::Duplicate(stored) => self.known = self.known.max(stored.seq),
                AppendOutcome::Denied(_)
                | AppendOutcome::UnknownReplyTo
                | AppendOutcome::NotADuplicate => {}
            }
            self.settle(sent, SendOutcome::Appended(outcome), now, fx);
        }
        self.deliver_own(&events, fx);
    }

    /// A Room that knows nothing yet begins right before what it stored. One that knows another
    /// history has been overtaken by a restored database, and begins again there.
    fn written_into(&mut self, stored: &BatchOutcome, fx: &mut Effects) {
        let first = stored.outcomes.iter().find_map(|outcome| match outcome {
            AppendOutcome::Stored(stored) => Some(stored),
            _ => None,
        });
        let Some(first) = first else {
            return;
        };
        let position = Position {
            epoch: stored.epoch.clone(),
            seq: Seq(first.seq.0 - 1),
            number: MessageNumber(first.number.0 - 1),
        };
        match &self.head {
            Some(head) if head.epoch == position.epoch => {}
            Some(_) => self.change_epoch(position, fx),
            None => {
                self.removals.begin(position.seq);
                self.head = Some(position.into());
            }
        }
    }

    /// What this Room stored is the next in line, unless someone else wrote in between: then
    /// everything is read back from the database, in order, by the load that `known` asks for.
    fn deliver_own(&mut self, events: &[Event], fx: &mut Effects) {
        let Some(first) = events.first().map(Event::seq) else {
            return;
        };
        let expected = self.head.as_ref().map(|head| head.seq.next());
        let dense = events
            .windows(2)
            .all(|pair| matches!(pair, [a, b] if a.seq().next() == b.seq()));
        if expected == Some(first) && dense {
            self.ingest(events, fx);
        }
    }

    /// The answer to a commit was lost: nobody is acknowledged, and what it may have stored is
    /// looked for.
    pub(super) fn commit_failed(&mut self, now: Timestamp, fx: &mut Effects) {
        for sent in self.send_queue.finish_batch() {
            self.settle(sent, SendOutcome::Unavailable, now, fx);
        }
        self.loads.suspect(now);
        self.connections.touch_keeper();
    }

    /// A change was stored without this Room: it is the next in line, unless something else was
    /// stored before it.
    pub(super) fn changed(&mut self, change: StoredEvent, now: Timestamp, fx: &mut Effects) {
        let StoredEvent { epoch, event } = change;
        match &self.head {
            // Nobody is here to be told, and who comes asks the database.
            None => {}
            Some(head) if head.epoch != epoch => self.look(now),
            Some(head) if head.seq.next() == event.seq() => self.ingest(&[event], fx),
            Some(_) => self.known = self.known.max(event.seq()),
        }
    }

    /// Takes the next events, which start right after the head, and hands them to every
    /// connection that has had all before. Whose membership one of them ends gets what is before
    /// it, and neither that one nor any after it.
    pub(super) fn ingest(&mut self, events: &[Event], fx: &mut Effects) {
        for part in events.chunk_by(|_, next| next.removed_user().is_none()) {
            if let Some(first) = part.first()
                && let Some(user) = first.removed_user()
            {
                self.dismiss(user, first.seq(), fx);
            }
            self.take_in(part, fx);
        }
    }

    fn dismiss(&mut self, user: UserId, seq: Seq, fx: &mut Effects) {
        self.removals.push(seq, user);
        let gone = |c: &Connection| c.user_id == user && c.member_at < seq;
        self.close_where(CloseCode::NotMember, gone, fx);
    }

    fn take_in(&mut self, events: &[Event], fx: &mut Effects) {
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
        self.known = self.known.max(head.seq);
        self.connections.touch_keeper();
        let epoch = head.epoch.clone();
        let encoded: Vec<Encoded> = events.iter().map(Encoded::from).collect();
        for event in &encoded {
            self.replay_buffer.push(event.clone());
        }
        self.fan_out(before, &encoded, fx);
        let events = encoded.into_iter();
        let events = events.map(|event| (event.seq, event.frame)).collect();
        fx.push(Effect::CacheEvents { epoch, events });
    }

    fn fan_out(&mut self, before: Seq, events: &[Encoded], fx: &mut Effects) {
        let Some(after) = events.last().map(|last| last.seq) else {
            return;
        };
        let (mut v1, mut v2) = (Vec::new(), Vec::new());
        for (id, connection) in self.connections.iter_mut() {
            if connection.delivered == before && connection.resuming().is_none() {
                connection.delivered = after;
                match connection.mode {
                    Mode::V1 => v1.push(id),
                    Mode::V2 => v2.push(id),
                }
            }
        }
        if !v1.is_empty() && events.iter().any(|event| event.v1) {
            let frames = v1_frames(events);
            fx.push(Effect::Fanout { to: v1, frames });
        }
        if !v2.is_empty() {
            fx.push(Effect::Fanout {
                to: v2,
                frames: batches(events),
            });
        }
    }

    /// Another history begins: nothing of the old one may be continued.
    pub(super) fn change_epoch(&mut self, position: Position, fx: &mut Effects) {
        self.replay_buffer.clear();
        self.known = position.seq;
        let (seq, epoch) = (position.seq, position.epoch.clone());
        self.head = Some(position.into());
        self.removals.begin(seq);
        for id in self.connections.ids_where(|_| true) {
            self.connections.touch(id);
            if let Some(connection) = self.connections.get_mut(id) {
                // A position of the old history says nothing about a departure in this one.
                connection.member_at = connection.member_at.min(seq);
            }
            self.reset(id, ResetReason::EpochChanged, (seq, &epoch), fx);
        }
    }

    /// Tells a v2 connection that its history cannot be continued, and goes on from `seq`.
    pub(super) fn reset(
        &mut self,
        id: ConnectionId,
        reason: ResetReason,
        (seq, epoch): (Seq, &Epoch),
        fx: &mut Effects,
    ) {
        self.connections.set_resuming(id, None);
        let Some(connection) = self.connections.get_mut(id) else {
            return;
        };
        connection.delivered = seq;
        match connection.mode {
            Mode::V2 => fx.reply(
                id,
                Reset {
                    reason,
                    seq,
                    epoch: epoch.clone(),
                }
                .encode(),
            ),
            // A v1 socket cannot be told: it reconnects and reads the history.
            Mode::V1 => self.close(id, CloseCode::Restarting, fx),
        }
    }
}

/// What v1 sockets get of these events.
pub(super) fn v1_frames(events: &[Encoded]) -> Vec<EncodedFrame> {
    let known = events.iter().filter(|event| event.v1);
    known.map(|event| event.frame.clone()).collect()
}

/// Frames that carry these events in order: single, or together as `batch`.
pub(super) fn batches(events: &[Encoded]) -> Vec<EncodedFrame> {
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
    for Encoded { frame, .. } in events {
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

fn event_of(append: &crate::domain::NewMessage, stored: &StoredMessage) -> Event {
    Event::Message(MessageEvent {
        seq: stored.seq,
        number: stored.number,
        message_id: stored.message_id,
        message: append.message.clone().into_inner(),
        sender_id: append.sender_id,
        sender: stored.sender.clone(),
        timestamp: stored.timestamp,
        client_message_id: append.client_message_id.clone(),
        reply_to: append.reply_to,
        mentions: append.mentions.clone(),
        version: 1,
    })
}
