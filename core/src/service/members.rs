//! Members of a conversation: listing them, and adding and removing those of a group.

use super::stored_change::publish;
use super::{ServiceResult, Services};
use colloquy_proto::domain::{Caller, ConversationId, Member, UserId};

/// The members with an id above `after`, by id, at most `limit`, and whether there are more.
///
/// # Errors
/// `Denied` when there is no such conversation, the caller is not a member, or the session was
/// revoked.
pub async fn list(
    services: &Services,
    caller: &Caller,
    conversation_id: ConversationId,
    after: UserId,
    limit: i64,
) -> ServiceResult<(Vec<Member>, bool)> {
    let now = services.ports.clock.now();
    let store = &services.ports.store;
    // One more than requested shows whether there is a next page.
    let mut members = store
        .members(caller, conversation_id, after, limit + 1, now)
        .await??;
    let requested = usize::try_from(limit).unwrap_or_default();
    let more = members.len() > requested;
    members.truncate(requested);
    Ok((members, more))
}

/// Adds a member to a group; `false` when the user already was a member.
///
/// # Errors
/// `Invalid` when there is no such user; `Denied`; `Conflict` for a direct conversation or a full
/// group; `Unavailable`, after which the same request may be repeated.
pub async fn add(
    services: &Services,
    caller: &Caller,
    conversation_id: ConversationId,
    user_id: UserId,
) -> ServiceResult<bool> {
    let now = services.ports.clock.now();
    let store = &services.ports.store;
    let result = store
        .add_member(
            caller,
            conversation_id,
            user_id,
            services.members.max_group_members,
            now,
        )
        .await;
    let seq = publish(services, conversation_id, result).await?;
    Ok(seq.is_some())
}

/// Removes a member from a group; removing a user who is not a member is no error. The member's
/// sockets are closed and receive no later event.
///
/// # Errors
/// `Denied`; `Forbidden` for another user, unless the caller created the group; `Conflict` for a
/// direct conversation; `Unavailable`, after which the same request may be repeated.
pub async fn remove(
    services: &Services,
    caller: &Caller,
    conversation_id: ConversationId,
    user_id: UserId,
) -> ServiceResult<()> {
    let now = services.ports.clock.now();
    let store = &services.ports.store;
    let result = store
        .remove_member(caller, conversation_id, user_id, now)
        .await;
    publish(services, conversation_id, result).await.map(drop)
}
