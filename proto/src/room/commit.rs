//! The result of a commit: outcomes to the senders, then the gap check, then the fan-out.

use super::{Effects, Room};
use crate::domain::{
    AppendOutcome, BatchOutcome, MessageNumber, NewMessage, Position, SendOutcome, Seq,
    StoredMessage, Timestamp,
};
use crate::protocol::{Event, MessageEvent, StoredEvent};

impl Room {
    /// Starts the next commit, if none is in flight and sends are waiting.
    pub(super) fn start_commit(&mut self, now: Timestamp, effects: &mut Effects) {
        if let Some(messages) = self.send_queue.take_batch() {
            if let Some(window) = &mut self.batch_window {
                window.on_commit_started(now);
            }
            effects.push(super::Effect::Commit(messages));
        }
    }

    /// A commit succeeded: replies to its senders, then delivers the messages it stored.
    pub(super) fn committed(
        &mut self,
        result: BatchOutcome,
        now: Timestamp,
        effects: &mut Effects,
    ) {
        self.sync_head_with_commit(&result, effects);
        let batch = self.send_queue.finish_batch();
        let mut events = Vec::new();
        for (send, outcome) in batch.into_iter().zip(result.outcomes) {
            match &outcome {
                AppendOutcome::Stored(stored) => {
                    self.highest_seen = self.highest_seen.max(stored.seq);
                    events.push(message_event(&send.message, stored));
                }
                // Stored by a commit whose result was lost, or by another Room: the event may be
                // beyond the head.
                AppendOutcome::Duplicate(stored) => {
                    self.highest_seen = self.highest_seen.max(stored.seq);
                }
                AppendOutcome::Denied(_)
                | AppendOutcome::UnknownReplyTo
                | AppendOutcome::NotADuplicate => {}
            }
            self.complete_send(send, SendOutcome::Appended(outcome), now, effects);
        }
        self.apply_committed(&events, effects);
    }

    /// Sets the head right before the first stored message, if the Room has no head yet or the
    /// database was restored to another history.
    fn sync_head_with_commit(&mut self, result: &BatchOutcome, effects: &mut Effects) {
        let first = result.outcomes.iter().find_map(|outcome| match outcome {
            AppendOutcome::Stored(stored) => Some(stored),
            _ => None,
        });
        let Some(first) = first else {
            return;
        };
        let position = Position {
            epoch: result.epoch.clone(),
            seq: Seq(first.seq.0 - 1),
            number: MessageNumber(first.number.0 - 1),
        };
        match &self.head {
            Some(head) if head.epoch == position.epoch => {}
            Some(_) => self.change_epoch(position, effects),
            None => {
                self.recent_removals.reset(position.seq);
                self.head = Some(position);
            }
        }
    }

    /// The gap check: applies the events of a commit if they are next after the head. Otherwise
    /// another writer stored events in between, and the load that `highest_seen` causes reads all
    /// of them in order.
    fn apply_committed(&mut self, events: &[Event], effects: &mut Effects) {
        let Some(first) = events.first().map(Event::seq) else {
            return;
        };
        let expected = self.head.as_ref().map(|head| head.seq.next());
        let is_dense = events
            .windows(2)
            .all(|pair| matches!(pair, [a, b] if a.seq().next() == b.seq()));
        if expected == Some(first) && is_dense {
            self.apply_events(events, effects);
        }
    }

    /// A commit has no result: replies "unavailable" and rechecks for what it may have stored.
    pub(super) fn commit_failed(&mut self, now: Timestamp, effects: &mut Effects) {
        for send in self.send_queue.finish_batch() {
            self.complete_send(send, SendOutcome::Unavailable, now, effects);
        }
        self.event_loader.schedule_rechecks(now);
        self.connections.mark_checkpoint_dirty();
    }

    /// An event was stored outside the Room: applies it if it is next after the head, otherwise
    /// notes its position, which causes a load.
    pub(super) fn change_stored(
        &mut self,
        change: StoredEvent,
        now: Timestamp,
        effects: &mut Effects,
    ) {
        let StoredEvent { epoch, event } = change;
        match &self.head {
            // No connection needs the event; a later one is admitted at a later position.
            None => {}
            Some(head) if head.epoch != epoch => self.schedule_recheck(now),
            Some(head) if head.seq.next() == event.seq() => self.apply_events(&[event], effects),
            Some(_) => self.highest_seen = self.highest_seen.max(event.seq()),
        }
    }
}

fn message_event(message: &NewMessage, stored: &StoredMessage) -> Event {
    Event::Message(MessageEvent {
        seq: stored.seq,
        number: stored.number,
        message_id: stored.message_id,
        message: message.message.clone().into_inner(),
        sender_id: message.sender_id,
        sender: stored.sender.clone(),
        timestamp: stored.timestamp,
        client_message_id: message.client_message_id.clone(),
        reply_to: message.reply_to,
        mentions: stored.mentions.clone(),
        version: 1,
    })
}
