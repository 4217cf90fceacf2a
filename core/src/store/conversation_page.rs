//! A page of conversations as its statement returns it: the ids in order, the conversations that
//! changed since they were cached, and each of their participants once, with the caller.

use std::collections::HashMap;
use std::sync::Arc;

use serde::Deserialize;

use crate::ports::{ConversationPage, ListedConversation};
use colloquy_proto::domain::{
    ConversationId, ConversationKind, ConversationSummary, Epoch, ListPosition, Message,
    MessageNumber, Seq, Timestamp, User, UserId,
};

/// The result of `conversations/list`.
#[derive(Deserialize)]
pub(super) struct ConversationPageRow {
    epoch: Epoch,
    order: Vec<ConversationId>,
    is_cut: bool,
    people: Vec<Arc<User>>,
    conversations: Vec<SummaryRow>,
}

/// A [`ConversationSummary`] with ids for its participants.
#[derive(Deserialize)]
struct SummaryRow {
    id: ConversationId,
    kind: ConversationKind,
    name: Option<String>,
    participants: Vec<UserId>,
    member_count: i64,
    last_message: Option<Message>,
    created_at: Timestamp,
    active_at: Timestamp,
    list_position: ListPosition,
    seq: Seq,
    number: MessageNumber,
}

impl SummaryRow {
    /// The summary. `None` when a participant is not among the people.
    fn into_summary(self, people: &HashMap<UserId, Arc<User>>) -> Option<ConversationSummary> {
        let participants = self.participants.iter().map(|id| people.get(id).cloned());
        Some(ConversationSummary {
            id: self.id,
            kind: self.kind,
            name: self.name,
            participants: participants.collect::<Option<_>>()?,
            member_count: self.member_count,
            last_message: self.last_message,
            created_at: self.created_at,
            active_at: self.active_at,
            list_position: self.list_position,
            seq: self.seq,
            number: self.number,
        })
    }
}

impl ConversationPageRow {
    /// The caller's page. `None` when a participant or the caller is not among the people.
    pub(super) fn into_page(self, caller: UserId) -> Option<ConversationPage> {
        let people = self.people.into_iter().map(|user| (user.id, user));
        let people: HashMap<UserId, Arc<User>> = people.collect();
        // In the same order as the ids, without those that are unchanged.
        let mut changed = self.conversations.into_iter().peekable();
        let listed = |id| match changed.next_if(|row| row.id == id) {
            Some(row) => {
                let summary = row.into_summary(&people);
                summary.map(|summary| ListedConversation::Summary(Box::new(summary)))
            }
            None => Some(ListedConversation::NotModified(id)),
        };
        Some(ConversationPage {
            conversations: self.order.into_iter().map(listed).collect::<Option<_>>()?,
            epoch: self.epoch,
            caller: Arc::clone(people.get(&caller)?),
            is_cut: self.is_cut,
        })
    }
}
