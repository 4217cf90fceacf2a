//! One newtype for each identifier and position, so that they cannot be confused.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::text::{TextError, validate_text};

macro_rules! integer_newtype {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
        // The maximum is that of `i64`, which a parser rejects numbers above.
        #[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
        #[cfg_attr(feature = "utoipa", schema(minimum = 0, maximum = 9_223_372_036_854_775_807_i64))]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )+};
}

integer_newtype!(
    /// A user account.
    UserId,
    /// A conversation; also identifies its Room.
    ConversationId,
    /// A message, unique across all conversations.
    MessageId,
    /// The position of a durable event in its conversation: 1, 2, 3 … without gaps.
    Seq,
    /// The position of a conversation in lists: higher for later activity. Not a time, since clocks
    /// are set back.
    ListPosition,
    /// A message's ordinal in its conversation: 1, 2, 3 … without gaps.
    MessageNumber,
);

impl Seq {
    /// The next position.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// A session, created by a login. All of its access and refresh tokens contain its id; revoking the
/// session invalidates them.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SessionId(pub Arc<str>);

impl fmt::Debug for SessionId {
    /// Prints the first characters only, enough to follow a session through a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionId({}…)", self.0.get(..6).unwrap_or_default())
    }
}

/// Identifies one history of the database. It changes when a restore may have rewritten history.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema), schema(min_length = 1))]
#[serde(transparent)]
pub struct Epoch(pub Arc<str>);

/// The sender's idempotency key of a message; unique per conversation and sender, without expiry.
///
/// 1 to 64 printable ASCII characters without spaces, usually a UUID or ULID.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
#[cfg_attr(
    feature = "utoipa",
    schema(min_length = 1, max_length = 64, pattern = "^[!-~]+$")
)]
#[serde(try_from = "Arc<str>")]
pub struct ClientMessageId(Arc<str>);

impl ClientMessageId {
    /// The maximum length in characters.
    pub const MAX_CHARS: usize = 64;

    /// Validates a client's id.
    ///
    /// # Errors
    /// [`TextError`] when it is empty, too long, or contains anything but printable ASCII.
    pub fn new(value: impl Into<Arc<str>>) -> Result<Self, TextError> {
        let value = value.into();
        validate_text(&value, 1, Self::MAX_CHARS)?;
        if value.bytes().all(|byte| byte.is_ascii_graphic()) {
            Ok(Self(value))
        } else {
            Err(TextError::Characters)
        }
    }

    /// The id as sent by the client.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<Arc<str>> for ClientMessageId {
    type Error = TextError;

    fn try_from(value: Arc<str>) -> Result<Self, Self::Error> {
        Self::new(value)
    }
}
