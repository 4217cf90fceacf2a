//! Sockets: who may join a Room.

use super::{ServiceResult, Services};
use crate::ports::SocketGrant;
use colloquy_proto::domain::{Caller, ConversationId};

/// What the Rooms need to let a member in.
///
/// # Errors
/// `Denied` when there is no such conversation, the caller is not in it, or the login was ended.
pub async fn admit(
    services: &Services,
    caller: Caller,
    conversation_id: ConversationId,
    v2: bool,
) -> ServiceResult<SocketGrant> {
    let now = services.ports.clock.now();
    let admission = services
        .ports
        .store
        .admit(&caller, conversation_id, now)
        .await??;
    Ok(SocketGrant {
        caller,
        conversation_id,
        admission,
        v2,
    })
}
