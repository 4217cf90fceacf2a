//! User accounts, and the caller of a request.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{SessionId, Timestamp, UserId};

/// A user as returned by the API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct User {
    /// The account's id.
    #[cfg_attr(feature = "utoipa", schema(value_type = i64, example = 1))]
    pub id: UserId,
    /// As typed at registration. Unique: names that differ in case or in equivalent characters are the same.
    #[cfg_attr(feature = "utoipa", schema(value_type = String, example = "johndoe"))]
    pub username: Arc<str>,
    /// Unique like the username.
    #[cfg_attr(feature = "utoipa", schema(example = "john@example.com"))]
    pub email: String,
    /// May be empty.
    pub first_name: String,
    /// May be empty.
    pub last_name: String,
}

impl User {
    /// The user as others see it where e-mail addresses are not shown.
    #[must_use]
    pub fn without_email(&self) -> Self {
        Self {
            email: String::new(),
            ..self.clone()
        }
    }
}

// It has no e-mail address: only the conversation of the first protocol version shows one.
/// A member of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct Member {
    /// The account's id.
    #[cfg_attr(feature = "utoipa", schema(value_type = i64, example = 1))]
    pub id: UserId,
    /// The username.
    #[cfg_attr(feature = "utoipa", schema(value_type = String, example = "johndoe"))]
    pub username: Arc<str>,
    /// May be empty.
    pub first_name: String,
    /// May be empty.
    pub last_name: String,
    /// When the membership began.
    #[cfg_attr(feature = "utoipa", schema(value_type = String, format = DateTime))]
    pub joined_at: Timestamp,
}

/// The caller of a request: the claims of a verified access token. The statement that does the work
/// checks that the session is still valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The account.
    pub user_id: UserId,
    /// The session.
    pub session_id: SessionId,
    /// When the access token expires.
    pub expires_at: Timestamp,
}

/// The account data that a login verifies.
#[derive(Clone, Deserialize)]
pub struct Credentials {
    /// The account.
    pub user: User,
    /// The stored password hash, a PHC string.
    pub password_hash: String,
    /// The devices from which the account was used.
    pub devices: Vec<KnownDevice>,
}

/// Names a device: a keyed hash of the account and the network of the client's address.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DeviceKey(pub Arc<str>);

/// A device from which an account was used.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct KnownDevice {
    /// Which one.
    pub key: DeviceKey,
    /// When the account last had a valid refresh token there; precise to a day.
    pub used_at: Timestamp,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("user.id", &self.user.id)
            .finish_non_exhaustive()
    }
}

/// An account to create, with validated fields.
#[derive(Clone)]
pub struct NewUser {
    /// 1 to 150 characters of letters, digits and `@.+-_`.
    pub username: String,
    /// A well-formed e-mail address.
    pub email: String,
    /// The password hash, a PHC string.
    pub password_hash: String,
    /// At most 150 characters.
    pub first_name: String,
    /// At most 150 characters.
    pub last_name: String,
    /// Whether the account is an administrator's. Stored only: no route depends on it.
    pub is_admin: bool,
}
