//! The results of commands: [`Reply`] for a value, [`CommandError`] for an error.
//!
//! Owns the types and their accessors; `wire` has their JSON encoding.

use std::fmt;

/// The outcome of one command.
pub type Outcome = Result<Reply, CommandError>;

/// A value from Redis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// No value.
    Nil,
    /// An integer.
    Integer(i64),
    /// A string, or a status such as `OK`.
    Text(String),
    /// A string that is not UTF-8. Only base64 transfers it losslessly; a plain response has U+FFFD in
    /// place of invalid bytes and is decoded as [`Reply::Text`].
    ///
    /// INVARIANT: never valid UTF-8; [`Reply::from_bytes`] maintains it.
    Bytes(Vec<u8>),
    /// Several values, nested as in Redis' reply.
    Array(Vec<Reply>),
    /// An error inside an array, as a script may return one.
    Error(CommandError),
}

impl Reply {
    /// The string of these bytes: `Text` if they are UTF-8, otherwise `Bytes`.
    #[must_use]
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        match String::from_utf8(bytes) {
            Ok(text) => Self::Text(text),
            Err(error) => Self::Bytes(error.into_bytes()),
        }
    }

    /// True for [`Reply::Nil`].
    pub fn is_nil(&self) -> bool {
        matches!(self, Self::Nil)
    }

    /// The text, if this is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The text, owned, if this is one.
    pub fn into_text(self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The integer, or the integer in a text: Redis stores numbers as strings, so `GET` of a counter
    /// returns text while `INCR` returns an integer.
    pub fn as_integer(&self) -> Option<i64> {
        match self {
            Self::Integer(integer) => Some(*integer),
            Self::Text(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// The elements, if this is an array.
    pub fn as_array(&self) -> Option<&[Reply]> {
        match self {
            Self::Array(elements) => Some(elements),
            _ => None,
        }
    }

    /// The elements, owned, if this is an array.
    pub fn into_array(self) -> Option<Vec<Reply>> {
        match self {
            Self::Array(elements) => Some(elements),
            _ => None,
        }
    }
}

/// An error of Redis, in its own form: `CODE text`.
///
/// Redis quotes arguments in some errors (`unknown command … with args beginning with`), so log the
/// [`code`](CommandError::code) and not the whole text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct CommandError(String);

impl CommandError {
    /// The error with this text, which starts with its code.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The first word: `ERR`, `WRONGTYPE`, `NOSCRIPT` …
    pub fn code(&self) -> &str {
        self.0.split(' ').next().unwrap_or_default()
    }

    /// The whole text, code included.
    pub fn text(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}
