//! From committed to delivered: the gap check, the fan-out, the cache.

use super::connection::Mode;
use super::{ConnectionId, Effect, Effects, Frame, Room};
use crate::domain::{
    Appended, AppendedBatch, Epoch, Number, Position, SendOutcome, Seq, StoredMessage, Timestamp,
};
use crate::protocol::{CloseCode, Event, MessageEvent, Reset, ResetReason, batch_of};

/// A `batch` frame is cut at about this size, so that no client meets a frame of megabytes.
const MAX_BATCH_BYTES: usize = 64 * 1024;

impl Room {
    /// A commit succeeded: answers its senders, then delivers what it stored.
    pub(super) fn committed(&mut self, stored: AppendedBatch, now: Timestamp, fx: &mut Effects) {
        self.written_into(&stored, fx);
        let batch = self.sends.finish_batch();
        let mut events = Vec::new();
        for (sent, outcome) in batch.into_iter().zip(stored.outcomes) {
            match &outcome {
                Appended::Stored(stored) => {
                    self.known = self.known.max(stored.seq);
                    events.push(event_of(&sent.append, stored));
                }
                // Stored by a call whose answer was lost, or by another Room: it may be news.
                Appended::Duplicate(stored) => self.known = self.known.max(stored.seq),
                Appended::Denied(_) | Appended::UnknownReply | Appended::NoRepeat => {}
            }
            self.settle(sent, SendOutcome::Appended(outcome), now, fx);
        }
        self.deliver_own(&events, fx);
    }

    /// A Room that knows nothing yet begins right before what it stored. One that knows another
    /// history has been overtaken by a restored database, and begins again there.
    fn written_into(&mut self, stored: &AppendedBatch, fx: &mut Effects) {
        let first = stored.outcomes.iter().find_map(|outcome| match outcome {
            Appended::Stored(stored) => Some(stored),
            _ => None,
        });
        let Some(first) = first else {
            return;
        };
        let position = Position {
            epoch: stored.epoch.clone(),
            seq: Seq(first.seq.0 - 1),
            number: Number(first.number.0 - 1),
        };
        match &self.head {
            Some(head) if head.epoch == position.epoch => {}
            Some(_) => self.change_epoch(position, fx),
            None => self.head = Some(position.into()),
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
        for sent in self.sends.finish_batch() {
            self.settle(sent, SendOutcome::Unavailable, now, fx);
        }
        self.loads.suspect(now);
        self.connections.touch_keeper();
    }

    /// Takes the next events, which start right after the head, and hands them to every
    /// connection that has had all before.
    pub(super) fn ingest(&mut self, events: &[Event], fx: &mut Effects) {
        let (Some(head), Some(last)) = (&mut self.head, events.last()) else {
            return;
        };
        let before = head.seq;
        head.seq = last.seq();
        for Event::Message(message) in events {
            head.number = head.number.max(message.number);
        }
        self.known = self.known.max(head.seq);
        self.connections.touch_keeper();
        let epoch = head.epoch.clone();
        let encoded: Vec<(Seq, Frame)> = events
            .iter()
            .map(|event| (event.seq(), event.encode()))
            .collect();
        for (seq, frame) in &encoded {
            self.recent.push(*seq, frame.clone());
        }
        self.fan_out(before, &encoded, fx);
        fx.push(Effect::Record {
            epoch,
            events: encoded,
        });
    }

    fn fan_out(&mut self, before: Seq, events: &[(Seq, Frame)], fx: &mut Effects) {
        let Some((after, _)) = events.last() else {
            return;
        };
        let (mut v1, mut v2) = (Vec::new(), Vec::new());
        for (id, connection) in self.connections.iter_mut() {
            if connection.delivered == before && connection.resuming().is_none() {
                connection.delivered = *after;
                match connection.mode {
                    Mode::V1 => v1.push(id),
                    Mode::V2 => v2.push(id),
                }
            }
        }
        if !v1.is_empty() {
            let frames = events.iter().map(|(_, frame)| frame.clone()).collect();
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
        self.recent.clear();
        self.known = position.seq;
        let (seq, epoch) = (position.seq, position.epoch.clone());
        self.head = Some(position.into());
        for id in self.connections.ids_where(|_| true) {
            self.connections.touch(id);
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

/// Frames that carry these events in order: single, or together as `batch`.
pub(super) fn batches(events: &[(Seq, Frame)]) -> Vec<Frame> {
    let mut frames = Vec::new();
    let mut group: Vec<Frame> = Vec::new();
    let mut bytes = 0;
    let mut flush = |group: &mut Vec<Frame>| match group.as_slice() {
        [] => {}
        [single] => {
            frames.push(single.clone());
            group.clear();
        }
        several => {
            frames.push(batch_of(several));
            group.clear();
        }
    };
    for (_, frame) in events {
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

fn event_of(append: &crate::domain::Append, stored: &StoredMessage) -> Event {
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
