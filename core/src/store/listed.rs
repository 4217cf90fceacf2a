//! A list of conversations as its statement answers it: the order first, then those that are not
//! held by who asks, and each person once, however many of these they are in.

use std::collections::HashMap;
use std::sync::Arc;

use serde::Deserialize;

use crate::ports::{ConversationPage, ListedConversation};
use colloquy_proto::domain::{
    ConversationId, ConversationKind, ConversationSummary, Epoch, Message, MessageNumber, Seq,
    Timestamp, User, UserId,
};

/// What `conversations/list` answers.
#[derive(Deserialize)]
pub(super) struct Answered {
    epoch: Epoch,
    order: Vec<ConversationId>,
    people: Vec<Arc<User>>,
    conversations: Vec<Entry>,
}

/// A [`ConversationSummary`] that names its people.
#[derive(Deserialize)]
struct Entry {
    id: ConversationId,
    kind: ConversationKind,
    name: Option<String>,
    participants: Vec<UserId>,
    last_message: Option<Message>,
    created_at: Timestamp,
    active_at: Timestamp,
    seq: Seq,
    number: MessageNumber,
}

impl Answered {
    /// The list. `None` when it names somebody it does not introduce.
    pub(super) fn listing(self) -> Option<ConversationPage> {
        let people: HashMap<UserId, Arc<User>> = self
            .people
            .into_iter()
            .map(|person| (person.id, person))
            .collect();
        let summary = |entry: Entry| {
            let participants = entry.participants.iter();
            Some(ConversationSummary {
                id: entry.id,
                kind: entry.kind,
                name: entry.name,
                participants: participants
                    .map(|id| people.get(id).cloned())
                    .collect::<Option<_>>()?,
                last_message: entry.last_message,
                created_at: entry.created_at,
                active_at: entry.active_at,
                seq: entry.seq,
                number: entry.number,
            })
        };
        // In the same order, without those that are held.
        let mut told = self.conversations.into_iter().peekable();
        let listed = |id| match told.next_if(|entry| entry.id == id) {
            Some(entry) => {
                summary(entry).map(|summary| ListedConversation::Summary(Box::new(summary)))
            }
            None => Some(ListedConversation::NotModified(id)),
        };
        Some(ConversationPage {
            conversations: self.order.into_iter().map(listed).collect::<Option<_>>()?,
            epoch: self.epoch,
        })
    }
}
