//! Conversations: creating, listing and reading them.

use std::sync::Arc;

use super::{FieldErrors, ServiceError, ServiceResult, Services};
use crate::cache::{RenderedSummary, cached_summaries};
use crate::ports::CreatedConversation;
use colloquy_proto::domain::{
    Caller, Conversation, ConversationId, ConversationKind, NewConversation, Timestamp, UserId,
    validate_text,
};

/// The longest name of a group, in characters.
const MAX_NAME_CHARS: usize = 120;

/// The most participants of a new conversation besides the caller.
const MAX_PARTICIPANTS: usize = 500;

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
    let new = validate(input, caller.user_id)?;
    let now = services.ports.clock.now();
    match services
        .ports
        .store
        .create_conversation(caller, &new, now)
        .await??
    {
        CreatedConversation::Created(conversation) => Ok((conversation, true)),
        CreatedConversation::Existing(conversation) => Ok((conversation, false)),
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

fn validate(input: CreateInput, caller: UserId) -> ServiceResult<NewConversation> {
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
    if others.len() > MAX_PARTICIPANTS {
        return Err(ServiceError::field(
            "participants",
            format!("At most {MAX_PARTICIPANTS} participants are allowed."),
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

/// The caller's conversations, latest activity first, and whether there are more. Each is a rendered
/// [`ConversationSummary`](colloquy_proto::domain::ConversationSummary).
///
/// # Errors
/// `Denied` when the session was revoked.
pub async fn list(
    services: &Services,
    caller: &Caller,
    after: Option<(Timestamp, ConversationId)>,
    limit: i64,
) -> ServiceResult<(Vec<Arc<RenderedSummary>>, bool)> {
    let now = services.ports.clock.now();
    let key = (caller.user_id, after, limit);
    let cached = services.summaries.cached(&key);
    // One more than requested shows whether there is a next page.
    let page = services
        .ports
        .store
        .conversations(caller, after, limit + 1, &cached_summaries(&cached), now)
        .await??;
    let summaries = services.summaries.render(key, &cached, page);
    let mut summaries = summaries.map_err(|error| ServiceError::Internal(error.to_string()))?;
    let requested = usize::try_from(limit).unwrap_or_default();
    let more = summaries.len() > requested;
    summaries.truncate(requested);
    Ok((summaries, more))
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
    Ok(services
        .ports
        .store
        .conversation(caller, conversation_id, services.ports.clock.now())
        .await??)
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
