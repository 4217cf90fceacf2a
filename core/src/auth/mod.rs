//! Tokens and passwords.

/// One slow piece of password work, to be run where it blocks nobody.
pub struct PasswordJob;
/// What it found.
pub struct PasswordOutcome;
