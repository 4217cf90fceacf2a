//! Optimisation: memoizes the rendered summaries of conversations for lists.
//!
//! Summaries that have not changed are neither rendered by the database nor serialized: twenty
//! cached ones take a quarter of the time of twenty full ones
//! (`docs/decisions/0012-memoized-pages-and-summaries.md`). With an empty cache the statement returns
//! every summary in full; nothing else changes.
//!
//! Why a stored summary is correct: everything that changes a summary (a message, an edit, a
//! deletion, a change of members) is a durable event of the conversation, so at one `seq` of one
//! epoch the summary is the same for every caller and forever (the order of the participants, of whom
//! the caller is the first, is made when it is written). The statement that lists a user's
//! conversations receives the cached ids with their `seq`. From one snapshot of the database it
//! decides which conversations are listed and in which order, and returns in full those that are
//! not cached at their current `seq`. So a list contains nothing that the statement would not have
//! returned to this caller.
//!
//! Usernames do not change. A feature that changes them must change the summaries as well: by an
//! event in the user's conversations, or by a column that the statement compares.

use std::mem::size_of;
use std::sync::Arc;

use super::rendered_summary::RenderedSummary;
use crate::bounded_cache::BoundedCache;
use crate::config::ShowEmails;
use crate::ports::{CachedSummaries, ConversationPage, ListedConversation};
use colloquy_proto::domain::{ConversationId, ListPosition, UserId};

/// The memory limit of the summaries: about eight thousand small conversations.
const SUMMARIES_CAPACITY_BYTES: usize = 8 * 1024 * 1024;

/// The memory limit of the ids on each page: about four thousand pages of twenty.
const PAGES_CAPACITY_BYTES: usize = 1024 * 1024;

/// A page of a list: the user, the conversation it starts after, and the limit.
pub type PageKey = (UserId, Option<(ListPosition, ConversationId)>, i64);

/// The memoized summaries, and the ids that each page contained last.
#[derive(Debug)]
pub struct SummaryCache {
    summaries: BoundedCache<ConversationId, Arc<RenderedSummary>>,
    pages: BoundedCache<PageKey, Arc<[ConversationId]>>,
    show_emails: ShowEmails,
}

impl SummaryCache {
    /// Nothing memoized yet; participants are rendered with or without their e-mail addresses.
    pub fn new(show_emails: ShowEmails) -> Self {
        Self {
            summaries: BoundedCache::new(SUMMARIES_CAPACITY_BYTES),
            pages: BoundedCache::new(PAGES_CAPACITY_BYTES),
            show_emails,
        }
    }

    /// The cached summaries of the conversations that were on this page last, all of one epoch.
    pub fn cached(&self, page: &PageKey) -> Vec<Arc<RenderedSummary>> {
        let ids = self.pages.get(page).unwrap_or_default();
        let mut cached: Vec<_> = ids.iter().filter_map(|id| self.summaries.get(id)).collect();
        // If it is not the database's epoch, the statement returns everything in full.
        if let Some(epoch) = cached.last().map(|summary| summary.epoch.clone()) {
            cached.retain(|summary| summary.epoch == epoch);
        }
        cached
    }

    /// Completes the statement's result with the `cached` summaries it was given, and memoizes it.
    ///
    /// # Errors
    /// When the statement, against its contract, returns only the id of a conversation that is not
    /// in `cached`.
    pub fn render(
        &self,
        key: PageKey,
        cached: &[Arc<RenderedSummary>],
        page: ConversationPage,
    ) -> serde_json::Result<Vec<Arc<RenderedSummary>>> {
        let ConversationPage {
            epoch,
            conversations,
            ..
        } = page;
        let mut list = Vec::with_capacity(conversations.len());
        for conversation in conversations {
            list.push(match conversation {
                ListedConversation::NotModified(id) => {
                    let found = cached.iter().find(|summary| summary.id == id);
                    let missing =
                        || serde::de::Error::custom("the list omits a summary that is not cached");
                    Arc::clone(found.ok_or_else(missing)?)
                }
                ListedConversation::Summary(summary) => {
                    let rendered = RenderedSummary::new(&summary, &epoch, self.show_emails)?;
                    let rendered = Arc::new(rendered);
                    self.summaries
                        .put(rendered.id, Arc::clone(&rendered), rendered.weight());
                    rendered
                }
            });
        }
        let ids: Arc<[_]> = list.iter().map(|summary| summary.id).collect();
        let weight = size_of_val(&*ids) + size_of::<PageKey>();
        self.pages.put(key, ids, weight);
        Ok(list)
    }
}

