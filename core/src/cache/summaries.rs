//! Conversations as lists show them, ready to be sent: a list that is not read anew each time.
//!
//! Why what is kept is true: whatever changes how a conversation looks in a list (a message, an
//! edit, a deletion, somebody who comes or goes) is a durable event of it, so at one `seq` of one
//! epoch it looks one way for ever, whoever asks. The statement that lists a person's
//! conversations is told which are held here and at which `seq`; in one look at the database it
//! decides whose conversation each is, in what order they stand and whether it has moved on, and
//! tells in full only those that are not held as they now are. So nothing is shown that this
//! statement would not have told, to nobody to whom it would not have told it.
//!
//! What a person is called does not change. Who makes it change must make it show here as well:
//! by an event in their conversations, or by what the statement compares.

use std::mem::size_of;
use std::sync::Arc;

use serde::{Serialize, Serializer};
use serde_json::value::{RawValue, to_raw_value};

use crate::bounded_cache::BoundedCache;
use crate::ports::{CachedSummaries, ConversationPage, ListedConversation};
use colloquy_proto::domain::{ConversationId, Epoch, Seq, Timestamp, UserId};

/// How many bytes of summaries are kept: some eight thousand of small conversations.
const SUMMARIES_CAPACITY: usize = 8 * 1024 * 1024;

/// How many bytes are kept of what each list named last: some four thousand lists of twenty.
const PLACES_CAPACITY: usize = 1024 * 1024;

/// A list, or a page of it: whose, after which, how many at most.
pub type PageKey = (UserId, Option<(Timestamp, ConversationId)>, i64);

/// A conversation as lists show it.
#[derive(Debug)]
pub struct RenderedSummary {
    /// Which it is.
    pub id: ConversationId,
    /// When something was last said in it: what lists are ordered by.
    pub active_at: Timestamp,
    epoch: Epoch,
    seq: Seq,
    json: Box<RawValue>,
}

impl RenderedSummary {
    /// How long its JSON is, in bytes.
    pub fn bytes(&self) -> usize {
        self.json.get().len()
    }
}

impl Serialize for RenderedSummary {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.json.serialize(serializer)
    }
}

/// What is kept.
#[derive(Debug)]
pub struct SummaryCache {
    summaries: BoundedCache<ConversationId, Arc<RenderedSummary>>,
    places: BoundedCache<PageKey, Arc<[ConversationId]>>,
}

impl Default for SummaryCache {
    fn default() -> Self {
        Self {
            summaries: BoundedCache::new(SUMMARIES_CAPACITY),
            places: BoundedCache::new(PLACES_CAPACITY),
        }
    }
}

impl SummaryCache {
    /// What is kept of the conversations that this list named last, all of one epoch.
    pub fn cached(&self, place: &PageKey) -> Vec<Arc<RenderedSummary>> {
        let named = self.places.get(place).unwrap_or_default();
        let mut known: Vec<_> = named
            .iter()
            .filter_map(|id| self.summaries.get(id))
            .collect();
        // Whichever epoch is taken: should it not be the database's, everything is told.
        if let Some(epoch) = known.last().map(|shown| shown.epoch.clone()) {
            known.retain(|shown| shown.epoch == epoch);
        }
        known
    }

    /// The list, as the database tells it to who said that `known` is held; kept for the next.
    ///
    /// # Errors
    /// None that a listing can cause which keeps to its contract.
    pub fn render(
        &self,
        place: PageKey,
        known: &[Arc<RenderedSummary>],
        listing: ConversationPage,
    ) -> serde_json::Result<Vec<Arc<RenderedSummary>>> {
        let ConversationPage {
            epoch,
            conversations,
        } = listing;
        let mut list = Vec::with_capacity(conversations.len());
        for conversation in conversations {
            list.push(match conversation {
                ListedConversation::NotModified(id) => {
                    let held = known.iter().find(|shown| shown.id == id);
                    let stranger =
                        || serde::de::Error::custom("the list leaves out what is not held");
                    Arc::clone(held.ok_or_else(stranger)?)
                }
                ListedConversation::Summary(summary) => {
                    let shown = Arc::new(RenderedSummary {
                        id: summary.id,
                        active_at: summary.active_at,
                        epoch: epoch.clone(),
                        seq: summary.seq,
                        json: to_raw_value(&*summary)?,
                    });
                    let weight = shown.bytes() + size_of::<RenderedSummary>();
                    self.summaries.put(shown.id, Arc::clone(&shown), weight);
                    shown
                }
            });
        }
        let named: Arc<[_]> = list.iter().map(|shown| shown.id).collect();
        let weight = size_of_val(&*named) + size_of::<PageKey>();
        self.places.put(place, named, weight);
        Ok(list)
    }
}

