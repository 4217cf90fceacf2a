//! Security events: one WARN line each, for people and for tools such as fail2ban.
//!
//! Owns their target and names, which operators match and which so do not change. A line has the
//! account's id if the account exists, and the client's address if it is known; never a username,
//! which may be an e-mail address or a password in the wrong field. To add one: a variant, its row in
//! `docs/operations.md`.

use std::net::IpAddr;

use colloquy_proto::domain::{ConversationId, UserId};

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecurityEvent {
    /// A login with a wrong password, or for no account.
    LoginFailed,
    /// A login that was refused because there were too many.
    LoginRefused,
    /// A refresh token was used again, and its session revoked.
    RefreshReused,
    /// A socket was closed with 4100 because its client sent too much; with the conversation, if the
    /// host knows it where it closes sockets.
    FloodClosed(Option<ConversationId>),
    /// An operator created an administrator.
    AdminCreated,
    /// An operator renewed the epoch of the database.
    EpochRenewed,
    /// An operator restored the database from a backup.
    DatabaseRestored,
}

impl SecurityEvent {
    /// The value of the field `event`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::LoginFailed => "login_failed",
            Self::LoginRefused => "login_refused",
            Self::RefreshReused => "refresh_reused",
            Self::FloodClosed(_) => "flood_closed",
            Self::AdminCreated => "admin_created",
            Self::EpochRenewed => "epoch_renewed",
            Self::DatabaseRestored => "database_restored",
        }
    }

    const fn conversation_id(self) -> Option<ConversationId> {
        match self {
            Self::FloodClosed(conversation_id) => conversation_id,
            _ => None,
        }
    }

    /// Logs the event.
    pub fn report(self, user_id: Option<UserId>, address: Option<IpAddr>) {
        tracing::warn!(
            target: "colloquy::security",
            {
                event = self.name(),
                user.id = user_id.map(|id| id.0),
                client.address = address.map(tracing::field::display),
                conversation.id = self.conversation_id().map(|id| id.0),
            },
            "security event"
        );
    }
}
