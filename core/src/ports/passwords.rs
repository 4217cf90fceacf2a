//! The port of password hashing.

use async_trait::async_trait;

use crate::auth::{PasswordJob, PasswordOutcome};

/// Runs slow password hashing off the serving threads, with bounded concurrency.
#[async_trait]
pub trait Passwords: Send + Sync {
    /// Runs the job. `None` when the queue is full.
    async fn run(&self, job: PasswordJob) -> Option<PasswordOutcome>;
}