/// What the database need not tell again.
pub fn cached_summaries(known: &[Arc<RenderedSummary>]) -> CachedSummaries {
    CachedSummaries {
        epoch: known.first().map(|shown| shown.epoch.clone()),
        at: known.iter().map(|shown| (shown.id, shown.seq)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use colloquy_proto::domain::{ConversationKind, ConversationSummary, MessageNumber};

    fn told(id: i64, seq: i64) -> ListedConversation {
        ListedConversation::Summary(Box::new(ConversationSummary {
            id: ConversationId(id),
            kind: ConversationKind::Group,
            name: None,
            participants: Vec::new(),
            last_message: None,
            created_at: Timestamp(0),
            active_at: Timestamp(seq),
            seq: Seq(seq),
            number: MessageNumber(seq),
        }))
    }

    fn listing(epoch: &str, conversations: Vec<ListedConversation>) -> ConversationPage {
        ConversationPage {
            epoch: Epoch(epoch.into()),
            conversations,
        }
    }

    fn at(list: &[Arc<RenderedSummary>]) -> Vec<(i64, i64)> {
        list.iter().map(|shown| (shown.id.0, shown.seq.0)).collect()
    }

    const PLACE: PageKey = (UserId(1), None, 20);

    #[test]
    fn what_was_told_once_is_shown_again() {
        let lists = SummaryCache::default();
        assert!(lists.cached(&PLACE).is_empty());
        let first = lists.render(PLACE, &[], listing("e", vec![told(1, 3), told(2, 9)]));
        assert_eq!(at(&first.unwrap()), [(1, 3), (2, 9)]);
        let known = lists.cached(&PLACE);
        let again = vec![
            told(1, 10),
            ListedConversation::NotModified(ConversationId(2)),
        ];
        let again = lists.render(PLACE, &known, listing("e", again)).unwrap();
        assert_eq!(at(&again), [(1, 10), (2, 9)]);
        assert_eq!(at(&lists.cached(&PLACE)), [(1, 10), (2, 9)]);
        for elsewhere in [
            (UserId(2), None, 20),
            (UserId(1), None, 21),
            (UserId(1), Some((Timestamp(3), ConversationId(1))), 20),
        ] {
            assert!(lists.cached(&elsewhere).is_empty());
        }
    }

    /// What somebody else was told since is known to all who were told of the conversation.
    #[test]
    fn a_summary_is_everybodys() {
        let (lists, other) = (SummaryCache::default(), (UserId(2), None, 20));
        lists
            .render(PLACE, &[], listing("e", vec![told(1, 3)]))
            .unwrap();
        lists
            .render(other, &[], listing("e", vec![told(1, 4)]))
            .unwrap();
        assert_eq!(at(&lists.cached(&PLACE)), [(1, 4)]);
    }

    #[test]
    fn what_is_known_is_of_one_epoch() {
        let (lists, other) = (SummaryCache::default(), (UserId(2), None, 20));
        let both = vec![told(1, 3), told(2, 9)];
        lists.render(PLACE, &[], listing("e", both)).unwrap();
        lists
            .render(other, &[], listing("f", vec![told(2, 1)]))
            .unwrap();
        let known = lists.cached(&PLACE);
        assert_eq!(cached_summaries(&known).epoch, Some(Epoch("f".into())));
        assert_eq!(at(&known), [(2, 1)]);
    }

    #[test]
    fn what_is_left_out_must_be_known() {
        let left_out = listing(
            "e",
            vec![ListedConversation::NotModified(ConversationId(1))],
        );
        assert!(
            SummaryCache::default()
                .render(PLACE, &[], left_out)
                .is_err()
        );
    }
}
