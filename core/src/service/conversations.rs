//! Conversations: creating, listing and reading them.

use std::sync::Arc;

use super::{FieldErrors, ServiceError, ServiceResult, Services};
use crate::cache::{RenderedSummary, cached_summaries};
use crate::config::ShowEmails;
use crate::page_size::MAX_LIST_BYTES;
use crate::ports::CreatedConversation;
use colloquy_proto::domain::{
    Caller, Conversation, ConversationId, ConversationKind, ListPosition, NewConversation, UserId,
    validate_text,
};

/// The longest name of a group, in characters.
const MAX_NAME_CHARS: usize = 120;

/// The most participants of a new conversation besides the caller. More members are added one by one.
pub(crate) const MAX_PARTICIPANTS: usize = 100;

/// A conversation as requested, not yet validated.
pub struct CreateInput {
    /// The other participants; may include the caller.
    pub participants: Option<Vec<UserId>>,
    /// A group's name.
    pub name: Option<String>,
    /// Derived from the other fields when absent.
    pub kind: Option<ConversationKind>,
}

/// Creates a conversation of the caller and others, or finds the direct conversation of the two
/// users. The flag is true when it was created by this call.
///
/// # Errors
/// `Invalid`, also when participants are unknown; `Denied` when the session was revoked.
pub async fn create(
    services: &Services,
    caller: &Caller,
    input: CreateInput,
) -> ServiceResult<(Conversation, bool)> {
    let new = validate(input, caller.user_id, services.members.max_group_members)?;
    let now = services.ports.clock.now();
    match services
        .ports
        .store
        .create_conversation(caller, &new, now)
        .await??
    {
        CreatedConversation::Created(conversation) => {
            Ok((shown_to(caller, conversation, services), true))
        }
        CreatedConversation::Existing(conversation) => {
            Ok((shown_to(caller, conversation, services), false))
        }
        CreatedConversation::UnknownParticipants(ids) => {
            let problem = |id| format!("Invalid pk \"{id}\" - object does not exist.");
            let problems = ids.into_iter().map(problem).collect();
            Err(ServiceError::Invalid(FieldErrors::from([(
                "participants",
                problems,
            )])))
        }
    }
}

/// The conversation without what the settings hide from this caller.
fn shown_to(caller: &Caller, mut conversation: Conversation, services: &Services) -> Conversation {
    if services.members.show_emails == ShowEmails::Own {
        for participant in &mut conversation.participants {
            if participant.id != caller.user_id {
                participant.email.clear();
            }
        }
    }
    conversation
}

fn validate(
    input: CreateInput,
    caller: UserId,
    max_members: i64,
) -> ServiceResult<NewConversation> {
    let Some(mut others) = input.participants else {
        return Err(ServiceError::field(
            "participants",
            "This field is required.",
        ));
    };
    others.retain(|id| *id != caller);
    others.sort_unstable();
    others.dedup();
    if others.is_empty() {
        return Err(ServiceError::field(
            "participants",
            "At least one other participant is required.",
        ));
    }
    // The caller is a member as well.
    let max_others = usize::try_from(max_members.saturating_sub(1)).unwrap_or(usize::MAX);
    let max_others = max_others.min(MAX_PARTICIPANTS);
    if others.len() > max_others {
        return Err(ServiceError::field(
            "participants",
            format!(
                "At most {max_others} other participants are allowed; a group holds at most \
                 {max_members} members, and more can be added once it exists."
            ),
        ));
    }
    let name = input.name.map(|name| name.trim().to_owned());
    if let Some(name) = &name {
        validate_text(name, 1, MAX_NAME_CHARS)
            .map_err(|problem| ServiceError::field("name", problem.to_string()))?;
    }
    let pair = others.len() == 1 && name.is_none();
    let kind = match input.kind {
        Some(ConversationKind::Direct) if !pair => {
            return Err(ServiceError::field(
                "kind",
                "A direct conversation has exactly two members and no name.",
            ));
        }
        Some(kind) => kind,
        None if pair => ConversationKind::Direct,
        None => ConversationKind::Group,
    };
    Ok(NewConversation { others, kind, name })
}

/// A page of the list of conversations.
pub struct ListPage {
    /// A JSON array of [`ConversationSummary`](colloquy_proto::domain::ConversationSummary), latest
    /// activity first.
    pub conversations: String,
    /// The last one, after which the next page starts; `None` on the last page.
    pub next: Option<(ListPosition, ConversationId)>,
}

