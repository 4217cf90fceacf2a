//! The events read from the cache for one conversation, and the proof of
//! [`history`](super::history) that they form a complete page.
//!
//! Every new kind of event must state in [`apply`] how it changes a history.

use std::cmp::Reverse;
use std::sync::Arc;

use super::entries::{MAX_CACHED_EVENTS, decode_member};
use super::verified_pages::VerifiedPage;
use crate::page_size::newest_that_fit;
use crate::ports::History;
use colloquy_proto::domain::{ConversationId, Epoch, Message, Position, Seq};
use colloquy_proto::protocol::Event;

/// What the cache holds of one conversation. Unproven: only
/// [`RecentHistory::page`](super::RecentHistory::page) turns it into a page.
#[derive(Debug)]
pub struct CachedEvents {
    pub(super) conversation_id: ConversationId,
    /// Ascending by `seq`; `None` until the cache is read.
    pub(super) members: Option<Vec<Arc<str>>>,
    /// How many members were requested.
    pub(super) requested: i64,
    /// The page verified before, if any; then the members are only the newest events.
    pub(super) verified: Option<VerifiedPage>,
}

impl CachedEvents {
    /// The newest `limit` messages (fewer only when there are no more, or when they fill a page by
    /// their size), with the position they reach, if the events prove them complete at `position`,
    /// which the database must have reported during this request.
    pub(super) fn prove_complete(&self, position: &Position, limit: i64) -> Option<History> {
        let mut events = self.events(&position.epoch)?;
        let limit = usize::try_from(limit).ok()?;
        let verified = self.verified.as_ref();
        let base = verified.map_or(Seq(0), |verified| verified.page.position.seq);
        let reached = dense_end(&events, position.seq.max(base));
        events.truncate(reached);
        let newest = events.last().map_or(Seq(0), Event::seq);
        let top = newest.max(position.seq).max(base);
        let run = events.split_off(events.len() - dense_length(&events, top, base, limit));
        let is_whole_page = run.iter().filter(|event| event.is_message()).count() == limit;
        let mut messages = match verified {
            _ if is_whole_page => Vec::new(),
            Some(_) if top.0 - base.0 != i64::try_from(run.len()).ok()? => return None,
            Some(verified) => verified.messages.to_vec(),
            None => Vec::new(),
        };
        for event in run {
            apply(&mut messages, event);
        }
        messages.drain(..messages.len().saturating_sub(limit));
        let (fitting, is_full) = newest_that_fit(&messages);
        messages.drain(..messages.len() - fitting);
        let number = messages
            .last()
            .map_or(position.number, |newest| newest.number);
        let complete = messages
            .first()
            .map_or(number.0 == 0 || limit == 0, |oldest| {
                oldest.number.0 == 1 || messages.len() == limit || is_full
            });
        let position = Position {
            epoch: position.epoch.clone(),
            seq: top,
            number,
        };
        complete.then_some(History { messages, position })
    }

    /// Whether requesting more members may help: events other than messages fill the page.
    pub(super) fn needs_more(&self, epoch: &Epoch) -> bool {
        let requested = usize::try_from(self.requested).ok();
        self.requested < MAX_CACHED_EVENTS
            && self.members.as_ref().map(Vec::len) == requested
            && self
                .events(epoch)
                .is_some_and(|events| events.iter().any(|event| !event.is_message()))
    }

    /// The events, ascending by `seq` and each once; `None` when any member is malformed, of another
    /// epoch, or contradicts another.
    pub(super) fn events(&self, epoch: &Epoch) -> Option<Vec<Event>> {
        let verified = self.verified.as_ref();
        if verified.is_some_and(|verified| verified.page.position.epoch != *epoch) {
            return None;
        }
        let members = self.members.iter().flatten();
        let mut events = members
            .map(|member| decode_member(member, epoch))
            .collect::<Option<Vec<Event>>>()?;
        events.sort_by_key(|event| (event.seq(), Reverse(event.version())));
        let contradicts = |pair: &[Event]| match pair {
            [one, other] => {
                one.seq() == other.seq() && one.version() == other.version() && one != other
            }
            _ => false,
        };
        if events.windows(2).any(contradicts) {
            return None;
        }
        events.dedup_by_key(|event| event.seq());
        Some(events)
    }
}

/// Applies an event to a history that contains everything before it, or the newest part of that.
fn apply(messages: &mut Vec<Message>, event: Event) {
    let (id, version, text) = match event {
        Event::Message(message) => return messages.push(message.into()),
        Event::Edited(edited) => (edited.message_id, edited.version, edited.message),
        Event::Deleted(deleted) => (deleted.message_id, deleted.version, Arc::default()),
        // A change of members changes no message.
        Event::Member(_) => return,
    };
    let changed = messages.iter_mut().rev().find(|message| message.id == id);
    if let Some(message) = changed.filter(|message| message.version < version) {
        message.content = text;
        message.version = version;
    }
}

/// The number of events up to `seq` and of those above it before the first gap.
fn dense_end(events: &[Event], seq: Seq) -> usize {
    let below = events.partition_point(|event| event.seq() <= seq);
    let mut next = seq.next();
    let newer = events.iter().skip(below).take_while(|event| {
        let dense = event.seq() == next;
        next = next.next();
        dense
    });
    below + newer.count()
}

/// The number of events at the end that descend from `top` without a gap, down to `base`
/// (exclusive) or until `limit` of them are messages.
fn dense_length(events: &[Event], top: Seq, base: Seq, limit: usize) -> usize {
    let mut messages = 0;
    let expected = (0..).map(|below| Seq(top.0 - below));
    events
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
