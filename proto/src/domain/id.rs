//! One type for every identifier and every position, so that none can be passed for another.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::text::{TextError, validate_text};

macro_rules! integer_newtype {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
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
    /// A person's account.
    UserId,
    /// A conversation: the lasting thing, and the name of its Room.
    ConversationId,
    /// A message, unique over all conversations.
    MessageId,
    /// The position of a durable event in its conversation: 1, 2, 3 … without gaps.
    Seq,
    /// A message's ordinal in its conversation: 1, 2, 3 … without gaps.
    MessageNumber,
);

impl Seq {
    /// The position right after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// One login. Its access and refresh tokens carry it; revoking it ends them all.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SessionId(pub Arc<str>);

impl fmt::Debug for SessionId {
    /// Shows the first characters only: enough to follow a login through a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionId({}…)", self.0.get(..6).unwrap_or_default())
    }
}

/// Names one history of the database; it changes when a restore may have rewritten it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Epoch(pub Arc<str>);

/// The sender's own name for a send; unique per conversation and sender for ever.
///
/// 1 to 64 characters of printable ASCII without spaces (a UUID or ULID is customary).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "Arc<str>")]
pub struct ClientMessageId(Arc<str>);

impl ClientMessageId {
    /// The longest accepted id, in characters.
    pub const MAX_CHARS: usize = 64;

    /// Checks and takes a client's id.
    ///
    /// # Errors
    /// [`TextError`] when it is empty, too long, or holds anything but printable ASCII.
    pub fn new(value: impl Into<Arc<str>>) -> Result<Self, TextError> {
        let value = value.into();
        validate_text(&value, 1, Self::MAX_CHARS)?;
        if value.bytes().all(|byte| byte.is_ascii_graphic()) {
            Ok(Self(value))
        } else {
            Err(TextError::Characters)
        }
    }

    /// The id as the client wrote it.
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
