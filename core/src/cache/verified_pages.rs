//! VerifiedPages that were proven, as their readers are given them, with the messages they are made of.
//!
//! Why what is kept is true: what a conversation's history holds up to a `seq` of an epoch never
//! changes (see [`history`](super::history)), so neither does its newest page there. A page is
//! shown again only at that very place, which the database tells anew with every request; its
//! messages are facts like those of the cache, and need not be asked of it again.

use std::mem::size_of;
use std::sync::Arc;

use serde_json::value::RawValue;

use crate::bounded_cache::BoundedCache;
use crate::ports::History;
use colloquy_proto::domain::{ConversationId, Message, MessageNumber, Position};

/// How many bytes are kept: some two hundred full pages.
const CAPACITY: usize = 8 * 1024 * 1024;

/// Part of a history, ready to be sent.
#[derive(Debug, Clone)]
pub struct RenderedPage {
    /// The messages as a JSON array, oldest first.
    pub messages: Arc<RawValue>,
    /// The oldest one's number; `None` on an empty page.
    pub first: Option<MessageNumber>,
    /// The newest one's.
    pub last: Option<MessageNumber>,
    /// Where the conversation stood when the page was read.
    pub position: Position,
}

impl RenderedPage {
    /// The page that shows this part.
    ///
    /// # Errors
    /// None that a message can cause; serde's signature has one.
    pub fn of(history: &History) -> serde_json::Result<Self> {
        let messages = serde_json::value::to_raw_value(&history.messages)?;
        Ok(Self {
            messages: messages.into(),
            first: history.messages.first().map(|message| message.number),
            last: history.messages.last().map(|message| message.number),
            position: history.position.clone(),
        })
    }
}

/// A page, and the messages it shows.
#[derive(Debug, Clone)]
pub(super) struct VerifiedPage {
    pub(super) page: RenderedPage,
    pub(super) messages: Arc<[Message]>,
}

impl VerifiedPage {
    /// The page, if the conversation still stands there.
    pub(super) fn at(&self, position: &Position) -> Option<&RenderedPage> {
        let Position { epoch, seq, .. } = &self.page.position;
        (*seq == position.seq && *epoch == position.epoch).then_some(&self.page)
    }
}

/// A conversation, and how many messages were asked for.
type Key = (ConversationId, i64);

/// The pages kept.
#[derive(Debug)]
pub(super) struct VerifiedPages(BoundedCache<Key, VerifiedPage>);

impl Default for VerifiedPages {
    fn default() -> Self {
        Self(BoundedCache::new(CAPACITY))
    }
}

impl VerifiedPages {
    /// What was proven last.
    pub(super) fn get(&self, key: Key) -> Option<VerifiedPage> {
        self.0.get(&key)
    }

    /// Keeps this in the place of what was kept before.
    pub(super) fn keep(&self, key: Key, proven: VerifiedPage) {
        let weight = weight(&proven);
        self.0.put(key, proven, weight);
    }
}

/// A message takes about as much memory as its JSON.
fn weight(proven: &VerifiedPage) -> usize {
    2 * (proven.page.messages.get().len() + size_of::<(Key, VerifiedPage)>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use colloquy_proto::domain::{Epoch, Seq};

    fn at(epoch: &str, seq: i64) -> Position {
        Position {
            epoch: Epoch(epoch.into()),
            seq: Seq(seq),
            number: MessageNumber(seq),
        }
    }

    fn proven(position: Position, length: usize) -> VerifiedPage {
        let text = format!("\"{}\"", "x".repeat(length));
        let page = RenderedPage {
            messages: RawValue::from_string(text).unwrap().into(),
            first: None,
            last: None,
            position,
        };
        VerifiedPage {
            page,
            messages: Arc::default(),
        }
    }

    #[test]
    fn a_page_is_shown_at_its_own_place_alone() {
        let (pages, key) = (VerifiedPages::default(), (ConversationId(1), 100));
        pages.keep(key, proven(at("e", 7), 1));
        let kept = pages.get(key).unwrap();
        assert!(kept.at(&at("e", 7)).is_some());
        for elsewhere in [at("e", 6), at("e", 8), at("f", 7)] {
            assert!(kept.at(&elsewhere).is_none());
        }
        assert!(pages.get((ConversationId(2), 100)).is_none());
        assert!(pages.get((ConversationId(1), 99)).is_none());
        pages.keep(key, proven(at("e", 8), 1));
        assert!(pages.get(key).unwrap().at(&at("e", 8)).is_some());
    }
}
