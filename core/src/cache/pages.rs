//! Pages as their readers are given them, kept so that the next reader's need not be made again.
//!
//! Why what is kept is true: what a conversation's history holds up to a `seq` of an epoch never
//! changes (see [`history`](super::history)), so neither does its newest page there. A page is
//! found again only by that very place, which the database tells anew with every request.
//!
//! Bounded in bytes: the pages used since the last clearing stay, the others go.

use std::collections::HashMap;
use std::mem::size_of;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::value::RawValue;

use crate::domain::{ConversationId, Number, Position};
use crate::ports::History;

/// How many bytes of pages are kept: some four hundred full ones.
const CAPACITY: usize = 8 * 1024 * 1024;

/// Part of a history, ready to be sent.
#[derive(Debug, Clone)]
pub struct Page {
    /// The messages as a JSON array, oldest first.
    pub messages: Arc<RawValue>,
    /// The oldest one's number; `None` on an empty page.
    pub first: Option<Number>,
    /// The newest one's.
    pub last: Option<Number>,
    /// Where the conversation stood when the page was read.
    pub position: Position,
}

impl Page {
    /// The page that shows this part.
    ///
    /// # Errors
    /// None that a message can cause; serde's signature has one.
    pub fn of(history: History) -> serde_json::Result<Self> {
        let messages = serde_json::value::to_raw_value(&history.messages)?;
        Ok(Self {
            messages: messages.into(),
            first: history.messages.first().map(|message| message.number),
            last: history.messages.last().map(|message| message.number),
            position: history.position,
        })
    }
}

/// A conversation, and how many messages were asked for.
type Key = (ConversationId, i64);

/// The pages kept.
#[derive(Debug, Default)]
pub(super) struct Pages(Mutex<Kept>);

/// What was used since the last clearing is young, the rest old.
#[derive(Debug, Default)]
struct Kept {
    young: HashMap<Key, Page>,
    old: HashMap<Key, Page>,
    young_bytes: usize,
}

impl Pages {
    /// The newest page of a conversation that stands there.
    pub(super) fn get(&self, key: Key, position: &Position) -> Option<Page> {
        let mut kept = self.lock();
        let there = |page: &&Page| {
            page.position.seq == position.seq && page.position.epoch == position.epoch
        };
        if let Some(page) = kept.young.get(&key) {
            return Some(page).filter(there).cloned();
        }
        let page = kept.old.get(&key).filter(there)?.clone();
        kept.put(key, page.clone());
        Some(page)
    }

    /// Keeps a page in the place of the one kept before.
    pub(super) fn keep(&self, key: Key, page: Page) {
        self.lock().put(key, page);
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        // Each change leaves it whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn put(&mut self, key: Key, page: Page) {
        self.young_bytes += weight(&page);
        if let Some(before) = self.young.insert(key, page) {
            self.young_bytes -= weight(&before);
        }
        if self.young_bytes > CAPACITY / 2 {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
    }
}

fn weight(page: &Page) -> usize {
    page.messages.get().len() + 2 * size_of::<(Key, Page)>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Epoch, Seq};

    fn at(epoch: &str, seq: i64) -> Position {
        Position {
            epoch: Epoch(epoch.into()),
            seq: Seq(seq),
            number: Number(seq),
        }
    }

    fn page(position: Position, length: usize) -> Page {
        let text = format!("\"{}\"", "x".repeat(length));
        Page {
            messages: RawValue::from_string(text).unwrap().into(),
            first: None,
            last: None,
            position,
        }
    }

    #[test]
    fn a_page_is_found_at_its_own_place_alone() {
        let (pages, key) = (Pages::default(), (ConversationId(1), 100));
        pages.keep(key, page(at("e", 7), 1));
        assert!(pages.get(key, &at("e", 7)).is_some());
        for elsewhere in [at("e", 6), at("e", 8), at("f", 7)] {
            assert!(pages.get(key, &elsewhere).is_none());
        }
        assert!(pages.get((ConversationId(2), 100), &at("e", 7)).is_none());
        assert!(pages.get((ConversationId(1), 99), &at("e", 7)).is_none());
        pages.keep(key, page(at("e", 8), 1));
        assert!(pages.get(key, &at("e", 7)).is_none());
    }

    #[test]
    fn memory_is_bounded_and_what_is_used_stays() {
        let (pages, used) = (Pages::default(), (ConversationId(0), 100));
        pages.keep(used, page(at("e", 1), 1_000));
        for id in 1..10_000 {
            pages.keep((ConversationId(id), 100), page(at("e", 1), 10_000));
            assert!(pages.get(used, &at("e", 1)).is_some());
            let kept = pages.lock();
            let bytes: usize = kept
                .young
                .values()
                .chain(kept.old.values())
                .map(weight)
                .sum();
            assert!(bytes <= CAPACITY + 20_000, "{bytes}");
        }
    }
}