/// The statement's argument: which summaries are cached, and at which `seq`.
pub fn cached_summaries(cached: &[Arc<RenderedSummary>]) -> CachedSummaries {
    CachedSummaries {
        epoch: cached.first().map(|summary| summary.epoch.clone()),
        at: cached
            .iter()
            .map(|summary| (summary.id, summary.seq))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use colloquy_proto::domain::{
        ConversationKind, ConversationSummary, Epoch, MessageNumber, Seq, Timestamp, User,
    };

    fn full(id: i64, seq: i64) -> ListedConversation {
        ListedConversation::Summary(Box::new(ConversationSummary {
            id: ConversationId(id),
            kind: ConversationKind::Group,
            name: None,
            participants: Vec::new(),
            member_count: 0,
            last_message: None,
            created_at: Timestamp(0),
            active_at: Timestamp(seq),
            list_position: ListPosition(seq),
            seq: Seq(seq),
            number: MessageNumber(seq),
        }))
    }

    fn page(epoch: &str, conversations: Vec<ListedConversation>) -> ConversationPage {
        ConversationPage {
            epoch: Epoch(epoch.into()),
            caller: Arc::new(User {
                id: UserId(1),
                username: "ann".into(),
                email: String::new(),
                first_name: String::new(),
                last_name: String::new(),
            }),
            conversations,
            is_cut: false,
        }
    }

    fn at(list: &[Arc<RenderedSummary>]) -> Vec<(i64, i64)> {
        list.iter()
            .map(|summary| (summary.id.0, summary.seq.0))
            .collect()
    }

    const KEY: PageKey = (UserId(1), None, 20);

    #[test]
    fn unmodified_summaries_are_served_from_the_cache() {
        let summaries = SummaryCache::new(ShowEmails::Members);
        assert!(summaries.cached(&KEY).is_empty());
        let first = summaries.render(KEY, &[], page("e", vec![full(1, 3), full(2, 9)]));
        assert_eq!(at(&first.unwrap()), [(1, 3), (2, 9)]);
        let cached = summaries.cached(&KEY);
        let second = vec![
            full(1, 10),
            ListedConversation::NotModified(ConversationId(2)),
        ];
        let second = summaries.render(KEY, &cached, page("e", second)).unwrap();
        assert_eq!(at(&second), [(1, 10), (2, 9)]);
        assert_eq!(at(&summaries.cached(&KEY)), [(1, 10), (2, 9)]);
        for other in [
            (UserId(2), None, 20),
            (UserId(1), None, 21),
            (UserId(1), Some((ListPosition(3), ConversationId(1))), 20),
        ] {
            assert!(summaries.cached(&other).is_empty());
        }
    }

    #[test]
    fn summary_is_shared_between_the_pages_of_different_users() {
        let (summaries, other) = (
            SummaryCache::new(ShowEmails::Members),
            (UserId(2), None, 20),
        );
        summaries
            .render(KEY, &[], page("e", vec![full(1, 3)]))
            .unwrap();
        summaries
            .render(other, &[], page("e", vec![full(1, 4)]))
            .unwrap();
        assert_eq!(at(&summaries.cached(&KEY)), [(1, 4)]);
    }

    #[test]
    fn cached_summaries_are_of_one_epoch() {
        let (summaries, other) = (
            SummaryCache::new(ShowEmails::Members),
            (UserId(2), None, 20),
        );
        let both = vec![full(1, 3), full(2, 9)];
        summaries.render(KEY, &[], page("e", both)).unwrap();
        summaries
            .render(other, &[], page("f", vec![full(2, 1)]))
            .unwrap();
        let cached = summaries.cached(&KEY);
        assert_eq!(cached_summaries(&cached).epoch, Some(Epoch("f".into())));
        assert_eq!(at(&cached), [(2, 1)]);
    }

    #[test]
    fn omitted_summary_that_is_not_cached_is_an_error() {
        let omitted = page(
            "e",
            vec![ListedConversation::NotModified(ConversationId(1))],
        );
        assert!(
            SummaryCache::new(ShowEmails::Members)
                .render(KEY, &[], omitted)
                .is_err()
        );
    }
}
