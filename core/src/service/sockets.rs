//! Sockets: admission to a Room.

use std::net::IpAddr;

use super::{ServiceResult, Services};
use crate::auth::TokenError;
use crate::ports::SocketGrant;
use colloquy_proto::domain::{Caller, ConversationId};
use colloquy_proto::room::TokenRejected;

/// Checks session and membership, and returns the grant with which the Rooms open the socket.
///
/// # Errors
/// `Denied` when there is no such conversation, the caller is not a member, or the session was
/// revoked.
pub async fn admit(
    services: &Services,
    caller: Caller,
    conversation_id: ConversationId,
    v2: bool,
    address: Option<IpAddr>,
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
        address,
    })
}

/// The result of an `auth` command, with which a client renews the token of an open socket.
impl From<TokenError> for TokenRejected {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Expired => Self::Expired,
            TokenError::Invalid => Self::Invalid,
        }
    }
}
