//! Tokens and passwords.
//!
//! Owns the form of tokens, password hashing and the rules for new passwords. Deliberately reads no
//! clock and no randomness, knows no HTTP and imports no port. Whether a session is active is
//! decided by the store, in the statement that does the work. Hashing is described here as a job;
//! the adapter runs it off the serving threads.

mod hashing;
mod policy;
mod tokens;
mod verified_tokens;

pub use hashing::{HashMemory, Password, PasswordJob, PasswordOutcome, SALT_BYTES, Salt};
pub use policy::{MAX_PASSWORD_BYTES, MIN_PASSWORD_CHARS, PersonalData, password_problems};
pub use tokens::{RefreshToken, TokenError, Tokens};