/// The caller's conversations, latest activity first: at most `limit`, and fewer when they are large.
///
/// # Errors
/// `Denied` when the session was revoked.
pub async fn list(
    services: &Services,
    caller: &Caller,
    after: Option<(ListPosition, ConversationId)>,
    limit: i64,
) -> ServiceResult<ListPage> {
    let now = services.ports.clock.now();
    let key = (caller.user_id, after, limit);
    let cached = services.summaries.cached(&key);
    // One more than requested shows whether there is a next page.
    let page = services
        .ports
        .store
        .conversations(caller, after, limit + 1, &cached_summaries(&cached), now)
        .await??;
    let not_rendered =
        |error: serde_json::Error| ServiceError::Internal(format!("cannot render a list: {error}"));
    let (is_cut, account) = (page.is_cut, Arc::clone(&page.caller));
    let summaries = services.summaries.render(key, &cached, page);
    let mut summaries = summaries.map_err(not_rendered)?;
    let account = serde_json::to_string(&*account).map_err(not_rendered)?;
    let (fitting, bytes) = fitting(&summaries, usize::try_from(limit).unwrap_or_default());
    let more = is_cut || summaries.len() > fitting;
    summaries.truncate(fitting);
    // The caller's account may come in addition to the participants of each.
    let mut conversations = String::with_capacity(bytes + summaries.len() * account.len());
    for summary in &summaries {
        conversations.push(if conversations.is_empty() { '[' } else { ',' });
        summary.write(caller.user_id, &account, &mut conversations);
    }
    conversations.push_str(if summaries.is_empty() { "[]" } else { "]" });
    let last = summaries.last().filter(|_| more);
    Ok(ListPage {
        next: last.map(|summary| (summary.list_position, summary.id)),
        conversations,
    })
}

/// The number of summaries, at most `limit`, that a page has room for, and their size. The first one
/// is on the page even if it alone is larger.
fn fitting(summaries: &[Arc<RenderedSummary>], limit: usize) -> (usize, usize) {
    /// The brackets, or commas, and the names of fields, that are written between parts.
    const AROUND_PARTICIPANTS: usize = 24;
    let max_bytes = usize::try_from(MAX_LIST_BYTES).unwrap_or(usize::MAX);
    let mut bytes = 0;
    for (index, summary) in summaries.iter().take(limit).enumerate() {
        let with_next = bytes + summary.bytes() + AROUND_PARTICIPANTS;
        if index > 0 && with_next > max_bytes {
            return (index, bytes);
        }
        bytes = with_next;
    }
    (summaries.len().min(limit), bytes)
}

/// One conversation with its recent messages.
///
/// # Errors
/// `Denied` when it does not exist, the caller is not a member, or the session was revoked.
pub async fn read(
    services: &Services,
    caller: &Caller,
    conversation_id: ConversationId,
) -> ServiceResult<Conversation> {
    let now = services.ports.clock.now();
    let store = &services.ports.store;
    let conversation = store.conversation(caller, conversation_id, now).await??;
    Ok(shown_to(caller, conversation, services))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn validated(
        others: &[i64],
        name: Option<&str>,
        kind: Option<ConversationKind>,
    ) -> ServiceResult<NewConversation> {
        let participants = Some(others.iter().copied().map(UserId).collect());
        validate(
            CreateInput {
                participants,
                name: name.map(str::to_owned),
                kind,
            },
            UserId(1),
            1_000,
        )
    }

    #[test]
    fn caller_and_duplicates_are_removed_from_the_participants() {
        let new = validated(&[3, 1, 2, 3], None, None).unwrap();
        assert_eq!(new.others, [UserId(2), UserId(3)]);
        assert_eq!(new.kind, ConversationKind::Group);
        assert!(validated(&[1, 1], None, None).is_err());
        assert!(validated(&[], None, None).is_err());
    }

    #[test]
    fn at_most_a_hundred_others_and_the_limit_of_members_are_accepted() {
        let others = |count: i64| (2..2 + count).collect::<Vec<_>>();
        assert!(validated(&others(100), None, None).is_ok());
        assert!(validated(&others(101), None, None).is_err());
        let limited = |count| {
            let input = CreateInput {
                participants: Some(others(count).into_iter().map(UserId).collect()),
                name: None,
                kind: None,
            };
            validate(input, UserId(1), 5)
        };
        assert!(limited(4).is_ok());
        assert!(limited(5).is_err());
    }

    #[test]
    fn two_users_without_a_name_have_a_direct_conversation() {
        assert_eq!(
            validated(&[2], None, None).unwrap().kind,
            ConversationKind::Direct
        );
        assert_eq!(
            validated(&[2], Some("us"), None).unwrap().kind,
            ConversationKind::Group
        );
        assert_eq!(
            validated(&[2], None, Some(ConversationKind::Group))
                .unwrap()
                .kind,
            ConversationKind::Group
        );
        assert!(validated(&[2, 3], None, Some(ConversationKind::Direct)).is_err());
        assert!(validated(&[2], Some("us"), Some(ConversationKind::Direct)).is_err());
        assert!(validated(&[2], Some(" "), None).is_err());
        assert!(validated(&[2], Some(&"x".repeat(121)), None).is_err());
    }
}
