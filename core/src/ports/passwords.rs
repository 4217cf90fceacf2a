//! The port of password hashing.

use async_trait::async_trait;

use crate::auth::{PasswordJob, PasswordOutcome};

/// For whom a password is hashed. A share of the capacity is reserved for known clients, so that a
/// flood of logins and registrations does not lock out people who logged in before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HashPriority {
    /// A client at an address from which this account was used before.
    Known,
    /// Any other client.
    Unknown,
}

/// Runs slow password hashing off the serving threads, with bounded concurrency.
#[async_trait]
pub trait Passwords: Send + Sync {
    /// Runs the job. `None` when the queue is full.
    async fn run(&self, job: PasswordJob, priority: HashPriority) -> Option<PasswordOutcome>;
}
