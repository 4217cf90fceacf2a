//! A list of conversations as its statement answers it: each person once, however many of the
//! conversations they are in.

use std::collections::HashMap;
use std::sync::Arc;

use serde::Deserialize;

use crate::domain::{
    ConversationId, ConversationKind, ConversationSummary, Message, Number, Seq, Timestamp, User,
    UserId,
};

/// What `conversations/list` answers.
#[derive(Deserialize)]
pub(super) struct Listed {
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
    number: Number,
}

impl Listed {
    /// The list. `None` when it names somebody it does not introduce.
    pub(super) fn summaries(self) -> Option<Vec<ConversationSummary>> {
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
        self.conversations.into_iter().map(summary).collect()
    }
}
