//! A Redis command: a list of strings, its name first.
//!
//! Owns building a command and reading it from a JSON array. Does not check names, arity or
//! permissions.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _};
use serde::ser::{Serialize, Serializer};
use serde_json::value::RawValue;

/// One Redis command, its name first.
///
/// `Debug` shows the name and the number of arguments, never the arguments: they hold keys, messages
/// and tokens.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Command(Vec<String>);

impl Command {
    /// A command without arguments.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self(vec![name.into()])
    }

    /// Appends one string argument.
    #[must_use]
    pub fn arg(mut self, argument: impl Into<String>) -> Self {
        self.0.push(argument.into());
        self
    }

    /// Appends one integer argument, in decimal.
    #[must_use]
    pub fn int(self, argument: impl Into<i64>) -> Self {
        self.arg(argument.into().to_string())
    }

    /// Appends several string arguments.
    #[must_use]
    pub fn args<A: Into<String>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.0.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// The command's name as given; empty when a decoded command has no words.
    pub fn name(&self) -> &str {
        self.0.first().map_or("", String::as_str)
    }

    /// Name and arguments, in order.
    pub fn words(&self) -> &[String] {
        &self.0
    }
}

impl<A: Into<String>> FromIterator<A> for Command {
    fn from_iter<I: IntoIterator<Item = A>>(words: I) -> Self {
        Self(words.into_iter().map(Into::into).collect())
    }
}

impl<A: Into<String>, const N: usize> From<[A; N]> for Command {
    fn from(words: [A; N]) -> Self {
        words.into_iter().collect()
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let arguments = self.0.len().saturating_sub(1);
        write!(formatter, "Command({} +{arguments})", self.name())
    }
}

impl Serialize for Command {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Command {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let words = Vec::<Word>::deserialize(deserializer)?;
        Ok(Self(words.into_iter().map(|word| word.0).collect()))
    }
}

/// One element of a command's JSON array, as the string sent to Redis.
struct Word(String);

impl<'de> Deserialize<'de> for Word {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The raw text, not a parsed number: a score or a counter beyond f64 or i64 must reach Redis
        // unchanged.
        let raw = <&RawValue>::deserialize(deserializer)?.get();
        match raw.as_bytes().first() {
            Some(b'"') => serde_json::from_str(raw)
                .map(Word)
                .map_err(D::Error::custom),
            Some(b'-' | b'0'..=b'9' | b't' | b'f') => Ok(Word(raw.to_owned())),
            _ => Err(D::Error::custom(
                "a word is a string, a number or a boolean",
            )),
        }
    }
}
