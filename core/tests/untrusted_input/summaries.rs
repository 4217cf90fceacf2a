//! Memoized summaries: a rendered list equals the list that the database would return in full.

use std::sync::Arc;

use colloquy_core::cache::{PageKey, RenderedSummary, SummaryCache, cached_summaries};
use colloquy_core::config::ShowEmails;
use colloquy_core::ports::{CachedSummaries, ConversationPage, ListedConversation};
use colloquy_fuzz::{Rng, arbitrary_text, for_all};
use colloquy_proto::domain::{
    ConversationId, ConversationKind, ConversationSummary, Epoch, ListPosition, MessageNumber, Seq,
    Timestamp, User, UserId,
};

use crate::tokens::NOW;

fn some_summary(random: &mut Rng, id: i64, seq: i64) -> ConversationSummary {
    ConversationSummary {
        id: ConversationId(id),
        kind: ConversationKind::Group,
        name: random.bool().then(|| arbitrary_text(random)),
        participants: (0..random.i64(0..3))
            .map(|user| {
                Arc::new(User {
                    id: UserId(user),
                    username: arbitrary_text(random).into(),
                    email: arbitrary_text(random),
                    first_name: arbitrary_text(random),
                    last_name: String::new(),
                })
            })
            .collect(),
        member_count: random.i64(0..200),
        last_message: None,
        created_at: NOW,
        active_at: Timestamp(NOW.0 + seq),
        list_position: ListPosition(seq),
        seq: Seq(seq),
        number: MessageNumber(seq),
    }
}

/// The statement's result: in full every summary that is not cached at its current `seq`.
fn page(epoch: &Epoch, all: &[ConversationSummary], cached: &CachedSummaries) -> ConversationPage {
    let conversations = all.iter().map(|summary| {
        let current = cached.at.contains(&(summary.id, summary.seq));
        if current && cached.epoch.as_ref() == Some(epoch) {
            ListedConversation::NotModified(summary.id)
        } else {
            ListedConversation::Summary(Box::new(summary.clone()))
        }
    });
    ConversationPage {
        epoch: epoch.clone(),
        caller: Arc::new(account()),
        conversations: conversations.collect(),
        is_cut: false,
    }
}

/// The caller, who may be among the participants.
fn account() -> User {
    User {
        id: UserId(1),
        username: "ann".into(),
        email: "ann@example.com".to_owned(),
        first_name: String::new(),
        last_name: String::new(),
    }
}

fn text(rendered: &Arc<RenderedSummary>) -> Option<String> {
    let account = serde_json::to_string(&account()).ok()?;
    let mut text = String::new();
    rendered.write(UserId(1), &account, &mut text);
    Some(text)
}

#[test]
fn rendered_lists_equal_the_database() {
    for_all("rendered_lists_equal_the_database", 1_000, |random| {
        let summaries = SummaryCache::new(ShowEmails::Members);
        let mut epoch = Epoch("e1".into());
        let mut all: Vec<ConversationSummary> = (1..=random.i64(1..6))
            .map(|id| some_summary(random, id, id))
            .collect();
        for _ in 0..random.usize(1..12) {
            let index = random.usize(0..all.len());
            let (id, seq) = (all[index].id.0, all[index].seq.0);
            match random.u8(0..4) {
                0 => all[index] = some_summary(random, id, seq + 1),
                1 => all.rotate_left(index),
                // After a restored backup the same positions have other content.
                2 => {
                    epoch = Epoch(format!("{}+", epoch.0).into());
                    all[index] = some_summary(random, id, seq);
                }
                _ => {}
            }
            let key: PageKey = (UserId(random.i64(1..3)), None, 20);
            let cached = summaries.cached(&key);
            let page = page(&epoch, &all, &cached_summaries(&cached));
            let rendered = summaries.render(key, &cached, page).expect("a valid page");
            let texts = |summary: &ConversationSummary| {
                let mut shown = summary.clone();
                shown.participants.retain(|user| user.id != account().id);
                shown.participants.insert(0, Arc::new(account()));
                serde_json::to_string(&shown).ok()
            };
            let expected: Vec<Option<String>> = all.iter().map(texts).collect();
            assert_eq!(rendered.iter().map(text).collect::<Vec<_>>(), expected);
        }
        // A summary that is omitted but not cached is an error.
        let omitted = ConversationPage {
            epoch,
            caller: Arc::new(account()),
            is_cut: false,
            conversations: vec![ListedConversation::NotModified(ConversationId(
                random.i64(..),
            ))],
        };
        assert!(
            summaries
                .render((UserId(3), None, 20), &[], omitted)
                .is_err()
        );
    });
}
