//! People and what a request knows of the one who makes it.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{SessionId, Timestamp, UserId};

/// A person as the API shows one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct User {
    /// The account's id.
    #[cfg_attr(feature = "utoipa", schema(value_type = i64, example = 1))]
    pub id: UserId,
    /// Unique, whatever its case.
    #[cfg_attr(feature = "utoipa", schema(value_type = String, example = "johndoe"))]
    pub username: Arc<str>,
    /// Unique, whatever its case.
    #[cfg_attr(feature = "utoipa", schema(example = "john@example.com"))]
    pub email: String,
    /// May be empty.
    pub first_name: String,
    /// May be empty.
    pub last_name: String,
}

/// Who makes a request: what a verified access token says. That the session still stands is
/// checked by the statement that does the work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The account.
    pub user_id: UserId,
    /// The login.
    pub session_id: SessionId,
    /// When the access token ends.
    pub expires_at: Timestamp,
}

/// What a login needs of an account.
#[derive(Clone, Deserialize)]
pub struct Credentials {
    /// The account.
    pub user: User,
    /// The stored hash, in PHC string form.
    pub password_hash: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("user.id", &self.user.id)
            .finish_non_exhaustive()
    }
}

/// An account about to be made; every field has been validated.
#[derive(Clone)]
pub struct NewUser {
    /// 1 to 150 characters of letters, digits and `@.+-_`.
    pub username: String,
    /// A well-formed address.
    pub email: String,
    /// PHC string of the password's hash.
    pub password_hash: String,
    /// At most 150 characters.
    pub first_name: String,
    /// At most 150 characters.
    pub last_name: String,
    /// May use `/api/admin/`.
    pub is_admin: bool,
}
