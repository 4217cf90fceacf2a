//! Changes: what is done to a message that is there, and to who is a member.
//!
//! The database decides and stores; the conversation's Room is told afterwards, and tells everybody.
//! One that was not told finds out with its next commit, so nothing depends on it.

use super::{ServiceError, ServiceResult, Services};
use crate::ports::{Authorized, ChangeOutcome, StoreError, StoreResult};
use colloquy_proto::domain::{Caller, ConversationId, MessageId, MessageText, Seq, UserId};

/// Gives a message of the caller's another text. The position of the event, `None` when it had this
/// text already.
///
/// # Errors
/// `Throttled`; `Denied`; `NotFound`; `Forbidden` when somebody else wrote it; `Conflict` when it was
/// deleted; `Unavailable`, after which the same request may be sent again.
pub async fn edit(
    services: &Services,
    caller: &Caller,
    id: ConversationId,
    message_id: MessageId,
    text: &MessageText,
) -> ServiceResult<Option<Seq>> {
    let now = services.ports.clock.now();
    let counted = services.attempts.edit(caller.user_id, id, now).await;
    counted.map_err(|many| ServiceError::Throttled {
        retry_after_ms: many.retry_after.as_millis(),
    })?;
    let store = &services.ports.store;
    let changed = store
        .edit_message(caller, id, message_id, Some(text), now)
        .await;
    settle(services, id, changed).await
}

/// Deletes a message of the caller's; one that was deleted already is no error.
///
/// # Errors
/// `Denied`; `NotFound`; `Forbidden` when somebody else wrote it; `Unavailable`, after which the
/// same request may be sent again.
pub async fn delete(
    services: &Services,
    caller: &Caller,
    id: ConversationId,
    message_id: MessageId,
) -> ServiceResult<()> {
    let now = services.ports.clock.now();
    let store = &services.ports.store;
    let changed = store.edit_message(caller, id, message_id, None, now).await;
    settle(services, id, changed).await.map(drop)
}

/// Makes somebody a member of a group; false when they were one already.
///
/// # Errors
/// `Invalid` when there is no such person; `Denied`; `Conflict` for two people's conversation;
/// `Unavailable`, after which the same request may be sent again.
pub async fn add_member(
    services: &Services,
    caller: &Caller,
    id: ConversationId,
    user_id: UserId,
) -> ServiceResult<bool> {
    let now = services.ports.clock.now();
    let store = &services.ports.store;
    let changed = store.add_member(caller, id, user_id, now).await;
    let seq = settle(services, id, changed).await?;
    Ok(seq.is_some())
}

/// Ends a membership of a group; one that had ended already is no error. The member's sockets are
/// closed, and nothing that comes later reaches them.
///
/// # Errors
/// `Denied`; `Forbidden` for another's, unless the caller made the group; `Conflict` for two people's
/// conversation; `Unavailable`, after which the same request may be sent again.
pub async fn remove_member(
    services: &Services,
    caller: &Caller,
    id: ConversationId,
    user_id: UserId,
) -> ServiceResult<()> {
    let now = services.ports.clock.now();
    let store = &services.ports.store;
    let changed = store.remove_member(caller, id, user_id, now).await;
    settle(services, id, changed).await.map(drop)
}

/// Tells the Room and the caller what became of it.
async fn settle(
    services: &Services,
    id: ConversationId,
    changed: StoreResult<Authorized<ChangeOutcome>>,
) -> ServiceResult<Option<Seq>> {
    let rooms = &services.ports.rooms;
    match changed {
        Ok(Ok(ChangeOutcome::Done(change))) => {
            let seq = change.event.seq();
            rooms.change_stored(id, Some(*change)).await;
            Ok(Some(seq))
        }
        // Perhaps by an earlier call whose answer was lost, so that nobody told the Room.
        Ok(Ok(ChangeOutcome::Unchanged)) => {
            rooms.change_stored(id, None).await;
            Ok(None)
        }
        Err(error @ StoreError::Unavailable(_)) => {
            rooms.change_stored(id, None).await;
            Err(error.into())
        }
        Err(error) => Err(error.into()),
        Ok(Err(denied)) => Err(denied.into()),
        Ok(Ok(ChangeOutcome::UnknownMessage)) => Err(ServiceError::NotFound(
            "There is no such message in this conversation.",
        )),
        Ok(Ok(ChangeOutcome::NotSender)) => Err(ServiceError::Forbidden(
            "Only its writer may change a message.",
        )),
        Ok(Ok(ChangeOutcome::Deleted)) => Err(ServiceError::Conflict(
            "The message was deleted; it cannot be edited any more.",
        )),
        Ok(Ok(ChangeOutcome::Direct)) => Err(ServiceError::Conflict(
            "A conversation of two people keeps its members; make a group.",
        )),
        Ok(Ok(ChangeOutcome::UnknownUser)) => {
            Err(ServiceError::field("user_id", "There is no such person."))
        }
        Ok(Ok(ChangeOutcome::NotOwner)) => Err(ServiceError::Forbidden(
            "Only who made a group may remove others from it.",
        )),
    }
}
