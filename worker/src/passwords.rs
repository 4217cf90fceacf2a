//! Password hashing where the request is: an isolate has one thread, and a request's time on it
//! is its own, so there is nothing to hand it to.
//!
//! Owns the memory it takes, once an isolate: wasm gives none back, so it is used again.

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use colloquy_core::auth::{HashMemory, PasswordJob, PasswordOutcome};
use colloquy_core::ports::Passwords;

/// Runs each job at once.
#[derive(Default)]
pub(crate) struct InlinePasswords {
    memory: Mutex<HashMemory>,
}

#[async_trait]
impl Passwords for InlinePasswords {
    async fn run(&self, job: PasswordJob) -> Option<PasswordOutcome> {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        Some(job.run(&mut memory))
    }
}
