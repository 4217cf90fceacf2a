//! What was read of a conversation, and whether it may be believed: the proof of
//! [`history`](super::history), carried out.

use std::cmp::Reverse;
use std::sync::Arc;

use super::history::KEPT_EVENTS;
use super::verified_pages::VerifiedPage;
use crate::ports::History;
use colloquy_proto::domain::{ConversationId, Epoch, Message, Position, Seq};
use colloquy_proto::protocol::Event;

/// What the cache held of one conversation: nothing to be shown before
/// [`RecentHistory::page`](super::RecentHistory::page).
#[derive(Debug)]
pub struct CachedEvents {
    pub(super) id: ConversationId,
    /// Ascending by `seq`; `None` as long as it was not asked.
    pub(super) members: Option<Vec<Arc<str>>>,
    /// How many were asked for.
    pub(super) asked: i64,
    /// What was proven of it before; then the members are only the newest.
    pub(super) proven: Option<VerifiedPage>,
}

impl CachedEvents {
    /// The newest `limit` messages (fewer only when there are no more), with the position they
    /// reach, if the facts prove them complete at `position`; the database must have told that
    /// during this request.
    pub(super) fn prove_complete(&self, position: &Position, limit: i64) -> Option<History> {
        let mut facts = self.events(&position.epoch)?;
        let limit = usize::try_from(limit).ok()?;
        let proven = self.proven.as_ref();
        let base = proven.map_or(Seq(0), |proven| proven.page.position.seq);
        let reached = dense_end(&facts, position.seq.max(base));
        facts.truncate(reached);
        let newest = facts.last().map_or(Seq(0), Event::seq);
        let top = newest.max(position.seq).max(base);
        let run = facts.split_off(facts.len() - dense_length(&facts, top, base, limit));
        let whole = run.iter().filter(|event| event.is_message()).count() == limit;
        let mut messages = match proven {
            _ if whole => Vec::new(),
            Some(_) if top.0 - base.0 != i64::try_from(run.len()).ok()? => return None,
            Some(proven) => proven.messages.to_vec(),
            None => Vec::new(),
        };
        for event in run {
            apply(&mut messages, event);
        }
        messages.drain(..messages.len().saturating_sub(limit));
        let number = messages
            .last()
            .map_or(position.number, |newest| newest.number);
        let complete = messages
            .first()
            .map_or(number.0 == 0 || limit == 0, |oldest| {
                oldest.number.0 == 1 || messages.len() == limit
            });
        let position = Position {
            epoch: position.epoch.clone(),
            seq: top,
            number,
        };
        complete.then_some(History { messages, position })
    }

    /// Whether other events take the places of messages, so that more of them may tell.
    pub(super) fn needs_more(&self, epoch: &Epoch) -> bool {
        let asked = usize::try_from(self.asked).ok();
        self.asked < KEPT_EVENTS
            && self.members.as_ref().map(Vec::len) == asked
            && self
                .events(epoch)
                .is_some_and(|facts| facts.iter().any(|event| !event.is_message()))
    }

    /// The events held, ascending by `seq` and each once; `None` when anything is found that is no
    /// fact of this epoch.
    pub(super) fn events(&self, epoch: &Epoch) -> Option<Vec<Event>> {
        let proven = self.proven.as_ref();
        if proven.is_some_and(|proven| proven.page.position.epoch != *epoch) {
            return None;
        }
        let mut events = Vec::new();
        for member in self.members.iter().flatten() {
            let (its_epoch, event) = member.split_once(' ')?;
            if its_epoch != &*epoch.0 {
                return None;
            }
            events.push(serde_json::from_str(event).ok()?);
        }
        events.sort_by_key(|event: &Event| (event.seq(), Reverse(event.version())));
        let contradiction = |pair: &[Event]| match pair {
            [one, other] => {
                one.seq() == other.seq() && one.version() == other.version() && one != other
            }
            _ => false,
        };
        if events.windows(2).any(contradiction) {
            return None;
        }
        events.dedup_by_key(|event| event.seq());
        Some(events)
    }
}

/// What an event does to a history that holds everything before it, or the newest of that.
fn apply(messages: &mut Vec<Message>, event: Event) {
    let (id, version, text) = match event {
        Event::Message(message) => return messages.push(message.into()),
        Event::Edited(edited) => (edited.message_id, edited.version, edited.message),
        Event::Deleted(deleted) => (deleted.message_id, deleted.version, Arc::default()),
        // Who is a member shows in no message.
        Event::Member(_) => return,
    };
    let changed = messages.iter_mut().rev().find(|message| message.id == id);
    if let Some(message) = changed.filter(|message| message.version < version) {
        message.content = text;
        message.version = version;
    }
}

/// How many of the facts remain when those above the first gap after `seq` are left out.
fn dense_end(facts: &[Event], seq: Seq) -> usize {
    let known = facts.partition_point(|event| event.seq() <= seq);
    let mut next = seq.next();
    let newer = facts.iter().skip(known).take_while(|event| {
        let dense = event.seq() == next;
        next = next.next();
        dense
    });
    known + newer.count()
}

/// How many of the facts at the end go down from `top` without a gap, as far as they lie above
/// `base` and until `limit` of them are messages.
fn dense_length(facts: &[Event], top: Seq, base: Seq, limit: usize) -> usize {
    let mut messages = 0;
    let expected = (0..).map(|below| Seq(top.0 - below));
    facts
        .iter()
        .rev()
        .zip(expected)
        .take_while(|(event, seq)| {
            let wanted = event.seq() == *seq && *seq > base && messages < limit;
            messages += usize::from(event.is_message());
            wanted
        })
        .count()
}
