//! The step after an edit, a deletion or a change of members: notifies the Room, and converts the
//! store's outcome to that of the use case.
//!
//! The database decides and stores; the conversation's Room delivers. A Room that misses the
//! notification reads the event with its next commit, so correctness does not depend on it.

use super::{ServiceError, ServiceResult, Services};
use crate::ports::{Authorized, ChangeOutcome, StoreError, StoreResult};
use colloquy_proto::domain::{ConversationId, Seq};

/// Notifies the Room. Returns the event's position, or `None` when nothing had to be written.
pub(super) async fn publish(
    services: &Services,
    conversation_id: ConversationId,
    result: StoreResult<Authorized<ChangeOutcome>>,
) -> ServiceResult<Option<Seq>> {
    let rooms = &services.ports.rooms;
    match result {
        Ok(Ok(ChangeOutcome::Done(stored))) => {
            let seq = stored.event.seq();
            rooms.change_stored(conversation_id, Some(*stored)).await;
            Ok(Some(seq))
        }
        // An earlier call may have written it and lost its response, with the Room not notified.
        Ok(Ok(ChangeOutcome::Unchanged)) => {
            rooms.change_stored(conversation_id, None).await;
            Ok(None)
        }
        Err(error @ (StoreError::Refused(..) | StoreError::Unavailable(_))) => {
            rooms.change_stored(conversation_id, None).await;
            Err(error.into())
        }
        Err(error) => Err(error.into()),
        Ok(Err(denied)) => Err(denied.into()),
        Ok(Ok(refused)) => Err(refusal(&refused)),
    }
}

fn refusal(outcome: &ChangeOutcome) -> ServiceError {
    match outcome {
        ChangeOutcome::Done(_) | ChangeOutcome::Unchanged => {
            ServiceError::Internal("a successful change was taken for a refusal".to_owned())
        }
        ChangeOutcome::UnknownMessage => {
            ServiceError::NotFound("There is no such message in this conversation.")
        }
        ChangeOutcome::NotSender => {
            ServiceError::Forbidden("Only the sender may edit or delete a message.")
        }
        ChangeOutcome::Deleted => ServiceError::Conflict("A deleted message cannot be edited."),
        ChangeOutcome::Direct => {
            ServiceError::Conflict("The members of a direct conversation cannot be changed.")
        }
        ChangeOutcome::Full => ServiceError::Conflict(
            "The group is full: it has as many members as this server allows in one group.",
        ),
        ChangeOutcome::UnknownUser => ServiceError::field("user_id", "This user does not exist."),
        ChangeOutcome::NotOwner => {
            ServiceError::Forbidden("Only the creator of a group may remove other members.")
        }
    }
}
