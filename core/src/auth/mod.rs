//! Tokens and passwords: who someone is, and how hard it is made to pretend.
//!
//! Owns the tokens' form, the hashing of passwords, the rules a password must meet and the
//! counting of attempts. Deliberately reads no clock and no randomness, decides nothing about
//! sessions (the [`Store`](crate::ports::Store) does, in the statement that does the work) and
//! knows no HTTP. Hashing is described here as a job and run by the adapter, where it blocks
//! nobody.

mod attempts;
mod hashing;
mod policy;
mod tokens;

pub use attempts::{Attempts, TooManyAttempts};
pub use hashing::{HashMemory, Password, PasswordJob, PasswordOutcome, SALT_BYTES, Salt};
pub use policy::{MAX_PASSWORD_BYTES, MIN_PASSWORD_CHARS, PersonalData, password_problems};
pub use tokens::{RefreshToken, TokenError, Tokens};
