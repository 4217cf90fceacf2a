//! The protocol's shapes and how they are written: [`Command`], [`Reply`], [`CommandError`], and
//! the functions between them and a JSON body, for both ends of the wire.
//!
//! Does no I/O and knows neither reqwest nor axum nor RESP; the client and the proxy both stand
//! on it, and a test that encodes with one end and decodes with the other covers the two.

mod command;
mod reply;
#[cfg(test)]
mod tests;
mod wire;

pub use command::Command;
pub use reply::{CommandError, Outcome, Reply};
pub use wire::{
    Encoding, decode_command, decode_commands, decode_outcomes, decode_refusal, encode_commands,
    encode_outcome, encode_outcomes, encode_refusal,
};

/// A body that does not keep to the protocol.
///
/// Says where, never what: bodies carry messages and tokens, and errors end in logs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// The body is not JSON, or not JSON of the expected shape.
    #[error("the body is not what the protocol expects, line {line} column {column}")]
    Malformed {
        /// One-based line of the first fault; zero when serde names none.
        line: usize,
        /// One-based column of the first fault; zero when serde names none.
        column: usize,
    },
    /// A string that should be base64 is not.
    #[error("a string of the body is not valid base64")]
    Base64,
    /// A pipeline was answered by fewer or more replies than it has commands.
    #[error("{sent} commands were answered by {received} replies")]
    Count {
        /// How many commands went out.
        sent: usize,
        /// How many replies came back.
        received: usize,
    },
}

impl From<serde_json::Error> for CodecError {
    fn from(error: serde_json::Error) -> Self {
        Self::Malformed {
            line: error.line(),
            column: error.column(),
        }
    }
}
