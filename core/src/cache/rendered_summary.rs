//! A conversation of a list as JSON, for any caller.

use std::mem::size_of;

use serde::Serialize;

use crate::config::ShowEmails;
use colloquy_proto::domain::{
    ConversationId, ConversationKind, ConversationSummary, Epoch, ListPosition,
    MAX_PARTICIPANTS_SHOWN, Message, MessageNumber, Seq, Timestamp, UserId,
};

/// A conversation's summary as JSON, with its participants apart: the caller comes first among them.
#[derive(Debug)]
pub struct RenderedSummary {
    /// The conversation.
    pub id: ConversationId,
    /// By which lists are ordered.
    pub list_position: ListPosition,
    pub(super) epoch: Epoch,
    pub(super) seq: Seq,
    /// The text up to the participants, each of them with a comma before it, and the text after them.
    json: Box<str>,
    /// Where the first participant starts.
    start: usize,
    /// The participants in their order, each with its end.
    ends: Box<[(UserId, usize)]>,
}

/// The fields before the participants.
#[derive(Serialize)]
struct Head<'a> {
    id: ConversationId,
    kind: ConversationKind,
    name: Option<&'a str>,
}

/// The fields after the participants.
#[derive(Serialize)]
struct Tail<'a> {
    member_count: i64,
    last_message: Option<&'a Message>,
    created_at: Timestamp,
    active_at: Timestamp,
    seq: Seq,
    number: MessageNumber,
}

impl RenderedSummary {
    /// Serializes a summary.
    ///
    /// # Errors
    /// None that a summary can cause; serde's signature has one.
    pub(super) fn new(
        summary: &ConversationSummary,
        epoch: &Epoch,
        show_emails: ShowEmails,
    ) -> serde_json::Result<Self> {
        let head = Head {
            id: summary.id,
            kind: summary.kind,
            name: summary.name.as_deref(),
        };
        let tail = Tail {
            member_count: summary.member_count,
            last_message: summary.last_message.as_ref(),
            created_at: summary.created_at,
            active_at: summary.active_at,
            seq: summary.seq,
            number: summary.number,
        };
        let mut json = serde_json::to_string(&head)?;
        let start = json.len();
        let mut ends = Vec::with_capacity(summary.participants.len());
        for participant in &summary.participants {
            json.push(',');
            json.push_str(&match show_emails {
                ShowEmails::Members => serde_json::to_string(&**participant)?,
                ShowEmails::Own => serde_json::to_string(&participant.without_email())?,
            });
            ends.push((participant.id, json.len()));
        }
        json.push_str(&serde_json::to_string(&tail)?);
        Ok(Self {
            id: summary.id,
            list_position: summary.list_position,
            epoch: epoch.clone(),
            seq: summary.seq,
            json: json.into(),
            start,
            ends: ends.into(),
        })
    }

    /// The length of its JSON in bytes, without what differs between callers.
    pub fn bytes(&self) -> usize {
        self.json.len()
    }

    /// The memory it takes, in bytes.
    pub(super) fn weight(&self) -> usize {
        self.bytes() + size_of_val(&*self.ends) + size_of::<Self>()
    }

    /// Appends its JSON as this caller sees it, whose account is the first participant.
    pub fn write(&self, caller: UserId, account: &str, json: &mut String) {
        let part = |from: usize, to: usize| self.json.get(from..to).unwrap_or_default();
        // Both have braces of their own, which become commas.
        let head = part(0, self.start.saturating_sub(1));
        json.push_str(head);
        json.push_str(",\"participants\":[");
        json.push_str(account);
        let mut start = self.start;
        let mut shown = 1;
        for &(user_id, end) in &self.ends {
            if user_id != caller && shown < MAX_PARTICIPANTS_SHOWN {
                json.push_str(part(start, end));
                shown += 1;
            }
            start = end;
        }
        json.push_str("],");
        json.push_str(part(start + 1, self.json.len()));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::{Value, json};

    use super::*;
    use colloquy_proto::domain::User;

    fn user(id: i64) -> Arc<User> {
        Arc::new(User {
            id: UserId(id),
            username: format!("user{id}").into(),
            email: format!("user{id}@example.com"),
            first_name: String::new(),
            last_name: String::new(),
        })
    }

    fn summary(participants: Vec<Arc<User>>) -> ConversationSummary {
        ConversationSummary {
            id: ConversationId(7),
            kind: ConversationKind::Group,
            name: Some("a \"group\", {of} [all]".to_owned()),
            member_count: 120,
            participants,
            last_message: None,
            created_at: Timestamp(0),
            active_at: Timestamp(1),
            list_position: ListPosition(1),
            seq: Seq(3),
            number: MessageNumber(2),
        }
    }

    fn written(summary: &ConversationSummary, caller: i64, show_emails: ShowEmails) -> Value {
        let rendered = RenderedSummary::new(summary, &Epoch("e".into()), show_emails).unwrap();
        let mut json = String::new();
        let account = serde_json::to_string(&*user(caller)).unwrap();
        rendered.write(UserId(caller), &account, &mut json);
        serde_json::from_str(&json).unwrap()
    }

    #[test]
    fn caller_is_the_first_participant() {
        for (stored, caller, expected) in [
            (vec![1, 2, 3], 1, vec![1, 2, 3]),
            (vec![1, 2, 3], 2, vec![2, 1, 3]),
            (vec![1, 2, 3], 3, vec![3, 1, 2]),
            (vec![5], 5, vec![5]),
            (
                (1..=100).collect(),
                100,
                [100].into_iter().chain(1..=99).collect(),
            ),
            // A caller beyond the first hundred replaces the last of them.
            (
                (1..=100).collect(),
                110,
                [110].into_iter().chain(1..=99).collect(),
            ),
        ] {
            let stored = summary(stored.into_iter().map(user).collect());
            let first = summary(expected.into_iter().map(user).collect());
            let expected = serde_json::to_value(&first).unwrap();
            assert_eq!(written(&stored, caller, ShowEmails::Members), expected);
        }
    }

    #[test]
    fn only_the_own_address_is_shown_where_others_are_hidden() {
        let read = written(&summary(vec![user(1), user(2)]), 2, ShowEmails::Own);
        let emails = read["participants"].as_array().unwrap().iter();
        let emails: Vec<_> = emails.map(|participant| &participant["email"]).collect();
        assert_eq!(emails, [&json!("user2@example.com"), &json!("")]);
    }
}
