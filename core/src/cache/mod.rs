//! What is cached and when it may be believed.
//!
//! Owns recent history ([`RecentHistory`]) over any [`Cache`](crate::ports::Cache), and the cache
//! that lives in this process ([`InProcess`]) for hosts without a Redis. Deliberately knows no
//! HTTP and no Redis protocol: an adapter turns a
//! [`CacheCommand`](crate::ports::CacheCommand) into one. To cache something else, give it a file
//! here that opens with the proof that it cannot lie.

mod history;
mod in_process;
#[cfg(test)]
mod interleaving_tests;

pub use history::{Recent, RecentHistory};
pub use in_process::InProcess;
