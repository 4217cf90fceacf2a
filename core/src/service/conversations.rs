//! Conversations: making, listing and reading them.

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

/// The most people a conversation may be made with.
const MAX_PARTICIPANTS: usize = 500;

/// A conversation as asked for; nothing of it has been checked.
pub struct Request {
    /// The others, and perhaps the caller.
    pub participants: Option<Vec<UserId>>,
    /// A group's name.
    pub name: Option<String>,
    /// What it is to be; told from the rest without it.
    pub kind: Option<ConversationKind>,
}

/// Makes a conversation of the caller and others, or finds the one a pair has.
/// The flag says whether it was made now.
///
/// # Errors
/// `Invalid`, also when participants are unknown; `Denied` when the login was ended.
pub async fn create(
    services: &Services,
    caller: &Caller,
    request: Request,
) -> ServiceResult<(Conversation, bool)> {
    let wanted = check(request, caller.user_id)?;
    let now = services.ports.clock.now();
    match services
        .ports
        .store
        .create_conversation(caller, &wanted, now)
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

fn check(request: Request, caller: UserId) -> ServiceResult<NewConversation> {
    let Some(mut others) = request.participants else {
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
            "Name at least one other person.",
        ));
    }
    if others.len() > MAX_PARTICIPANTS {
        return Err(ServiceError::field(
            "participants",
            format!("Name at most {MAX_PARTICIPANTS} people."),
        ));
    }
    let name = request.name.map(|name| name.trim().to_owned());
    if let Some(name) = &name {
        validate_text(name, 1, MAX_NAME_CHARS)
            .map_err(|problem| ServiceError::field("name", problem.to_string()))?;
    }
    let pair = others.len() == 1 && name.is_none();
    let kind = match request.kind {
        Some(ConversationKind::Direct) if !pair => {
            return Err(ServiceError::field(
                "kind",
                "A direct conversation is between two people and has no name.",
            ));
        }
        Some(kind) => kind,
        None if pair => ConversationKind::Direct,
        None => ConversationKind::Group,
    };
    Ok(NewConversation { others, kind, name })
}

/// The caller's conversations, latest activity first, and whether there are more. Each is as
/// [`ConversationSummary`](colloquy_proto::domain::ConversationSummary) says.
///
/// # Errors
/// `Denied` when the login was ended.
pub async fn list(
    services: &Services,
    caller: &Caller,
    after: Option<(Timestamp, ConversationId)>,
    limit: i64,
) -> ServiceResult<(Vec<Arc<RenderedSummary>>, bool)> {
    let now = services.ports.clock.now();
    let place = (caller.user_id, after, limit);
    let known = services.lists.cached(&place);
    // One more than asked for tells whether there are more.
    let listing = services
        .ports
        .store
        .conversations(caller, after, limit + 1, &cached_summaries(&known), now)
        .await??;
    let page = services.lists.render(place, &known, listing);
    let mut page = page.map_err(|error| ServiceError::Fault(error.to_string()))?;
    let asked = usize::try_from(limit).unwrap_or_default();
    let more = page.len() > asked;
    page.truncate(asked);
    Ok((page, more))
}

/// One conversation with its recent messages.
///
/// # Errors
/// `Denied` when it does not exist, the caller is not in it, or the login was ended.
pub async fn read(
    services: &Services,
    caller: &Caller,
    id: ConversationId,
) -> ServiceResult<Conversation> {
    Ok(services
        .ports
        .store
        .conversation(caller, id, services.ports.clock.now())
        .await??)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(
        others: &[i64],
        name: Option<&str>,
        kind: Option<ConversationKind>,
    ) -> ServiceResult<NewConversation> {
        let participants = Some(others.iter().copied().map(UserId).collect());
        check(
            Request {
                participants,
                name: name.map(str::to_owned),
                kind,
            },
            UserId(1),
        )
    }

    #[test]
    fn the_caller_and_duplicates_are_folded() {
        let new = wanted(&[3, 1, 2, 3], None, None).unwrap();
        assert_eq!(new.others, [UserId(2), UserId(3)]);
        assert_eq!(new.kind, ConversationKind::Group);
        assert!(wanted(&[1, 1], None, None).is_err());
        assert!(wanted(&[], None, None).is_err());
    }

    #[test]
    fn a_pair_without_a_name_is_direct() {
        assert_eq!(
            wanted(&[2], None, None).unwrap().kind,
            ConversationKind::Direct
        );
        assert_eq!(
            wanted(&[2], Some("us"), None).unwrap().kind,
            ConversationKind::Group
        );
        assert_eq!(
            wanted(&[2], None, Some(ConversationKind::Group))
                .unwrap()
                .kind,
            ConversationKind::Group
        );
        assert!(wanted(&[2, 3], None, Some(ConversationKind::Direct)).is_err());
        assert!(wanted(&[2], Some("us"), Some(ConversationKind::Direct)).is_err());
        assert!(wanted(&[2], Some(" "), None).is_err());
        assert!(wanted(&[2], Some(&"x".repeat(121)), None).is_err());
    }
}
