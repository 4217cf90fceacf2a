//! The protocol's types ([`Command`], [`Reply`], [`CommandError`]) and their JSON encoding, for
//! client and server.
//!
//! Does no I/O and knows neither reqwest nor axum nor RESP. Client and proxy share it, so a test
//! that encodes with one side and decodes with the other covers both.

mod command;
mod reply;
#[cfg(test)]
mod tests;
mod wire;

pub use command::Command;
pub use reply::{CommandError, Outcome, Reply};
pub use wire::{
    Encoding, decode_command, decode_commands, decode_error, decode_outcomes, encode_commands,
    encode_error, encode_outcome, encode_outcomes,
};

/// A body that violates the protocol.
///
/// Errors are logged and bodies contain messages and tokens, so an error has the position only,
/// never the content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// The body is not JSON, or not JSON of the expected shape.
    #[error("the body violates the protocol at line {line} column {column}")]
    Malformed {
        /// One-based line of the first error; zero when serde reports none.
        line: usize,
        /// One-based column of the first error; zero when serde reports none.
        column: usize,
    },
    /// A string that should be base64 is not.
    #[error("a string in the body is not valid base64")]
    Base64,
    /// The number of replies differs from the number of commands.
    #[error("{sent} commands received {received} replies")]
    Count {
        /// The number of commands.
        sent: usize,
        /// The number of replies.
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
